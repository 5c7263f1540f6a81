"""Plan the corpus `mini`: artists, albums, tracks, folders, and each track's music.

Everything is drawn from random streams named after the artist, album or track
(random.Random with a string seed), so the plan is the same on every machine.
"""

import math
import random
import re
from dataclasses import dataclass, field

import mini_music as music
import mini_roles
from mini_styles import ARTISTS, STYLES

SEED = "mini-115"
CLIP_SECONDS = 29  # nominal, as in MagnaTagATune's file names
FOLDERS = "0123456789abcdef"
HOMES = {"t": "0123456789ab", "v": "c", "s": "def"}
PER_FOLDER = 30

FORMS = ("iabakbco", "abkacbao", "iakbacbo", "aabckbao", "ibabkcbo", "kabacabo")
ENERGY = {"i": 0.35, "a": 0.6, "b": 0.9, "c": 0.72, "k": 0.28, "o": 0.42}
FEMALE = {"opera": (62, 84), "dance": (62, 79)}
MALE = {"opera": (47, 66), "metal": (43, 56)}


def stream(*names):
    """A random stream for these names."""
    return random.Random("/".join((SEED, *map(str, names))))


@dataclass
class Artist:
    """An invented artist: what is chosen once for all of its tracks."""

    name: str
    style_name: str
    homes: str
    changes: tuple
    roles: list = field(default_factory=list)
    sound: dict = field(default_factory=dict)

    def __post_init__(self):
        rand = stream(self.name)
        style = self.style = STYLES[self.style_name]
        self.voice = next((c for c in self.changes if c in ("male", "female")), None)
        for number, role in enumerate(style.roles):
            voice = role["part"].get("voice")
            program = rand.choice(role["programs"])
            kept = rand.random() < role["chance"]
            if voice == "solo":
                kept = self.voice is not None
            if kept:
                self.roles.append((number, role, program))
        if style.effects.get("same"):  # both hands play one instrument
            first = self.roles[0][2]
            self.roles = [(n, role, first) for n, role, _ in self.roles]
        low, high = style.bpm
        centre = rand.uniform(low, high)
        width = 0.3 * (high - low)
        self.bpm = max(low, centre - width), min(high, centre + width)
        self.keys = rand.sample(range(12), 4)
        self.scales = rand.sample(style.scales, min(2, len(style.scales)))
        self.sound = {
            "room": rand.uniform(*style.room),
            "wet": rand.uniform(*style.wet),
            "squash": rand.uniform(*style.squash),
            "drive": rand.uniform(*style.effects.get("drive", (1, 2))),
            "low": rand.uniform(-6, 5),  # dB below 250 Hz
            "high": rand.uniform(-9, 4),  # dB above 2.5 kHz
            "peak": (rand.uniform(300, 3200), rand.uniform(-5, 6)),
            "hiss": rand.uniform(-68, -46),  # dB below the music
            "hum": rand.random() < 0.15,
            "narrow": rand.uniform(3200, 5200) if rand.random() < 0.12 else None,
            "wow": rand.uniform(0, 0.0015) if rand.random() < 0.3 else 0.0,
            "detune": rand.gauss(0, 14),  # cents
            "chorus": rand.random() < 0.3,
            "voice": rand.uniform(*style.effects.get("voice", (-4, 1))),
            "odd": style.effects.get("odd", False),
            "tract": {"male": 1.0, "female": 1.17}.get(self.voice, 1.08)
            * rand.uniform(0.95, 1.05),
        }
        self.level = style.level + rand.gauss(0, 3.2)


@dataclass
class Track:
    """One piece: where it stands, and its song once composed."""

    artist: Artist
    album: str
    folder: str
    number: int
    title: str
    n_clips: int
    level: float = 0.0

    @property
    def seed(self):
        return "/".join((SEED, self.artist.name, self.album, str(self.number)))

    def path(self, clip):
        start = CLIP_SECONDS * clip
        names = [slug(self.artist.name), slug(self.album), f"{self.number:02d}"]
        names += [slug(self.title), str(start), str(start + CLIP_SECONDS)]
        return f"{self.folder}/{'-'.join(names)}.mp3"


