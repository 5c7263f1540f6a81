"""Styles and artists of the corpus `mini`. Every artist is invented.

A style says which roles play (with the General MIDI programs to choose from), in
which tempo, scales and chords, how loud, and what is true of such a piece. An
artist picks from it once: programs, optional parts, tempo, room, equaliser, level.
"""

from dataclasses import dataclass, field


def R(role, programs, low=55, high=79, chance=1.0, where="iabcko", **options):
    """One role of a style; `where` names the kinds of section in which it plays."""
    keys = ("stem", "gain", "vibrato", "voice")
    part = {k: options.pop(k) for k in keys if k in options}
    programs = programs if isinstance(programs, tuple) else (programs,)
    return {"role": role, "programs": programs, "low": low, "high": high,
            "chance": chance, "where": where, "part": part,
            "options": options}  # fmt: skip


def D(*grooves, kits=(0,), where="abco", **options):
    """A drum kit with the grooves to choose from."""
    return R("drums", kits, where=where, grooves=grooves, **options)


def V(low, high, chance=1.0, programs=(81, 54), where="ab", **options):
    """A solo voice: a GM voice program, sent through vowels on its own stem."""
    options = {
        "rest": 0.25,
        "legato": 0.92,
        "slide": True,
        "density": "mid",
        "gain": 1.5,
        "vibrato": 35,
    } | options
    return R("tune", programs, low, high, chance, where, stem="voice",
             voice="solo", **options)  # fmt: skip


@dataclass(frozen=True)
class Style:
    bpm: tuple
    chords: str
    scales: tuple
    level: float  # dBFS RMS of the finished clip
    true: tuple  # properties of the genre: (name, how plain it is, 0 to 1)
    roles: tuple
    meters: tuple = (4,)
    swing: float = 0.0
    rubato: float = 0.0
    room: tuple = (0.3, 0.9)  # reverberation time in seconds
    wet: tuple = (0.05, 0.2)
    squash: tuple = (0.2, 0.5)  # strength of the compressor
    seventh: bool = False
    flat: bool = False  # no loud choruses and quiet breaks
    effects: dict = field(default_factory=dict)


