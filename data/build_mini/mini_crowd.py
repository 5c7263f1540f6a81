"""What is true of a clip, and what a simulated crowd says about it.

`true_properties` looks at the notes that sound in a clip, at its tempo, loudness
and style. `crowd_tags` then names some of them, as players of a tagging game do:
the plainer a property, the likelier; one or more synonyms; now and then a mistake.
"""

import math

from mini_plan import CLIP_SECONDS, stream

# property -> its tags with the weight of each synonym (MTT's own names)
TAGS = {
    "guitar": {"guitar": 1.0},
    "classical": {"classical": 1.0, "classic": 0.2},
    "slow": {"slow": 1.0},
    "fast": {"fast": 1.0},
    "techno": {"techno": 1.0},
    "trance": {"trance": 1.0},
    "dance": {"dance": 1.0},
    "electronic": {"electronic": 1.0, "electro": 0.3},
    "synth": {"synth": 1.0},
    "beat": {"beat": 1.0, "beats": 0.4},
    "drums": {"drums": 1.0, "drum": 0.25},
    "strings": {"strings": 1.0, "string": 0.3},
    "violin": {"violin": 1.0, "violins": 0.35},
    "cello": {"cello": 1.0},
    "rock": {"rock": 1.0},
    "metal": {"metal": 1.0, "heavy metal": 0.45, "heavy": 0.45},
    "pop": {"pop": 1.0},
    "country": {"country": 1.0},
    "jazz": {"jazz": 1.0},
    "ambient": {"ambient": 1.0},
    "new age": {"new age": 1.0},
    "indian": {"indian": 1.0},
    "sitar": {"sitar": 1.0},
    "baroque": {"baroque": 1.0},
    "harpsichord": {"harpsichord": 1.0},
    "piano": {"piano": 1.0},
    "organ": {"organ": 1.0},
    "flute": {"flute": 1.0},
    "harp": {"harp": 1.0},
    "orchestra": {"orchestra": 1.0},
    "opera": {"opera": 1.0},
    "choir": {"choir": 1.0, "choral": 0.65},
    "vocal": {"vocal": 1.0, "vocals": 0.75, "voice": 0.5},
    "singing": {"singing": 1.0},
    "female": {"female": 1.0, "woman": 0.7, "female vocal": 0.5, "female voice": 0.4},
    "male": {"male": 1.0, "male vocal": 0.75, "man": 0.6, "male voice": 0.5},
    "no vocal": {"no vocals": 1.0, "no vocal": 0.9, "no voice": 0.6},
    "no piano": {"no piano": 1.0},
    "no drums": {"no drums": 1.0},
    "loud": {"loud": 1.0},
    "quiet": {"quiet": 1.0},
    "soft": {"soft": 1.0},
    "solo": {"solo": 1.0},
    "weird": {"weird": 1.0, "strange": 0.4},
}
COLUMNS = [tag for group in TAGS.values() for tag in group]

# How likely a fully plain property is named at all.
NAMED = {
    "guitar": 1.25, "classical": 1.35, "slow": 1.02, "fast": 0.68, "techno": 1.1,
    "trance": 1.2, "dance": 1.1, "electronic": 1.0, "synth": 0.65, "beat": 0.5,
    "drums": 0.52, "strings": 1.0, "violin": 1.2, "cello": 1.0, "rock": 1.1,
    "metal": 1.3, "pop": 1.1, "country": 1.3, "jazz": 1.3, "ambient": 1.2,
    "new age": 1.6, "indian": 1.1, "sitar": 1.1, "baroque": 1.2, "harpsichord": 1.2,
    "piano": 1.2, "organ": 1.2, "flute": 1.2, "harp": 1.2, "orchestra": 1.6,
    "opera": 1.2, "choir": 1.2, "vocal": 0.7, "singing": 0.38, "female": 1.0,
    "male": 1.0, "no vocal": 0.16, "no piano": 0.05, "no drums": 0.035, "loud": 0.45,
    "quiet": 0.62, "soft": 0.42, "solo": 0.45, "weird": 1.5,
}  # fmt: skip

