"""The roles that the parts of a piece play: tunes, chords, basses, drums.

A role writes the notes of one part in one section. It draws from its own random
stream, named after the track, the part and the kind of the section, so a repeated
section repeats its music and no track depends on another.
"""

import math

from mini_music import CLAP, CRASH, GROOVES, KICK, SNARE, bars, rhythm, voicing

# --- tunes ---------------------------------------------------------------------


def tune(song, part, section):
    """A melody of motifs: the bars of a phrase go a, a', b, cadence."""
    rand = song.rand(part.name, section.kind)
    ladder = song.pitches(part.low, part.high)
    density = part.options.get("density", "mid")
    legato = part.options.get("legato", 0.95)
    ornament = part.options.get("ornament", 0.0)
    rest = part.options.get("rest", 0.12)
    motifs = []
    for _ in range(2):
        lengths = rhythm(rand, song.meter, density)
        steps = [rand.choice((-2, -1, -1, 1, 1, 2, 0, 3)) for _ in lengths]
        motifs.append((lengths, steps))
    at = len(ladder) // 2 + rand.randint(-2, 2)
    plan = rand.choice(((0, 0, 1), (0, 1, 0), (0, 1, 1)))
    for i, start, chord in bars(song, section):
        place = i % 4
        last = i == section.n_bars - 1
        at = nearest(ladder, at, chord[:1] if last else chord)
        arch = 8 * math.sin(math.pi * (i % 8 + 0.5) / 8)
        if place == 3:
            if density in ("fast", "run") and not last:
                motif = motifs[1]
            else:
                length = song.meter * (0.9 if last else 0.7)
                part.add(start, length, ladder[at], 62 + 30 * section.energy + arch)
                continue
        else:
            motif = motifs[plan[place]]
        beat = start
        for j, (length, step) in enumerate(zip(*motif, strict=True)):
            if j:
                at += step
                at = at if 0 <= at < len(ladder) else at - 3 * step
                at = min(max(at, 0), len(ladder) - 1)
                if beat % 2 == 0:
                    at = nearest(ladder, at, chord)
            if j == 0 or rand.random() > rest:
                accent = 7 if beat == start else 0
                velocity = 58 + 32 * section.energy + arch + accent + rand.gauss(0, 4)
                jitter = rand.gauss(0, 0.008)
                if rand.random() < ornament and length >= 0.5:
                    upper = ladder[min(at + 1, len(ladder) - 1)]
                    part.add(beat, 0.11, ladder[at], velocity)
                    part.add(beat + 0.12, 0.11, upper, velocity - 6)
                    part.add(beat + 0.24, length * legato - 0.24, ladder[at], velocity)
                else:
                    part.add(beat + jitter, length * legato, ladder[at], velocity)
                if part.options.get("slide") and rand.random() < 0.3:
                    part.slides.append((beat, min(0.4, length / 2), -200))
            beat += length


def nearest(ladder, at, chord):
    """Index of the ladder's pitch nearest to `at` that belongs to the chord."""
    at = min(max(at, 0), len(ladder) - 1)
    fits = [i for i, p in enumerate(ladder) if p % 12 in chord]
    return min(fits, key=lambda i: (abs(i - at), i)) if fits else at


def canon(song, part, section):
    """Imitate the first tune: the same line later, in this part's range."""
    leader = next(p for p in song.parts if p.role == "tune")
    delay = part.options.get("delay", song.meter)
    first, last = section.bar * song.meter, (section.bar + section.n_bars) * song.meter
    shift = 12 * round(((part.low + part.high) - (leader.low + leader.high)) / 24)
    for beat, beats, pitch, velocity in leader.notes:
        if first <= beat and beat + delay < last:
            part.add(beat + delay, beats, pitch + shift, velocity - 6)


def inner(song, part, section):
    """A middle voice: chord tones in quarters, halves or repeated eighths."""
    rand = song.rand(part.name, section.kind)
    figure = rand.choice(((1,), (2,), (0.5,), (1.5, 0.5)))
    if section.energy < 0.4:
        figure = (2,)
    centre = (part.low + part.high) // 2 + rand.randint(-2, 2)
    for i, start, chord in bars(song, section):
        tones = voicing(chord, centre)
        beat, k = 0.0, i
        while beat < song.meter:
            length = min(figure[k % len(figure)], song.meter - beat)
            pitch = tones[(k * 2 + i) % len(tones)]
            part.add(start + beat, length * 0.96, pitch, 50 + 30 * section.energy)
            beat, k = beat + length, k + 1