def slug(text):
    """The characters that MTT's file names allow.

    >>> slug("Mirela Castanho-Weck")
    'mirela_castanho_weck'
    """
    return re.sub(r"[^a-z0-9.]+", "_", text.lower()).strip("_")


FIRST = """Amber Silent Northern Hollow Crooked Paper Winter Copper Distant Second
Broken Velvet Salt Golden Narrow Thirteen Lonely Quiet Burning Early Lost Glass
Wandering Tall Hidden Iron Blue Pale Electric Sunken""".split()
SECOND = """Harbour Orchard Lantern Staircase Weather Machine Garden Letter River
Window Signal Meadow Circle Mirror Season Bridge Shadow Engine Valley Ladder Mile
Hour Compass Kettle Road Chapel Island Ember Field Archive""".split()
FORM = {
    "piano": "Nocturne Prelude Waltz Impromptu Ballade Etude Romance",
    "quartet": "Allegro Adagio Minuet Andante Finale Scherzo",
    "cello": "Sarabande Prelude Elegy Allemande Meditation",
    "sonata": "Allegro Adagio Romance Rondo Andante",
    "harpsichord": "Toccata Courante Gigue Prelude Allemande Rondeau Invention",
    "baroque": "Sinfonia Concerto Largo Gavotte Overture Passepied",
    "flute and harp": "Pastorale Romance Siciliana Berceuse Andante",
    "harp": "Reverie Prelude Fountain Variation",
    "classical guitar": "Study Fantasia Pavane Estampie Capricho Galliard",
    "choir": "Kyrie Sanctus Motet Hymn Antiphon Agnus",
    "opera": "Aria Recitative Cavatina Lament Serenade",
    "indian": "Alap Gat Raga Dhun Jhala",
    "orchestra": "Overture Tableau March Intermezzo Finale",
    "organ": "Toccata Chorale Fugue Voluntary",
    "brass": "Fanfare Canzona Galliard March",
}


def titles(rand, style_name):
    """An endless stream of titles without repetition."""
    seen = set()
    while True:
        name = f"{rand.choice(FIRST)} {rand.choice(SECOND)}"
        if style_name in FORM and rand.random() < 0.75:
            form = rand.choice(FORM[style_name].split())
            number = rand.choice(("I", "II", "III", "IV", "V", "VI", "in D", "in A"))
            name = f"{form} {number}"
        if name not in seen:
            seen.add(name)
            yield name


def plan():
    """All tracks of the corpus: 30 clips in each folder, no album in two folders."""
    artists = [Artist(*row) for row in ARTISTS]
    rand = stream("folders")
    tracks = []
    for home, folders in HOMES.items():
        albums = []
        for artist in artists:
            names = titles(stream(artist.name, "albums"), None)
            for place in artist.homes:
                album = next(names)
                if place == home:
                    albums.append((artist, album))
        rand.shuffle(albums)
        room = PER_FOLDER * len(folders)
        wish = [rand.choice((3, 3, 4, 4, 5)) for _ in albums]
        scale = room / sum(wish)
        albums = sorted(
            zip(wish, range(len(albums)), albums, strict=True), reverse=True
        )
        boxes = {folder: [] for folder in folders}
        for size, _, album in albums:  # the largest first, into the emptiest folder
            folder = min(folders, key=lambda f: (sum(s for s, _ in boxes[f]), f))
            boxes[folder].append((size * scale, album))
        for folder, box in boxes.items():
            for (artist, album), size in fill(box, PER_FOLDER):
                tracks += album_tracks(artist, album, folder, size)
    return sorted(tracks, key=lambda t: (t.artist.name, t.album, t.number))


def fill(box, total):
    """Whole album sizes of at least one clip that add up to the folder's total."""
    wish = sum(size for size, _ in box)
    shares = [size * total / wish for size, _ in box]
    sizes = [max(1, math.floor(s)) for s in shares]
    order = sorted(range(len(box)), key=lambda i: (sizes[i] - shares[i], i))
    k = 0
    while sum(sizes) < total:
        sizes[order[k % len(order)]] += 1
        k += 1
    while sum(sizes) > total:
        sizes[sizes.index(max(sizes))] -= 1
    return [(album, size) for (_, album), size in zip(box, sizes, strict=True)]