MISTAKES = {  # what is heard in place of, or beside, a property
    "guitar": ("sitar", "harp", "rock"), "sitar": ("guitar", "strings"),
    "harp": ("guitar", "strings", "piano"), "harpsichord": ("guitar", "piano", "harp"),
    "violin": ("cello", "opera"), "cello": ("violin",), "flute": ("violin", "new age"),
    "piano": ("harp", "jazz"), "organ": ("synth", "choir"), "choir": ("opera",),
    "opera": ("choir",), "female": ("male",), "male": ("female",),
    "techno": ("trance", "metal"), "trance": ("techno",), "rock": ("pop", "metal"),
    "metal": ("rock",), "pop": ("rock", "dance"), "country": ("rock", "pop"),
    "jazz": ("classical", "piano"), "ambient": ("new age", "weird"),
    "new age": ("ambient",), "slow": ("soft", "fast"), "fast": ("loud", "slow"),
    "loud": ("quiet", "rock"), "quiet": ("slow", "loud"),
    "vocal": ("no vocal", "choir"),
    "strings": ("guitar", "synth"), "synth": ("piano", "strings"),
    "indian": ("weird", "ambient"), "weird": ("ambient", "techno"),
    "classical": ("opera", "new age"), "drums": ("no drums", "techno"),
    "electronic": ("techno", "weird"), "beat": ("dance", "rock"),
}  # fmt: skip

OPPOSITES = (  # players who disagree: seldom both are named
    ("slow", "fast"), ("quiet", "loud"), ("vocal", "no vocal"),
    ("vocals", "no vocals"), ("female", "male"), ("woman", "man"),
    ("drums", "no drums"), ("piano", "no piano"),
)  # fmt: skip

HEARD = {  # General MIDI programs -> properties
    "piano": (0, 1), "harpsichord": (6,), "organ": (16, 18, 19, 20),
    "guitar": (24, 25, 26, 27, 28, 29, 30), "violin": (40, 110), "cello": (42,),
    "strings": (40, 41, 42, 43, 44, 45, 48, 49, 110), "harp": (46,),
    "flute": (73, 75, 77, 79), "sitar": (104,),
    "synth": (38, 39, 50, 51, 62, 63, *range(80, 104)),
}  # fmt: skip


# Styles whose drums keep a beat that one taps along with.
BEATS = ("rock", "metal", "techno", "trance", "dance", "pop", "country", "percussion")
STEEP = 1.8  # how much likelier plain properties are named than hidden ones


def shares(song, first, last):
    """Share of each part in what sounds between two times (seconds)."""
    power = {}
    for part in song.parts:
        total = 0.0
        for beat, beats, _, velocity in part.notes:
            start, end = song.seconds(beat), song.seconds(beat + beats)
            time = min(end, last) - max(start, first)
            if time > 0:
                time = min(time, 2.5) if not part.drums else 0.25
                total += time * part.gain * (velocity / 100) ** 1.5
        power[part.name] = total
    whole = sum(power.values()) or 1.0
    return {name: value / whole for name, value in power.items()}


def onsets_per_second(song, first, last):
    """Distinct note beginnings per second, drums and melody together."""
    times = {
        round(song.seconds(beat) * 12)
        for part in song.parts
        if part.role not in ("sweep", "tremolo", "events")
        for beat, _, _, _ in part.notes
        if first <= song.seconds(beat) < last
    }
    return len(times) / (last - first)


def clip_level(track, song, clip):
    """Loudness of a clip in dBFS RMS: the track's, moved by the clip's sections."""
    first, last = CLIP_SECONDS * clip, CLIP_SECONDS * (clip + 1)
    weight = total = 0.0
    for section in song.sections:
        start = song.seconds(section.bar * song.meter)
        end = song.seconds((section.bar + section.n_bars) * song.meter)
        time = max(0.0, min(end, last) - max(start, first))
        weight += time
        total += time * section.energy
    level = track.level + 9 * (total / max(weight, 1.0) - 0.62)
    return max(-34.0, min(level, -11.0))