def improvise(song, part, section):
    """Swung eighths that run through the chord and aim at the next one."""
    rand = song.rand(part.name, section.kind, section.bar)
    ladder = song.pitches(part.low, part.high)
    at = len(ladder) // 2
    for _, start, chord in bars(song, section):
        if rand.random() < 0.18:
            continue
        direction, beat = rand.choice((-1, 1)), rand.choice((0, 0.5, 1))
        at = nearest(ladder, at, chord)
        while beat < song.meter - 0.5 * rand.randint(0, 2):
            length = rand.choice((0.5, 0.5, 0.5, 1, 0.25))
            velocity = 62 + 25 * section.energy + rand.gauss(0, 8)
            part.add(start + beat, length * 0.9, ladder[at], velocity)
            beat += length
            if not 1 < at < len(ladder) - 2 or rand.random() < 0.2:
                direction = 1 if at < len(ladder) / 2 else -1
            at = min(max(at + direction * rand.choice((1, 1, 2)), 0), len(ladder) - 1)


def raga(song, part, section):
    """Sitar-like phrases: slides, repeated notes, runs; free where it is calm."""
    rand = song.rand(part.name, section.kind)
    ladder = song.pitches(part.low, part.high)
    at = len(ladder) // 2
    free = section.energy < 0.45
    for i, start, _ in bars(song, section):
        beat = 0.0
        cells = (
            ((2, 1, 1), (3, 1), (1.5, 0.5, 2))
            if free
            else (
                (0.5,) * 8,
                (0.25,) * 8 + (1, 1),
                (1, 0.5, 0.5, 1, 1),
                (0.5, 0.25, 0.25) * 4,
            )
        )
        for length in rand.choice(cells):
            if beat >= song.meter:
                break
            step = rand.choice((-1, -1, 1, 1, 0, 2, -2))
            at = min(max(at + step, 0), len(ladder) - 1)
            if i % 4 == 3 and beat == 0:
                at = nearest(ladder, at, [song.key])
            velocity = 68 + 28 * section.energy + rand.gauss(0, 6)
            part.add(start + beat, length * 1.3, ladder[at], velocity)
            if length >= 0.5 and rand.random() < 0.55:
                cents = rand.choice((-200, -100, 100, -300))
                part.slides.append((start + beat, min(0.5, length * 0.6), cents))
            if length >= 1 and rand.random() < 0.5:
                for k in range(1, int(length / 0.5)):
                    part.add(start + beat + k * 0.5, 0.4, song.key + 60, velocity - 28)
            beat += length


# --- chords --------------------------------------------------------------------


def pad(song, part, section):
    """Held chords, one every one or two bars, moving by small steps."""
    hold = part.options.get("hold", 1)
    centre = (part.low + part.high) // 2
    size = part.options.get("size", 3)
    for i, start, chord in bars(song, section):
        if i % hold:
            continue
        for pitch in voicing(chord, centre, size):
            velocity = 48 + 36 * section.energy
            part.add(start, song.meter * hold * 1.02, pitch, velocity)


def strum(song, part, section):
    """Guitar chords struck down and up over six strings."""
    rand = song.rand(part.name, section.kind)
    pattern = rand.choice(("D.DU.UDU", "D.D.DUDU", "D.DUD.DU", "DUDUDUDU"))
    pattern = pattern[: song.meter * 2]
    for _, start, chord in bars(song, section):
        tones = voicing(chord, 46, 6)
        for k, stroke in enumerate(pattern):
            if stroke == ".":
                continue
            down = stroke == "D"
            strings = tones if down else tones[:2:-1]
            for s, pitch in enumerate(strings):
                velocity = (66 if down else 50) + 30 * section.energy
                velocity += rand.gauss(0, 5) + (6 if k == 0 else 0)
                part.add(start + k / 2 + s * 0.018, 0.65, pitch, velocity)