MINORS, MAJORS = ("minor", "dorian"), ("major", "mixolydian")
STYLES = {
    "rock": Style(
        (98, 152), "rock", ("mixolydian", "minor", "major"), -14,
        (("rock", 1.0),),
        (D("rock_a", "rock_b", "rock_c", kits=(0, 8, 16), gain=1.1),
         R("bass", (33, 34), 28, 40, figure="eight", where="abco"),
         R("power", (29, 30), 40, 52, stem="drive", gain=0.8),
         R("strum", (25, 27), chance=0.45, gain=0.5),
         R("tune", (29, 30), 64, 86, 0.7, "kco", stem="drive", gain=0.8, slide=True,
           vibrato=25, density="fast"),
         R("pad", (16, 18), 55, 74, 0.25, "b", gain=0.4),
         V(48, 64, 0.9)),
        squash=(0.4, 0.7), effects={"drive": (4, 14)}),
    "metal": Style(
        (118, 196), "metal", ("phrygian", "minor", "harmonic"), -12.5,
        (("metal", 1.0), ("rock", 0.55)),
        (D("double", "gallop", "blast", kits=(16, 0), gain=1.1),
         R("bass", (34, 33), 24, 36, figure="eight", where="abc"),
         R("power", (30, 29), 35, 47, stem="drive", gain=0.9, figure="gallop"),
         R("power", (30,), 40, 52, 0.7, "abco", stem="drive", gain=0.6, figure="trem"),
         R("tune", (30,), 64, 88, 0.6, "kc", stem="drive", gain=0.8, slide=True,
           density="run"),
         V(43, 56, 0.35, rasp=True)),
        room=(0.2, 0.7), squash=(0.5, 0.8), effects={"drive": (18, 50)}),
    "techno": Style(
        (124, 142), "static", ("minor", "phrygian"), -13.5,
        (("techno", 1.0), ("electronic", 0.8), ("dance", 0.4)),
        (D("four", "four_16", "minimal", "acid", kits=(25, 24), where="iabco",
           toms=(), loose=0.0, gain=1.2),
         R("bass", (38, 39, 87), 28, 40, stem="filter", figure="synth", where="iabcko"),
         R("stab", (81, 90, 80, 62), 60, 76, 0.7, "bck", stem="filter", gain=0.6),
         R("arpeggio", (80, 81, 87), 60, 84, 0.6, "akc", stem="filter", gain=0.5),
         R("pad", (89, 93, 95), 50, 74, 0.5, "bko", gain=0.5, hold=2)),
        room=(0.3, 1.2), squash=(0.5, 0.8), flat=True),
    "trance": Style(
        (134, 146), "dance", ("minor",), -13.5,
        (("trance", 0.9), ("techno", 0.65), ("dance", 0.6), ("electronic", 0.8)),
        (D("four", "four_16", kits=(24, 25), where="iabco", loose=0.0),
         R("bass", (38, 39), 28, 40, figure="octave", where="abco"),
         R("arpeggio", (81, 90, 80), 62, 84, 1.0, "abck", stem="pump", gain=0.7,
           step=0.25),
         R("pad", (90, 89, 50, 95), 52, 76, 1.0, "iabko", stem="pump", gain=0.8),
         R("tune", (81, 80, 62), 67, 84, 0.7, "bk", stem="pump", gain=0.7)),
        room=(0.8, 2.0), wet=(0.12, 0.3), squash=(0.5, 0.8)),
    "dance": Style(
        (112, 130), "pop", ("minor", "major"), -13.5,
        (("dance", 0.8), ("electronic", 0.6), ("pop", 0.7)),
        (D("electro", "four", "pop_a", kits=(24, 25), where="iabco", loose=0.003),
         R("bass", (38, 39, 36), 28, 43, figure="octave", where="abco"),
         R("stab", (62, 81, 63, 4), 57, 74, 0.8, "abc", stem="filter", gain=0.6),
         R("arpeggio", (80, 88, 98), 64, 86, 0.5, "ikc", gain=0.4),
         R("pad", (50, 51, 90), 52, 74, 0.6, "bk", gain=0.5),
         V(60, 77, 1.0, (54, 81), gain=1.4)),
        squash=(0.4, 0.7)),
    "pop": Style(
        (76, 124), "pop", ("major", "mixolydian", "minor"), -15.5,
        (("pop", 0.9),),
        (D("pop_a", "ballad", "break", kits=(0, 8), where="abc"),
         R("bass", (33, 32, 35), 28, 43, figure="root", where="abc"),
         R("comp", (0, 4, 5), 52, 72, 0.6, gain=0.7),
         R("strum", (25, 27), chance=0.6, gain=0.5),
         R("pad", (48, 50, 89), 55, 76, 0.5, "bko", gain=0.5),
         V(57, 74, 1.0, gain=1.4)),
        squash=(0.3, 0.6)),
    "ambient": Style(
        (50, 74), "calm", ("dorian", "lydian", "minor"), -24,
        (("ambient", 1.0), ("electronic", 0.35), ("new age", 0.15)),
        (R("pad", (89, 95, 92, 94), 43, 67, hold=2, stem="filter"),
         R("pad", (88, 93, 99, 101), 55, 79, 0.7, "abk", hold=2, gain=0.6),
         R("drone", (89, 95, 38), 31, 43, 0.6, held=True, gain=0.6),
         R("arpeggio", (98, 88, 11, 46), 67, 91, 0.6, "bc", step=0.5, ring=4,
           gain=0.35, loose=10),
         R("events", (97, 101, 122, 99), 50, 84, 0.4, "ack", gain=0.4)),
        room=(3.0, 6.0), wet=(0.35, 0.6), squash=(0.0, 0.2), flat=True),
    "new age": Style(
        (62, 92), "calm", ("major", "lydian", "dorian"), -21,
        (("new age", 0.9), ("ambient", 0.35)),
        (R("pad", (89, 48, 88, 50), 48, 70, gain=0.8),
         R("tune", (75, 73, 77, 79), 67, 86, 0.8, "abc", density="slow", vibrato=20),
         R("arpeggio", (46, 88, 11, 0), 55, 82, 0.8, "abko", step=0.5, ring=3,
           gain=0.6),
         D("soft", kits=(0,), chance=0.5, where="bc", toms=(), gain=0.5),
         R("pad", (52, 54), 57, 76, 0.3, "b", gain=0.6, voice="choir")),
        room=(1.8, 3.5), wet=(0.25, 0.45), squash=(0.1, 0.3)),
    "piano": Style(
        (54, 128), "classical", ("major", "minor", "harmonic"), -23,
        (("classical", 0.7),),
        (R("alberti", (0, 1), 36, 55, gain=0.8),
         R("tune", (0, 1), 62, 88, 1.0, "abcko", density="mid", ornament=0.06)),
        rubato=0.06, room=(0.6, 2.0), wet=(0.1, 0.25), squash=(0.0, 0.15),
        meters=(4, 4, 3), effects={"same": True}),
    "quartet": Style(
        (60, 132), "classical", ("major", "minor", "harmonic"), -21,
        (("classical", 0.9),),
        (R("tune", (40,), 67, 91, density="mid", vibrato=22, ornament=0.1),
         R("canon", (40,), 60, 84, 1.0, "abc", vibrato=18, gain=0.8),
         R("inner", (41,), 53, 72, vibrato=15, gain=0.8),
         R("bass", (42,), 36, 50, figure="root", vibrato=15, gain=0.9)),
        rubato=0.03, room=(0.8, 2.0), wet=(0.12, 0.3), squash=(0.0, 0.2),
        meters=(4, 3)),
    "cello": Style(
        (58, 96), "classical", ("minor", "harmonic", "major"), -23,
        (("classical", 0.8),),
        (R("tune", (42,), 36, 62, density="mid", vibrato=25, legato=1.0),
         R("figuration", (42,), 38, 60, 1.0, "bk", gain=0.7)),
        rubato=0.06, room=(1.0, 2.5), wet=(0.15, 0.35), squash=(0.0, 0.15)),
    "sonata": Style(
        (66, 126), "classical", ("major", "minor", "harmonic"), -21,
        (("classical", 0.9),),
        (R("tune", (40,), 67, 93, 1.0, "abco", density="mid", vibrato=24, gain=1.1),
         R("alberti", (0, 1), 40, 57),
         R("inner", (0,), 60, 76, gain=0.6)),
        rubato=0.04, room=(0.8, 1.6), wet=(0.1, 0.25), squash=(0.0, 0.2)),
    "harpsichord": Style(
        (72, 118), "circle", ("major", "harmonic", "minor"), -19.5,
        (("classical", 0.7), ("baroque", 0.7)),
        (R("figuration", (6,), 60, 84, 1.0, "iabco"),
         R("bass", (6,), 40, 55, figure="root", gain=0.9),
         R("tune", (6,), 64, 86, 1.0, "abk", density="fast", ornament=0.2, gain=0.9)),
        room=(0.4, 1.6), wet=(0.08, 0.25), squash=(0.0, 0.2), meters=(4, 3)),
    "baroque": Style(
        (76, 126), "circle", ("major", "harmonic"), -19,
        (("classical", 0.8), ("baroque", 0.8)),
        (R("tune", (40, 73, 74), 67, 90, density="fast", ornament=0.15, vibrato=10),
         R("canon", (40, 68), 64, 84, 0.9, "abc", gain=0.8, delay=4),
         R("pad", (48,), 55, 74, 0.8, "abo", gain=0.5),
         R("comp", (6,), 55, 74, gain=0.8),
         R("bass", (42,), 36, 52, figure="root")),
        room=(0.8, 2.0), wet=(0.12, 0.3), squash=(0.0, 0.25), meters=(4, 3)),
    "flute and harp": Style(
        (56, 100), "classical", ("major", "lydian", "dorian"), -23.5,
        (("classical", 0.65), ("new age", 0.15)),
        (R("tune", (73, 73, 75), 67, 91, 1.0, "abc", density="mid", vibrato=22,
           ornament=0.12),
         R("arpeggio", (46,), 48, 76, step=0.5, ring=2.5, gain=0.9),
         R("sweep", (46,), 45, 88, 0.8, "iko", gain=0.8)),
        rubato=0.05, room=(1.0, 2.5), wet=(0.15, 0.35), squash=(0.0, 0.15),
        meters=(4, 3)),
    "harp": Style(
        (60, 104), "classical", ("major", "mixolydian", "dorian"), -24,
        (("classical", 0.55),),
        (R("arpeggio", (46,), 46, 76, step=0.5, ring=3, gain=0.8),
         R("tune", (46,), 69, 91, 1.0, "abc", density="mid"),
         R("sweep", (46,), 45, 90, 1.0, "ibko", gain=0.7)),
        rubato=0.06, room=(1.0, 2.5), wet=(0.15, 0.35), squash=(0.0, 0.1),
        meters=(4, 3)),
    "classical guitar": Style(
        (62, 118), "classical", ("minor", "harmonic", "phrygian", "major"), -22,
        (("classical", 0.6),),
        (R("pick", (24,), 40, 60, gain=0.9),
         R("tune", (24,), 60, 83, 1.0, "abco", density="mid", ornament=0.08)),
        rubato=0.05, room=(0.5, 1.6), wet=(0.08, 0.25), squash=(0.0, 0.2),
        meters=(4, 3)),
    "folk": Style(
        (78, 128), "pop", ("major", "dorian", "mixolydian"), -19,
        (),
        (R("pick", (25, 24), 40, 60),
         R("strum", (25,), chance=0.6, where="bc", gain=0.6),
         R("tune", (110, 73, 22), 64, 84, 0.4, "ick", density="mid", gain=0.7),
         R("bass", (32,), 28, 43, 0.4, "abc", figure="root"),
         V(50, 67, 1.0)),
        room=(0.2, 0.8), squash=(0.1, 0.4), meters=(4, 3)),
    "country": Style(
        (92, 138), "country", ("major",), -16.5,
        (("country", 1.0),),
        (D("train", "two_beat", kits=(40, 0), where="abco"),
         R("bass", (32, 33), 28, 43, figure="two", where="abco"),
         R("strum", (25,), gain=0.7),
         R("arpeggio", (105,), 55, 76, 0.6, "iabk", step=0.25, gain=0.5),
         R("tune", (110, 27, 25), 64, 84, 0.8, "ick", density="fast", slide=True,
           gain=0.9),
         V(48, 65, 0.9)),
        room=(0.2, 0.7), squash=(0.3, 0.5)),
    "choir": Style(
        (52, 84), "classical", ("dorian", "minor", "major", "mixolydian"), -22,
        (("classical", 0.4),),
        (R("chorale", (52, 53), 52, 74, voice="choir", stem="choir"),
         R("tune", (53, 52), 67, 81, 0.5, "bk", voice="choir", stem="choir",
           density="slow", gain=0.7),
         R("pad", (19,), 48, 67, 0.3, "bo", gain=0.4)),
        rubato=0.04, room=(2.5, 5.0), wet=(0.3, 0.5), squash=(0.0, 0.15), flat=True),
    "opera": Style(
        (60, 108), "classical", ("major", "minor", "harmonic"), -20,
        (("opera", 1.0), ("classical", 0.6)),
        (V(64, 86, 1.0, where="abco", vibrato=85, density="slow", rest=0.06,
           legato=1.0, gain=1.9),
         R("pad", (48, 49), 48, 72, gain=0.6),
         R("inner", (45, 48, 0), 52, 72, 0.6, "iabc", gain=0.6),
         R("bass", (43, 42), 33, 48, figure="root", gain=0.7),
         R("hits", (47,), 40, 52, 0.4, "bo", gain=0.5)),
        rubato=0.06, room=(1.5, 3.0), wet=(0.2, 0.4), squash=(0.0, 0.2),
        effects={"voice": (0, 6)}),
    "indian": Style(
        (66, 126), "drone", ("bhairav", "kafi", "yaman"), -19,
        (("indian", 1.0),),
        (R("raga", (104,), 57, 84, gain=1.2),
         R("drone", (104, 107), 38, 52, gain=0.5),
         D("teental", "keherwa", kits=(0,), where="abco", toms=(60, 61, 64),
           crash=False, gain=1.2),
         R("tune", (77, 73, 20), 62, 81, 0.35, "ck", density="slow", slide=True)),
        room=(0.4, 1.6), wet=(0.08, 0.25), squash=(0.1, 0.4)),
    "jazz": Style(
        (96, 190), "jazz", ("major", "dorian"), -19.5,
        (("jazz", 1.0),),
        (D("swing", "brushes", kits=(32, 40), where="iabco"),
         R("bass", (32,), 28, 43, figure="walk", where="iabcko", gain=1.1),
         R("comp", (0, 1, 26), 52, 70),
         R("improvise", (0, 1), 60, 86, 0.8, "abck"),
         R("improvise", (65, 66, 56, 59, 11, 26), 56, 80, 0.7, "bc", gain=0.9)),
        swing=0.14, seventh=True, room=(0.3, 1.0), squash=(0.1, 0.4)),
    "orchestra": Style(
        (64, 138), "classical", ("minor", "harmonic", "major"), -19,
        (("orchestra", 1.0), ("classical", 0.8)),
        (R("pad", (48,), 48, 72, 1.0, "iabco"),
         R("tune", (48, 60, 56, 68), 60, 86, 1.0, "abck", density="mid"),
         R("tremolo", (44, 48), 58, 76, 0.7, "bc", gain=0.7),
         R("inner", (71, 70, 60), 53, 72, 0.7, "ab", gain=0.6),
         R("tune", (73, 40, 57), 70, 91, 0.7, "bo", density="mid", gain=0.8),
         R("bass", (43,), 28, 45, figure="root"),
         R("hits", (47,), 36, 50, 0.9, "bc", gain=0.9)),
        rubato=0.03, room=(1.5, 3.0), wet=(0.2, 0.4), squash=(0.0, 0.3)),
    "organ": Style(
        (58, 96), "circle", ("minor", "harmonic", "major"), -18.5,
        (("organ", 1.0), ("classical", 0.6), ("baroque", 0.25)),
        (R("chorale", (19, 20), 55, 74, 1.0, "iabco"),
         R("figuration", (19,), 64, 88, 0.8, "bkc", gain=0.7),
         R("bass", (19,), 31, 46, figure="hold")),
        room=(2.5, 5.0), wet=(0.3, 0.5), squash=(0.0, 0.2)),
    "brass": Style(
        (76, 126), "classical", ("major", "mixolydian"), -17.5,
        (("classical", 0.45), ("orchestra", 0.2)),
        (R("tune", (56, 60), 60, 80, density="mid"),
         R("chorale", (61, 60), 50, 67, gain=0.8),
         R("bass", (58,), 31, 45, figure="root"),
         D("march", kits=(48,), chance=0.5, where="bc", toms=(), gain=0.6)),
        room=(0.8, 2.0), wet=(0.1, 0.3), squash=(0.1, 0.3)),
    "weird": Style(
        (60, 150), "static", ("whole", "chromatic", "phrygian"), -19,
        (("weird", 1.0), ("electronic", 0.3)),
        (R("events", (102, 97, 99, 123, 127, 126, 103), 36, 84),
         R("events", (55, 9, 14, 47, 120, 125, 112), 40, 90, 0.9, "abck", gain=0.8),
         R("arpeggio", (12, 84, 108, 115), 48, 84, 0.5, "bc", gain=0.5, loose=15),
         R("drone", (87, 94, 109), 30, 45, 0.6, "iakb", held=True, gain=0.5),
         D("tribal", "break", kits=(25, 24, 0), chance=0.35, where="b", gain=0.7)),
        room=(0.2, 3.0), wet=(0.1, 0.5), squash=(0.0, 0.6), effects={"odd": True}),
    "percussion": Style(
        (88, 138), "drone", ("dorian",), -17,
        (),
        (R("fills", (0, 16, 48), kit=(38, 48, 45, 43, 41, 42, 46), gain=1.1),
         D("tribal", "latin", kits=(0,), where="abk", chance=0.6, gain=0.9)),
        room=(0.3, 1.2), squash=(0.1, 0.5)),
}  # fmt: skip