def album_tracks(artist, album, folder, n_clips):
    """Cut an album into tracks of one to four consecutive clips."""
    rand = stream(artist.name, album)
    names = titles(rand, artist.style_name)
    number, out = 0, []
    while n_clips:
        number += rand.choice((1, 1, 2))
        size = min(n_clips, rand.choice((1, 1, 2, 2, 2, 3, 3, 4)))
        level = artist.level + rand.gauss(0, 1.8)
        out.append(Track(artist, album, folder, number, next(names), size, level))
        n_clips -= size
    return out


def compose(track):
    """Write the track's song: key, form, parts, notes.

    The same track always gives the same notes.
    """
    rand = random.Random(track.seed)
    artist, style = track.artist, track.artist.style
    meter = rand.choice(style.meters)
    song = music.Song(
        track.seed,
        rand.uniform(*artist.bpm),
        meter,
        rand.choice(artist.keys),
        rand.choice(artist.scales),
        style.swing,
        style.rubato,
    )
    lay_out(song, style, rand, track.n_clips)
    for number, role, program in artist.roles:
        song.parts.append(make_part(artist, number, role, program, rand))
    choose_active(song, artist, rand)
    order = sorted(song.parts, key=lambda p: p.role == "canon")  # after its leader
    for section in song.sections:
        for part in order:
            if part.name in section.active:
                mini_roles.ROLES[part.role](song, part, section)
    return song


def make_part(artist, number, role, program, rand):
    """A part of the song from a role of the style and the artist's choice."""
    values = dict(role["part"])
    options = dict(role["options"])
    low, high = role["low"], role["high"]
    voice = values.pop("voice", None)
    if voice == "solo":
        table = FEMALE if artist.voice == "female" else MALE
        default = (59, 76) if artist.voice == "female" else (46, 63)
        low, high = table.get(artist.style_name, default)
    if voice == "choir":
        shift = {"low": -9, "high": 5}.get(" ".join(artist.changes), 0)
        low, high = low + shift, high + shift
    if "grooves" in options:
        own = stream(artist.name, "grooves")
        grooves = list(options["grooves"])
        own.shuffle(grooves)
        options["grooves"] = tuple(grooves[:2])
    name = f"{number}-{role['role']}"
    part = music.Part(name, role["role"], program, low, high, options=options)
    for key, value in values.items():
        setattr(part, key, value)
    part.gain *= rand.uniform(0.8, 1.2)
    part.options["voice"] = voice
    return part


def lay_out(song, style, rand, n_clips):
    """Choose the form and give each section its chords, loudness and parts."""
    bar_seconds = song.meter * 60 / song.bpm
    total = math.ceil((CLIP_SECONDS * n_clips + 1.5) / bar_seconds)
    form = rand.choice(FORMS)
    chords = {}
    bar = k = 0
    while bar < total:
        kind = form[k % len(form)] if k < len(form) else "abc"[k % 3]
        group = {"i": "a", "o": "a", "k": "c"}.get(kind, kind)
        if group not in chords:
            degrees = rand.choice(music.PROGRESSIONS[style.chords])
            size = 4 if style.seventh else 3
            chords[group] = [song.chord(d, size) for d in degrees]
        n_bars = 8 if bar_seconds * 8 < 17 else 4
        if kind in "iko":
            n_bars = max(2, n_bars // 2)
        energy = ENERGY[kind] + rand.gauss(0, 0.05)
        if style.flat:
            energy = 0.55 + 0.4 * (energy - 0.55)
        section = music.Section(kind, bar, n_bars, energy, chords[group], set())
        song.sections.append(section)
        bar, k = bar + n_bars, k + 1


def choose_active(song, artist, rand):
    """Which parts play in which section: the role's places, and some left out."""
    for section in song.sections:
        for part, (_, role, _) in zip(song.parts, artist.roles, strict=True):
            plays = section.kind in role["where"]
            optional = role["chance"] < 1 or section.kind in "iko"
            if plays and not (optional and rand.random() < 0.22):
                section.active.add(part.name)
        first = song.parts[0]
        if not first.drums or not section.active:
            section.active.add(first.name)