def true_properties(track, song, clip):
    """Property -> how plain it is (0 to 1) in this clip; absent means false."""
    first, last = CLIP_SECONDS * clip, CLIP_SECONDS * (clip + 1)
    part_shares = shares(song, first, last)
    level = clip_level(track, song, clip)
    out = {}

    def put(name, plain):
        out[name] = max(out.get(name, 0.0), min(1.0, plain))

    sounding = [p for p in song.parts if part_shares[p.name] > 0.02]
    for part in sounding:
        plain = 0.35 + 1.3 * part_shares[part.name]
        if part.role in ("tune", "raga", "improvise", "pick", "power", "figuration"):
            plain += 0.25
        if part.drums:
            put("drums", 0.3 + 1.2 * part_shares[part.name])
            if part.role == "drums" and track.artist.style_name in BEATS:
                put("beat", 0.3 + 1.4 * part_shares[part.name])
            continue
        voice = part.options["voice"]
        for name, programs in HEARD.items():
            if part.program in programs and not voice:
                put(name, plain)
        if part.program in (48, 49):
            put("violin", 0.3)
        if voice:
            put("vocal", plain + 0.2)
            put("singing", plain)
        if voice == "solo":
            put(track.artist.voice, plain + 0.25)
        if voice == "choir":
            put("choir", plain + 0.3)
            low = "low" in track.artist.changes
            put("male" if low else "female", 0.45 if low else 0.2)
    full = min(1.0, 0.35 + 0.2 * len(sounding))
    for name, plain in track.artist.style.true:
        voiceless = name == "opera" and "vocal" not in out
        put(name, plain * (0.35 if voiceless else max(full, 0.75)))
    if track.artist.style_name == "choir" and "choir" in out:
        out.pop("female" if "low" in track.artist.changes else "male", None)
    pace = onsets_per_second(song, first, last)
    if pace < 3.2 and song.bpm < 112:
        put("slow", 0.35 + (3.2 - pace) / 2.2 + 0.2 * (song.bpm < 76))
    if pace > 5.6 or (song.bpm > 132 and "drums" in out):
        put("fast", 0.3 + (pace - 5.6) / 5 + max(0.0, song.bpm - 125) / 80)
    if level > -15.5:
        put("loud", 0.3 + (level + 15.5) / 6)
    if level < -22.5:
        put("quiet", 0.3 + (-22.5 - level) / 5)
    if level < -20 and "drums" not in out:
        put("soft", 0.4 + (-20 - level) / 10)
    names = {(p.program, p.options["voice"]) for p in sounding if not p.drums}
    if len(names) == 1 and "drums" not in out or set(out) == {"drums"}:
        put("solo", 0.9)
    for absent, present in (("vocal", "vocal"), ("piano", "piano"), ("drums", "drums")):
        if present not in out:
            plain = 0.6
            if absent == "vocal":  # said where one waits for a singer
                plain = 1.0 if "drums" in out else 0.45
            put(f"no {absent}", plain)
    return {name: max(0.05, plain) for name, plain in out.items()}


def truth_tags(properties):
    """Every tag that is true: all synonyms of every true property."""
    return {tag for name in properties for tag in TAGS[name]}


def crowd_tags(track, clip, properties):
    """The tags on which the simulated players agreed for this clip."""
    rand = stream(track.seed, "crowd", clip)
    attention = 0.0 if rand.random() < 0.125 else rand.uniform(0.45, 1.55)
    said = set()
    for name, plain in sorted(properties.items()):
        if rand.random() < min(0.97, NAMED[name] * attention * plain**STEEP):
            said |= words(rand, name)
        if attention and rand.random() < 0.022 and name in MISTAKES:
            said |= words(rand, rand.choice(MISTAKES[name]), spread=0.0)
    quarrel = stream(track.seed, "quarrel", clip)
    for pair in OPPOSITES:
        if len(said.intersection(pair)) == 1 and quarrel.random() < 0.03:
            said.update(pair)
    return said


def words(rand, name, spread=0.45):
    """One synonym of a property, at times more than one."""
    group = TAGS[name]
    pick, left = None, rand.random() * sum(group.values())
    for tag, weight in group.items():
        left -= weight
        if left <= 0 or math.isclose(left, 0):
            pick = tag
            break
    pick = pick or tag
    return {pick} | {t for t, w in group.items() if rand.random() < spread * w}
