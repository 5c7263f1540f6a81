"""What a piece of the corpus `mini` consists of: key, chords, sections, parts.

A `Song` has a key, a tempo, sections with a chord per bar, and parts. Each part
plays one *role* (a function of mini_roles: strum, walking bass, tune, ...).
"""

import math
import random
from dataclasses import dataclass, field

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "bhairav": (0, 1, 4, 5, 7, 8, 11),
    "kafi": (0, 2, 3, 5, 7, 9, 10),
    "yaman": (0, 2, 4, 6, 7, 9, 11),
    "whole": (0, 2, 4, 6, 8, 10),
    "chromatic": tuple(range(12)),
}

# Scale degrees (0 = tonic), one chord per bar.
PROGRESSIONS = {
    "pop": ((0, 4, 5, 3), (0, 5, 3, 4), (5, 3, 0, 4), (0, 3, 5, 4), (0, 2, 3, 4)),
    "rock": ((0, 6, 3, 0), (0, 3, 4, 3), (0, 5, 6, 0), (0, 2, 6, 3), (0, 3, 0, 4)),
    "metal": ((0, 0, 5, 6), (0, 1, 0, 6), (0, 5, 1, 0), (0, 0, 3, 1)),
    "dance": ((0, 5, 2, 6), (0, 3, 5, 6), (0, 5, 3, 4), (5, 6, 0, 0)),
    "static": ((0, 0, 0, 0), (0, 0, 3, 0), (0, 0, 5, 5)),
    "calm": ((0, 3, 0, 5), (0, 5, 3, 3), (0, 2, 3, 0), (0, 4, 3, 5)),
    "classical": ((0, 3, 4, 0, 5, 1, 4, 0), (0, 4, 0, 4, 5, 3, 4, 0), (0, 1, 4, 0)),
    "circle": ((0, 3, 6, 2, 5, 1, 4, 0), (0, 4, 5, 2, 3, 0, 3, 4), (5, 1, 4, 0)),
    "jazz": ((1, 4, 0, 5), (2, 5, 1, 4), (0, 5, 1, 4), (0, 3, 2, 5, 1, 4, 0, 0)),
    "country": ((0, 0, 3, 0, 0, 4, 0, 4), (0, 3, 0, 4), (0, 3, 4, 0)),
    "drone": ((0,),),
}

# Sixteen steps a bar; a digit is a loudness from 1 to 9.
KICK, SIDE, SNARE, CLAP, HAT, OPEN, CRASH, RIDE = 36, 37, 38, 39, 42, 46, 49, 51
GROOVES = {
    "rock_a": {KICK: "9.....7.9.......", SNARE: "....9.......9..2",
               HAT: "8.5.8.5.8.5.8.5."},
    "rock_b": {KICK: "9..7..8...9.....", SNARE: "....9..2....9...",
               RIDE: "8...6...8...6..."},
    "rock_c": {KICK: "9.9.....9.9...7.", SNARE: "....9.......9...",
               OPEN: "8...8...8...8..."},
    "ballad": {KICK: "8.......6.......", SIDE: "....7.......7...",
               HAT: "5.3.5.3.5.3.5.3."},
    "double": {KICK: "9797979797979797", SNARE: "....9.......9...",
               CRASH: "8...6...8...6..."},
    "blast": {KICK: "9.9.9.9.9.9.9.9.", SNARE: ".8.8.8.8.8.8.8.8",
              RIDE: "8.6.8.6.8.6.8.6."},
    "gallop": {KICK: "9.779.779.779.77", SNARE: "....9.......9...",
               HAT: "8...8...8...8..."},
    "four": {KICK: "9...9...9...9...", HAT: "..8...8...8...8.",
             CLAP: "....8.......8..."},
    "four_16": {KICK: "9...9...9...9...", HAT: "5374537453745374",
                OPEN: "..7...7...7...7.", CLAP: "....7.......7..."},
    "minimal": {KICK: "9...9...9...9...", SIDE: "...5..5....5..5.",
                HAT: "..7...7...7...7.", 75: "......4.......4."},
    "acid": {KICK: "9...9...9...9..6", OPEN: "..8...8...8...8.",
             SNARE: "............7.35", 54: "5.5.5.5.5.5.5.5."},
    "electro": {KICK: "9..9....9..9....", CLAP: "....9.......9...",
                HAT: "6.6.6.6.6.6.6.66", 56: "..........4....."},
    "break": {KICK: "9.9.......97....", SNARE: "....9..4.4..9..3",
              HAT: "7.5.7.5.7.5.7.5."},
    "pop_a": {KICK: "9.......97......", SNARE: "....8.......8...",
              HAT: "6.4.6.4.6.4.6.4.", 54: "....5.......5..."},
    "train": {KICK: "8.......8.......", SNARE: "2363236323632363"},
    "two_beat": {KICK: "8.......8.......", SIDE: "....8.......8...",
                 HAT: "4.4.6.4.4.4.6.4."},
    "swing": {RIDE: "8...7.6.8...7.6.", 44: "....6.......6...",
              KICK: "3...3...3...3..4", SNARE: "......2.......3."},
    "brushes": {RIDE: "6...6.4.6...6.4.", SNARE: "3.3.4.3.3.3.4.3."},
    "march": {SNARE: "8.5586558.558686", KICK: "8.......7......."},
    "teental": {61: "8..5..8.5.8..5..", 60: "..66..6..66..655",
                64: "9.....7...9....."},
    "keherwa": {64: "9...5...7...5...", 60: "..7.77....7.77.6",
                61: "7.....6.7.....6."},
    "tribal": {41: "9..7..8.9..7..8.", 45: "..5..5....5..5.6",
               63: "...6..6....6..66", 70: "5.3.5.3.5.3.5.3."},
    "latin": {KICK: "8.....8.8.....8.", SIDE: "7..7..7...7.7...",
              63: "..5...66..5...66", 70: "5.4.5.4.5.4.5.4."},
    "soft": {70: "4.2.3.2.4.2.3.2.", KICK: "6...............",
             81: "........3......."},
    "waltz": {KICK: "8...........", SIDE: "....5...5...", HAT: "5.3.5.3.5.3."},
}  # fmt: skip