# name, style, home of each album (t train, v valid, s test), changes to the style:
# "male" or "female" is the singer, "mute" has no singer, "-role" drops a role.
ARTISTS = (
    ("Gravel Orchard", "rock", "ttts", ("male",)),
    ("Ninth Culvert", "rock", "tt", ("mute",)),
    ("Plywood Comets", "rock", "tt", ("female",)),
    ("Copper Turnstile", "rock", "tv", ("male",)),
    ("Wolfram Picnic", "rock", "ss", ("male",)),
    ("Anvil Cartography", "metal", "ttts", ("male",)),
    ("Basalt Ferrymen", "metal", "tt", ("mute",)),
    ("Grindstone Almanac", "metal", "ss", ("mute",)),
    ("Oblique Turbine", "techno", "ttts", ()),
    ("Relay Nine East", "techno", "ttt", ()),
    ("Module of Kelp", "techno", "tv", ()),
    ("Voltage Dairy", "techno", "ss", ()),
    ("Meridian Swarm", "trance", "ttts", ()),
    ("Cobalt Dunes Eleven", "trance", "tt", ()),
    ("Pixel Marmalade", "dance", "ttts", ("female",)),
    ("Sugar Antenna", "dance", "tv", ("female",)),
    ("Paper Regatta", "pop", "tts", ("male",)),
    ("Tilda Overbrook", "pop", "tt", ("female",)),
    ("Lemon Escalator", "pop", "ss", ("female",)),
    ("Fathom Archive", "ambient", "ttts", ()),
    ("Slow Isobar", "ambient", "tt", ()),
    ("Vapour Cartel North", "ambient", "tv", ()),
    ("Glass Tundra Hours", "ambient", "ss", ()),
    ("Willow Observatory", "new age", "tts", ()),
    ("Amber Tidepool", "new age", "tt", ()),
    ("Henrike Aldenmoor", "piano", "ttts", ()),
    ("Osric Pellworth", "piano", "tt", ()),
    ("Mirela Castanho-Weck", "piano", "v", ()),
    ("Tobin Arkwood", "piano", "ss", ()),
    ("Lindenfeld Quartet", "quartet", "ttts", ()),
    ("Harrowgate Strings", "quartet", "tt", ()),
    ("Ansgar Velde", "cello", "tts", ()),
    ("Duo Rosmarin-Okafor", "sonata", "tts", ()),
    ("Clavecin Dubrelle", "harpsichord", "ttts", ()),
    ("Petronella Vink", "harpsichord", "ttt", ()),
    ("Guildhall Plectra", "harpsichord", "tv", ()),
    ("Collegium Brackwater", "baroque", "tts", ()),
    ("Reed and Heron", "flute and harp", "ttts", ()),
    ("Sylvaine Torrel", "flute and harp", "ttv", ()),
    ("Isolde Marrable", "harp", "tts", ()),
    ("Joaquim Teralba", "classical guitar", "ttt", ()),
    ("The Lute Cabinet", "classical guitar", "tts", ("lute",)),
    ("Corin Hedgewick", "folk", "tts", ("male",)),
    ("Maren Dunnock", "folk", "tt", ("female",)),
    ("Dusty Parallelogram", "country", "ttt", ("male",)),
    ("Harlan Creekmoor", "country", "tts", ("male",)),
    ("Schola Vermeille", "choir", "ttts", ()),
    ("Monks of Ardenhollow", "choir", "ttv", ("low",)),
    ("Capella Nordwind", "choir", "ss", ("high",)),
    ("Serafina Dolcetti-Brand", "opera", "tttv", ("female",)),
    ("Baldovino Kestner", "opera", "ttt", ("male",)),
    ("Ottoline Varga-Prew", "opera", "ss", ("female",)),
    ("Raghunath Velloor", "indian", "tttts", ()),
    ("Ganga Lamp Ensemble", "indian", "ttv", ()),
    ("Saffron Causeway", "indian", "s", ()),
    ("Three at Pellucid", "jazz", "ttv", ()),
    ("Nolan Firebrick Trio", "jazz", "tts", ()),
    ("Great Fen Philharmonic", "orchestra", "ttts", ()),
    ("Organ Loft of Saint Ebb", "organ", "tts", ()),
    ("Tin Quay Brass", "brass", "t", ()),
    ("Static Marzipan", "weird", "ttts", ()),
    ("Unlabelled Drawer", "weird", "tv", ()),
    ("Bamboula Nine Skins", "percussion", "tts", ()),
)