def pick(song, part, section):
    """Finger picking: the thumb alternates below, the fingers answer above."""
    rand = song.rand(part.name, section.kind)
    fingers = rand.choice(((3, 4, 5, 4), (4, 3, 5, 3), (5, 4, 3, 4), (3, 5, 4, 5)))
    step = part.options.get("step", 0.5)
    for _, start, chord in bars(song, section):
        tones = voicing(chord, part.low + 6, 6)
        n = int(song.meter / step)
        for k in range(n):
            if k % (n // 2 or 1) == 0:
                pitch, velocity = tones[0 if k == 0 else 1], 74
            else:
                pitch, velocity = tones[fingers[k % 4] % len(tones)], 60
            velocity += 24 * (section.energy - 0.5) + rand.gauss(0, 5)
            late = rand.gauss(0, 0.01)
            part.add(start + k * step + late, step * 3, pitch, velocity)


def power(song, part, section):
    """Power chords (root, fifth, octave): chugging, galloping, or ringing."""
    rand = song.rand(part.name, section.kind)
    style = part.options.get("figure") or rand.choice(("chug", "ring", "push"))
    if section.kind == "b":
        style = "ring"
    cells = {
        "chug": (0.5,) * 8,
        "ring": (4,),
        "push": (1.5, 1.5, 1),
        "gallop": (0.5, 0.25, 0.25) * 4,
        "trem": (0.25,) * 16,
    }[style]
    for _, start, chord in bars(song, section):
        root = part.low + (chord[0] - part.low) % 12
        beat = 0.0
        for k, length in enumerate(cells):
            if beat >= song.meter:
                break
            accent = k == 0 or rand.random() < 0.15
            hold = length * (0.97 if accent or length > 1 else 0.55)
            for pitch in (root, root + 7, root + 12)[: 3 if accent else 2]:
                velocity = 92 + 20 * section.energy - (0 if accent else 12)
                part.add(start + beat, hold, pitch, velocity + rand.gauss(0, 4))
            beat += length


def comp(song, part, section):
    """Short chords off the beat, as a jazz piano or a rhythm guitar plays them."""
    rand = song.rand(part.name, section.kind)
    hits = rand.choice(((0, 1.5), (0.5, 2.5), (1.5, 3), (0, 2.5, 3.5), (1, 3)))
    centre = (part.low + part.high) // 2
    for _, start, chord in bars(song, section):
        for hit in hits:
            if hit < song.meter:
                length = rand.choice((0.4, 0.8))
                for pitch in voicing(chord, centre):
                    velocity = 52 + 28 * section.energy + rand.gauss(0, 5)
                    part.add(start + hit, length, pitch, velocity)


def stab(song, part, section):
    """Dance chords on a pattern of sixteenths, always the same."""
    rand = song.rand(part.name, section.kind)
    steps = rand.choice(((2, 6, 10, 14), (0, 3, 6, 10), (2, 5, 8, 11, 14), (0, 6, 12)))
    centre = (part.low + part.high) // 2
    for _, start, chord in bars(song, section):
        for step in steps:
            for pitch in voicing(chord, centre):
                part.add(start + step / 4, 0.22, pitch, 66 + 34 * section.energy)


def arpeggio(song, part, section):
    """The chord's notes one after another, up, down or both."""
    rand = song.rand(part.name, section.kind)
    step = part.options.get("step", 0.25)
    shape = part.options.get("shape") or rand.choice(("up", "down", "both", "leap"))
    ring = part.options.get("ring", 1.0)
    size = part.options.get("size", rand.choice((4, 5, 6)))
    for _, start, chord in bars(song, section):
        tones = voicing(chord, part.low + 6, size)
        walk = {
            "up": tones,
            "down": tones[::-1],
            "both": tones + tones[-2:0:-1],
            "leap": tones[::2] + tones[1::2],
        }[shape]
        for k in range(int(song.meter / step)):
            velocity = 54 + 30 * section.energy + (8 if k % 4 == 0 else 0)
            velocity += rand.gauss(0, part.options.get("loose", 4))
            pitch = walk[k % len(walk)]
            part.add(start + k * step, step * ring, pitch, velocity)


def alberti(song, part, section):
    """A pianist's left hand: low, high, middle, high; or wide broken chords."""
    rand = song.rand(part.name, section.kind)
    wide = part.options.get("wide", rand.random() < 0.5)
    for _, start, chord in bars(song, section):
        root = part.low + (chord[0] - part.low) % 12
        tones = [root] + [root + (t - root) % 12 for t in chord[1:]]
        third, fifth = tones[1], tones[2]
        walk = (root, fifth, third + 12, fifth) if wide else (root, fifth, third, fifth)
        for k in range(song.meter * 2):
            velocity = 46 + 26 * section.energy + (8 if k == 0 else 0)
            late = rand.gauss(0, 0.012)
            part.add(
                start + k / 2 + late, 0.9, walk[k % 4], velocity + rand.gauss(0, 4)
            )


def figuration(song, part, section):
    """Baroque sixteenths: one figure, moved down or up with the harmony."""
    rand = song.rand(part.name, section.kind)
    figure = [rand.choice((0, 1, 2, 3, 4)) for _ in range(8)]
    neighbour = rand.randint(1, 7)
    for i, start, chord in bars(song, section):
        tones = voicing(chord, (part.low + part.high) // 2 - i % 4, 5)
        for k in range(song.meter * 4):
            pitch = tones[figure[k % 8]]
            if k % 8 == neighbour:
                scale = song.pitches(pitch - 3, pitch - 1)
                pitch = scale[-1] if scale else pitch
            velocity = 62 + 22 * section.energy + rand.gauss(0, 3)
            part.add(start + k / 4 + rand.gauss(0, 0.006), 0.23, pitch, velocity)


def chorale(song, part, section):
    """Four voices, a chord every two beats, passing notes, a cadence to end."""
    rand = song.rand(part.name, section.kind)
    centre = (part.low + part.high) // 2
    beats = part.options.get("beats", 2)
    for i, start, chord in bars(song, section):
        last = i == section.n_bars - 1
        length = song.meter if last else beats
        for k in range(0, song.meter, length):
            tones = voicing(chord, centre + (0 if k == 0 else rand.choice((-3, 3, 2))))
            low = centre - 15
            tones = [low + (chord[0] - low) % 12, *tones]
            for v, pitch in enumerate(tones):
                velocity = 54 + 34 * section.energy + rand.gauss(0, 3)
                if v and not last and rand.random() < 0.22:
                    scale = song.pitches(pitch + 1, pitch + 3)
                    part.add(start + k, length / 2, pitch, velocity)
                    pitch = scale[0] if scale else pitch
                    part.add(start + k + length / 2, length / 2, pitch, velocity)
                else:
                    part.add(start + k, length * 0.99, pitch, velocity)


def sweep(song, part, section):
    """Harp runs over three octaves at the start of a phrase, then single notes."""
    rand = song.rand(part.name, section.kind)
    for i, start, chord in bars(song, section):
        if i % 2 == 0:
            notes = [p for p in range(part.low, part.high) if p % 12 in chord]
            notes = notes if rand.random() < 0.6 else notes[::-1]
            for k, pitch in enumerate(notes):
                part.add(start + k * 0.09, 2.5, pitch, 50 + 30 * section.energy + k)
        else:
            for k, pitch in enumerate(voicing(chord, (part.low + part.high) // 2, 4)):
                part.add(start + k * 0.5, 2, pitch, 56 + 26 * section.energy)


def tremolo(song, part, section):
    """Repeated sixteenths on chord tones, swelling, as strings in suspense."""
    centre = (part.low + part.high) // 2
    for i, start, chord in bars(song, section):
        for pitch in voicing(chord, centre)[:2]:
            for k in range(song.meter * 4):
                swell = 14 * math.sin(math.pi * ((i % 2) * 0.5 + k / (song.meter * 8)))
                velocity = 50 + 34 * section.energy + swell
                part.add(start + k / 4, 0.24, pitch, velocity)


# --- bass, drones, drums, noises -------------------------------------------------


def bass(song, part, section):
    """A bass line by figure: root, eight, octave, walk, two, synth or hold."""
    rand = song.rand(part.name, section.kind)
    figure = part.options.get("figure", "root")
    motif = [rand.choice((0, 0, 12, 7, 10, 0, None)) for _ in range(16)]
    for i, start, chord in bars(song, section):
        root = part.low + (chord[0] - part.low) % 12
        following = section.chords[(i + 1) % len(section.chords)][0]
        target = part.low + (following - part.low) % 12
        velocity = 76 + 28 * section.energy
        if figure == "hold":
            part.add(start, song.meter * 0.98, root, velocity - 12)
        elif figure == "walk":
            line = [root, *voicing(chord, root + 6)[1:3], target + rand.choice((-1, 1))]
            for k in range(song.meter):
                part.add(start + k, 0.9, line[k % 4], velocity - 8 + rand.gauss(0, 5))
        elif figure == "two":
            for k in range(0, song.meter, 2):
                part.add(start + k, 0.9, root if k % 4 == 0 else root - 5, velocity)
        elif figure == "octave":
            for k in range(song.meter * 2):
                part.add(start + k / 2, 0.4, root + 12 * (k % 2), velocity)
        elif figure == "synth":
            for k in range(song.meter * 4):
                if motif[k % 16] is not None:
                    accent = 12 if k % 4 == 2 else 0
                    pitch = root + motif[k % 16]
                    part.add(start + k / 4, 0.22, pitch, velocity - 14 + accent)
        else:
            for k in range(song.meter * (2 if figure == "eight" else 1)):
                beat = k / 2 if figure == "eight" else k
                pitch = root
                if i % 4 == 3 and beat == song.meter - 1:
                    pitch = (root + target) // 2
                part.add(start + beat, 0.48, pitch, velocity + rand.gauss(0, 4))


def drone(song, part, section):
    """Key note and fifth, plucked or held, all the way through."""
    held = part.options.get("held", False)
    root = part.low + (song.key - part.low) % 12
    for _, start, _ in bars(song, section):
        for k, pitch in enumerate((root + 7, root + 12, root + 12, root)):
            if held and k in (0, 3):
                part.add(start, song.meter * 1.02, pitch, 52 + 24 * section.energy)
            elif not held and k < song.meter:
                part.add(start + k, 3.0, pitch, 48 + 12 * section.energy)


def drums(song, part, section):
    """A groove with soft and hard strokes, and a fill every fourth bar."""
    rand = song.rand(part.name, section.kind)
    grooves = part.options["grooves"]
    name = grooves[("ab".find(section.kind) + 1) % len(grooves)]
    groove = GROOVES["waltz" if song.meter == 3 and "waltz" in grooves else name]
    toms = part.options.get("toms", (48, 45, 41))
    thin = section.energy < 0.4
    for i, start, _ in bars(song, section):
        fill = i % 4 == 3 and toms and rand.random() < 0.75
        for key, line in groove.items():
            if thin and key in (SNARE, CLAP):
                continue
            for step in range(min(song.meter * 4, len(line))):
                if line[step] == "." or (fill and step >= 12 and key != KICK):
                    continue
                velocity = 24 + int(line[step]) * 10 + 12 * section.energy
                late = rand.gauss(0, part.options.get("loose", 0.008))
                velocity += rand.gauss(0, 5)
                part.add(start + step / 4 + late, 0.2, key, velocity)
        if fill:
            for step in range(12, min(song.meter * 4, 16)):
                if rand.random() < 0.8:
                    key = toms[(step - 12) * len(toms) // 4]
                    part.add(start + step / 4, 0.2, key, 78 + 8 * (step - 12))
        crash = toms and part.options.get("crash", True) and CRASH not in groove
        if i == 0 and section.energy > 0.6 and crash:
            part.add(start, 0.5, CRASH, 96)


def fills(song, part, section):
    """A drum solo: rolls, paradiddles and accents around the kit."""
    rand = song.rand(part.name, section.kind, section.bar)
    kit = part.options["kit"]
    for i, start, _ in bars(song, section):
        step = rand.choice((0.25, 0.25, 1 / 3, 0.5, 0.125))
        cell = [rand.choice(kit) for _ in range(rand.choice((3, 4, 6)))]
        for k in range(int(song.meter / step)):
            accent = 26 if k % len(cell) == 0 else 0
            if rand.random() < 0.88:
                key = cell[k % len(cell)]
                part.add(start + k * step, 0.2, key, 62 + accent + rand.gauss(0, 9))
        for k in range(song.meter):
            part.add(start + k, 0.2, part.options.get("pulse", KICK), 84)
        if i % 4 == 3 and part.options.get("crash", True):
            part.add(start, 0.5, CRASH, 104)


def events(song, part, section):
    """Sparse noises and clusters at free moments, for strange pieces."""
    rand = song.rand(part.name, section.kind, section.bar)
    for _, start, _ in bars(song, section):
        for _ in range(rand.choice((1, 1, 1, 2, 4))):
            beat = start + rand.random() * song.meter
            pitch = rand.randint(part.low, part.high)
            length = rand.choice((0.2, 0.5, 2, 4, 6))
            for k in range(rand.choice((1, 1, 2, 4))):
                velocity = rand.randint(45, 112)
                part.add(beat + k * 0.02, length, pitch + k, velocity)
            if rand.random() < 0.5:
                cents = rand.choice((-1200, -700, 500, 1200))
                part.slides.append((beat, length, cents))


def hits(song, part, section):
    """Timpani: the roots of cadences, and a roll into the next section."""
    for i, start, chord in bars(song, section):
        pitch = part.low + (chord[0] - part.low) % 12
        if i % 4 == 0:
            part.add(start, 1, pitch, 70 + 36 * section.energy)
        if i == section.n_bars - 1 and section.energy > 0.5:
            for k in range(song.meter * 6):
                part.add(start + k / 6, 0.2, pitch, 52 + 2.4 * k)


ROLES = {
    "tune": tune, "canon": canon, "inner": inner, "improvise": improvise,
    "raga": raga, "pad": pad, "strum": strum, "pick": pick, "power": power,
    "comp": comp, "stab": stab, "arpeggio": arpeggio, "alberti": alberti,
    "figuration": figuration, "chorale": chorale, "sweep": sweep,
    "tremolo": tremolo, "bass": bass, "drone": drone, "drums": drums,
    "fills": fills, "events": events, "hits": hits,
}  # fmt: skip