@dataclass
class Part:
    """One instrument: a General MIDI program, or a drum kit, and its notes."""

    name: str
    role: str
    program: int
    low: int = 55
    high: int = 79
    stem: str = "main"
    gain: float = 1.0
    vibrato: float = 0.0  # cents
    options: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)  # (beat, beats, pitch, velocity)
    slides: list = field(default_factory=list)  # (beat, beats, from cents)

    @property
    def drums(self):
        return self.role in ("drums", "fills")

    def add(self, beat, beats, pitch, velocity):
        """Add one note; pitch and velocity are kept in MIDI's range."""
        if beat >= 0:
            pitch = min(max(round(pitch), 12), 115)
            velocity = min(max(round(velocity), 8), 127)
            self.notes.append((beat, beats, pitch, velocity))


@dataclass
class Section:
    """A stretch of bars: its kind (a, b, ...), loudness 0..1, chords and parts."""

    kind: str
    bar: int
    n_bars: int
    energy: float
    chords: list
    active: set


class Song:
    """Key, tempo, form and parts of one track, composed from its seed."""

    def __init__(self, seed, bpm, meter, key, scale, swing=0.0, rubato=0.0):
        self.seed, self.bpm, self.meter = seed, bpm, meter
        self.key, self.scale = key, SCALES[scale]
        self.scale_name, self.swing, self.rubato = scale, swing, rubato
        self.parts, self.sections = [], []

    def rand(self, *names):
        """A random stream that depends on the track and these names only."""
        return random.Random("/".join((self.seed, *map(str, names))))

    def pitches(self, low, high):
        """All pitches of the scale from low to high."""
        steps = {(self.key + s) % 12 for s in self.scale}
        return [p for p in range(low, high + 1) if p % 12 in steps]

    def chord(self, degree, size=3):
        """Pitch classes of the chord on a scale degree, root first."""
        n = len(self.scale)
        tones = [self.scale[(degree + 2 * i) % n] for i in range(size)]
        if degree == 4 and self.scale_name in ("minor", "harmonic") and n == 7:
            tones[1] = 11  # the leading note of a minor key
        return [(self.key + t) % 12 for t in tones]

    def seconds(self, beat):
        """When a beat sounds: steady, swung, or with a slow rubato."""
        if self.swing:
            whole, part = divmod(beat, 1.0)
            bend = 0.5 + self.swing
            beat = whole + (
                part * 2 * bend if part < 0.5 else bend + (part - 0.5) * 2 * (1 - bend)
            )
        phrase = 4.0 * self.meter
        slow = self.rubato * phrase / (2 * math.pi)
        beat += slow * (1 - math.cos(2 * math.pi * beat / phrase)) * 0.5
        return beat * 60.0 / self.bpm


def voicing(chord, centre, size=None):
    """Place pitch classes near a pitch, one each, lowest first."""
    tones = chord if size is None else (chord * 3)[:size]
    placed = []
    for i, tone in enumerate(tones):
        pitch = centre - 6 + (tone - (centre - 6)) % 12
        placed.append(pitch + 12 * (i // len(chord)))
    return sorted(placed)


def rhythm(rand, meter, density):
    """Note lengths in beats that fill one bar: slow, mid, fast or run."""
    cells = {
        "long": ((4,), (2, 2), (3, 1)),
        "slow": ((2,), (1, 1), (1.5, 0.5), (3, 1), (2,)),
        "mid": ((1,), (0.5, 0.5), (1.5, 0.5), (1,), (0.5, 0.5)),
        "fast": ((0.5, 0.5), (0.5, 0.25, 0.25), (0.25,) * 4, (1,), (0.75, 0.25)),
        "run": ((0.25,) * 4, (0.25,) * 4, (0.5, 0.25, 0.25)),
    }[density]
    out, left = [], float(meter)
    while left > 0:
        for length in rand.choice(cells):
            if left > 0:
                out.append(min(length, left))
                left -= out[-1]
    return out


def bars(song, section):
    """Yield (bar within the section, its first beat, its chord)."""
    for i in range(section.n_bars):
        yield i, (section.bar + i) * song.meter, section.chords[i % len(section.chords)]
