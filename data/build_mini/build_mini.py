"""Build the embedded corpus `mini`: tables, truth, audio and checksums.

    cd data/build_mini
    python build_mini.py                    # everything, into data/mini
    python build_mini.py --root /tmp/trial  # everything, somewhere else
    python build_mini.py --tables-only      # only the tables (a second or two)
    python build_mini.py --check            # compare data/mini with a rebuild
    python build_mini.py --card             # renew the numbers of data/README.md

The tables depend on the seed only and come out the same bit for bit. Audio needs
the Debian packages fluidsynth and fluid-soundfont-gm; clips
that are there already are kept, so a stopped build goes on where it stopped.

The way of one clip: mini_styles (what an artist is) -> mini_plan (who plays what,
in which folder) -> mini_music and mini_roles (the notes) -> mini_crowd (the tags)
and mini_sound (the audio). mini_card writes the numbers and the contact sheet of the
data card.
"""

import argparse
import hashlib
import io
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
DATA = HERE.parent
sys.path.insert(0, str(HERE))  # its own files, from wherever it is started

import mini_crowd as crowd  # noqa: E402
import mini_plan as planning  # noqa: E402

MINI = DATA / "mini"
TABLES = ("annotations_final.csv", "clip_info_final.csv", "truth.csv")
SUMS = "SHA256SUMS"
N_UNHEARD = 60  # clips of clip_info_final.csv that no player ever heard: no audio
INFO = ("clip_id", "track_number", "title", "artist", "album", "url")
INFO += ("segmentStart", "segmentEnd", "original_url", "mp3_path")


def clip_ids(tracks):
    """Ascending ids with gaps for every clip, and for some clips without audio.

    Returns [(clip_id, track, clip)]; clip numbers from n_clips on have no audio.
    """
    rand = planning.stream("clip ids")
    tracks = list(tracks)
    rand.shuffle(tracks)
    unheard = {t.seed for t in rand.sample(tracks, N_UNHEARD)}
    rows, clip_id = [], 1
    for track in tracks:
        for clip in range(track.n_clips + (track.seed in unheard)):
            clip_id += rand.choice((1, 1, 2, 3, 5, 9))
            rows.append((clip_id, track, clip))
    return rows


def columns():
    """The tags in the order of the table's columns: shuffled once, as MTT's are."""
    names = list(crowd.COLUMNS)
    planning.stream("columns").shuffle(names)
    return names


def table(header, rows):
    """A table in MTT's own format: tab, every field quoted, CRLF."""
    text = io.StringIO()
    for row in (header, *rows):
        text.write("\t".join(f'"{field}"' for field in row) + "\r\n")
    return text.getvalue().encode("ascii")


def info_row(clip_id, track, clip):
    """One row of clip_info_final.csv; a clip without audio has no paths."""
    artist, heard = track.artist.name, clip < track.n_clips
    start = planning.CLIP_SECONDS * clip
    number = f"{track.number:02d}"
    folder = f"{planning.slug(artist)}-{planning.slug(track.album)}"
    url = f"http://example.org/mini/albums/{folder}/"
    file = quote(f"{number}--{track.title}--{artist}.mp3")
    original = f"http://example.org/mini/all/{file}" if heard else ""
    path = track.path(clip) if heard else ""
    fields = (clip_id, number, track.title, artist, track.album, url)
    return (*fields, start, start + planning.CLIP_SECONDS, original, path)


def build_tables():
    """All tables as bytes, and the work for the renderer.

    Returns ({file name: bytes}, [(track, levels of its clips in dBFS)]).
    """
    tracks = planning.plan()
    names = columns()
    said, true, info, levels = [], [], [], {}
    songs = {t.seed: planning.compose(t) for t in tracks}
    for clip_id, track, clip in clip_ids(tracks):
        info.append(info_row(clip_id, track, clip))
        if clip >= track.n_clips:
            continue
        song, path = songs[track.seed], track.path(clip)
        properties = crowd.true_properties(track, song, clip)
        for rows, tags in (
            (said, crowd.crowd_tags(track, clip, properties)),
            (true, crowd.truth_tags(properties)),
        ):
            rows.append((clip_id, *(int(name in tags) for name in names), path))
        levels.setdefault(track.seed, {})[clip] = crowd.clip_level(track, song, clip)
    header = ("clip_id", *names, "mp3_path")
    tables = {
        TABLES[0]: table(header, said),
        TABLES[1]: table(INFO, info),
        TABLES[2]: table(header, true),
    }
    return tables, [(t, levels[t.seed]) for t in tracks]


def render_one(job):
    """Render one track in a worker process; returns what it wrote."""
    import mini_sound as sound

    track, levels, root = job
    song = planning.compose(track)
    return track.seed, sound.render_track(track, song, levels, root)


def render(work, root, n_jobs):
    """Render every track that is not there yet."""
    jobs = [(track, levels, root) for track, levels in work]
    done = written = 0
    with ProcessPoolExecutor(n_jobs) as pool:
        for seed, n_clips in pool.map(render_one, jobs):
            done, written = done + 1, written + n_clips
            if n_clips:
                print(f"{done}/{len(jobs)} {seed}: {n_clips} clips", flush=True)
    print(f"{written} clips written under {root}")


def write_sums(root):
    """SHA-256 of every table and clip, in the format of `sha256sum -c`."""
    paths = sorted(p for p in root.rglob("*") if p.suffix in (".csv", ".mp3"))
    lines = [
        f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(root)}\n"
        for p in paths
    ]
    (root / SUMS).write_text("".join(lines))
    return len(lines)


def write_tables(root):
    """Write the tables into a folder; returns the work for the renderer."""
    tables, work = build_tables()
    root.mkdir(parents=True, exist_ok=True)
    for name, content in tables.items():
        (root / name).write_bytes(content)
    return work


def check(root):
    """Compare a folder with a rebuild and with its checksums; list what differs."""
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        write_tables(Path(folder))
        for name in TABLES:
            if (root / name).read_bytes() != Path(folder, name).read_bytes():
                wrong.append(f"{name} is not what the seed gives")
    listed = set()
    for line in (root / SUMS).read_text().splitlines():
        digest, name = line.split("  ", 1)
        listed.add(name)
        path = root / name
        if not path.is_file():
            wrong.append(f"{name} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            wrong.append(f"{name} has another checksum")
    for path in sorted(root.rglob("*.mp3")):
        if str(path.relative_to(root)) not in listed:
            wrong.append(f"{path.relative_to(root)} is not in {SUMS}")
    return wrong


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=MINI, help="where to build")
    parser.add_argument("--jobs", type=int, default=2, help="processes that render")
    parser.add_argument("--tables-only", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--card", action="store_true")
    options = parser.parse_args(arguments)
    if options.check:
        wrong = check(options.root)
        print("\n".join(wrong) or f"{options.root} is what the seed gives")
        return bool(wrong)
    if options.card:
        import mini_card as card

        card.write(options.root, DATA)
        return 0
    work = write_tables(options.root)
    if not options.tables_only:
        render(work, options.root, options.jobs)
        print(f"{write_sums(options.root)} files listed in {options.root / SUMS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
