"""Write the numbers and the contact sheet of the data card (README.md) of `mini`.

Everything between two marker lines of README.md is replaced, the rest is text.
"""

import csv
from pathlib import Path

import numpy as np
from mini_crowd import OPPOSITES, TAGS
from mini_plan import HOMES

from tagkit.data import corpus
from tagkit.evaluation import metrics, results

MARKS = "<!-- {0}: begin (build_mini.py --card) -->", "<!-- {0}: end -->"
PARTS = {"t": "train", "v": "valid", "s": "test"}
SHEET = "mini_contact_sheet.png"


def read(path):
    """Rows of one of the tables as dicts."""
    with path.open(encoding="ascii", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def part_of(path):
    home = next(home for home, folders in HOMES.items() if path[0] in folders)
    return PARTS[home]


def loudness(root, rows):
    """Per clip: decoded samples, level in dBFS RMS, peak."""
    import soundfile

    out = []
    for row in rows:
        samples = soundfile.read(root / row["mp3_path"], dtype="float32")[0]
        level = 10 * np.log10(np.mean(samples.astype(float) ** 2))
        out.append((len(samples), level, np.abs(samples).max()))
    return np.array(out)


def corpus_lines(said, info):
    """Clips, tracks, albums and artists of each part, and who is in two parts."""
    names = {row["mp3_path"]: row for row in info}
    kinds = ("track", "album", "artist")
    groups = {part: {kind: set() for kind in kinds} for part in PARTS.values()}
    clips = dict.fromkeys(PARTS.values(), 0)
    for row in said:
        path = row["mp3_path"]
        part, about = part_of(path), names[path]
        clips[part] += 1
        groups[part]["artist"].add(about["artist"])
        groups[part]["album"].add((about["artist"], about["album"]))
        groups[part]["track"].add(path.rsplit("-", 2)[0])
    yield "| part | folders | clips | tracks | albums | artists |"
    yield "|---|---|---|---|---|---|"
    folders = {"train": "0-b", "valid": "c", "test": "d-f"}
    for part, sets in groups.items():
        counts = " | ".join(str(len(sets[kind])) for kind in kinds)
        yield f"| {part} | {folders[part]} | {clips[part]} | {counts} |"
    known = groups["train"]["artist"]
    both = len(known & groups["test"]["artist"])
    test = [r for r in said if part_of(r["mp3_path"]) == "test"]
    share = sum(names[r["mp3_path"]]["artist"] in known for r in test) / len(test)
    all_artists = set().union(*(g["artist"] for g in groups.values()))
    yield ""
    yield (
        f"{len(all_artists)} artists in all; {both} of them are in both train and "
        f"test, so {share:.1%} of the test clips are by an artist who is also in "
        "training (MagnaTagATune: 61.6 %). No track and no album is in two folders."
    )


def label_lines(said, true, tags):
    """Tags per clip, contradictions, and a row per tag."""
    counts = [sum(int(row[t]) for t in tags) for row in said]
    yield (
        f"{len(tags)} tags; {np.mean(counts):.2f} tags a clip on average, at most "
        f"{max(counts)}; {counts.count(0)} clips ({counts.count(0) / len(said):.1%}) "
        "without any tag."
    )
    pairs = []
    for a, b in OPPOSITES:
        both = sum(row[a] == row[b] == "1" for row in said)
        if both:
            pairs.append(f"{a} & {b} {both}")
    yield f"Contradictions (clips with both tags): {', '.join(pairs)}."
    yield ""
    yield "| | tag | clips | train | valid | test | true | named | wrong |"
    yield "|---|---|---|---|---|---|---|---|---|"
    truth = {row["clip_id"]: row for row in true}
    rows = []
    for tag in tags:
        on = [row for row in said if row[tag] == "1"]
        parts = [part_of(row["mp3_path"]) for row in on]
        right = sum(truth[row["clip_id"]][tag] == "1" for row in on)
        n_true = sum(row[tag] == "1" for row in true)
        each = " | ".join(str(parts.count(p)) for p in PARTS.values())
        named = f"{right / n_true:.0%}" if n_true else "-"
        rows.append(
            (
                len(on),
                f"{tag} | {len(on)} | {each} | {n_true} | {named}",
                len(on) - right,
            )
        )
    rows.sort(key=lambda r: -r[0])
    for rank, (_, text, wrong) in enumerate(rows, 1):
        yield f"| {rank} | {text} | {wrong} |"


def sound_lines(root, said):
    """Size, length, level and peak of the audio."""
    paths = [root / row["mp3_path"] for row in said]
    if not all(p.exists() for p in paths):
        yield "(no audio here)"
        return
    size = sum(p.stat().st_size for p in paths)
    heard = loudness(root, said)
    low, mid, high = np.percentile(heard[:, 1], (5, 50, 95))
    lengths = sorted({int(n) for n in heard[:, 0]})
    yield (
        f"{len(paths)} files, {size / 1e6:.1f} MB; every file decodes to "
        f"{' or '.join(f'{n:,}' for n in lengths)} samples. Level of a clip, dBFS RMS: "
        f"{heard[:, 1].min():.1f} to {heard[:, 1].max():.1f}, 5 % {low:.1f}, median "
        f"{mid:.1f}, 95 % {high:.1f}; highest peak {heard[:, 2].max():.2f}, "
        f"{int((heard[:, 2] >= 1).sum())} clips with a sample at or above full scale."
    )


def board_lines(board):
    """A leaderboard as a table, with what it was measured on below."""
    yield (
        "| model | parameters | runs | ROC-AUC | AP | test loss | "
        "ms to train a clip once | ms to tag a clip |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for name, row in board.iterrows():
        yield (
            f"| {name} | {row.parameters:,.0f} | {row.seeds:.0f} | "
            f"{row.roc_auc:.3f} [{row.roc_low:.3f}, {row.roc_high:.3f}] | "
            f"{row.ap:.3f} [{row.ap_low:.3f}, {row.ap_high:.3f}] | "
            f"{row.loss:.3f} | {1000 * row.train_seconds:.3g} | "
            f"{1000 * row.tag_seconds:.3g} |"
        )
    yield ""
    yield board.attrs["caption"]


def results_lines(root, runs):
    """The leaderboard of the recorded runs, how it was made, and its ceiling."""
    yield from board_lines(results.leaderboard(runs))
    mini = corpus.open(root)
    labels = mini.labels(runs[0]["tags"])[mini.split() == "test"]
    truth = mini.truth.loc[labels.index, labels.columns]
    perfect = metrics.evaluate(labels, truth, n_boot=0).loc["macro"]
    machines = {
        f"{run['device']}, threads: {run['threads']}, torch {run['versions']['torch']}"
        for run in runs
    }
    yield ""
    yield (
        f"{len(runs)} runs ({'; '.join(sorted(machines))}). A listener who knows the "
        "truth and answers yes or no is judged by this crowd at a ROC-AUC of "
        f"{perfect.roc_auc:.3f} and an AP of {perfect.ap:.3f}."
    )


def replace(readme, name, lines):
    """Put lines between the two marks of that name."""
    begin, end = (mark.format(name) for mark in MARKS)
    before, rest = readme.read_text().split(begin)
    after = rest.split(end)[1]
    readme.write_text("\n".join((before + begin, "", *lines, "", end + after)))


def write(root, folder):
    """Renew the numbers and, where the audio is, the contact sheet."""
    said, true = read(root / "annotations_final.csv"), read(root / "truth.csv")
    info = [r for r in read(root / "clip_info_final.csv") if r["mp3_path"]]
    tags = [name for name in said[0] if name not in ("clip_id", "mp3_path")]
    lines = [*corpus_lines(said, info), "", *sound_lines(root, said), ""]
    lines += label_lines(said, true, tags)
    readme = Path(folder, "README.md")
    replace(readme, "numbers", lines)
    runs = results.read_runs(folder / "results")
    mine = {"corpus": "mini", "tag_list": "raw50", "version": "full"}
    runs = [run for run in runs if mine.items() <= run["about"].items()]
    replace(readme, "results", results_lines(root, runs))
    if all((root / row["mp3_path"]).exists() for row in said):
        contact_sheet(root, said, true, Path(folder, SHEET))


def typical_clips(said, true):
    """For each group of synonyms a clip that is tagged so, rightly, with few others."""
    truth = {row["clip_id"]: row for row in true}
    used, out = set(), []
    for group in TAGS.values():
        best = None
        for row in said:
            artist = row["mp3_path"][2:].split("-")[0]
            right = truth[row["clip_id"]]
            named = [t for t in group if row[t] == "1"]
            if not named or right[named[0]] != "1":
                continue
            others = sum(
                any(right[t] == "1" for t in g) for g in TAGS.values() if g is not group
            )
            key = (artist in used, others - 2 * len(named), row["clip_id"])
            if best is None or key < best[0]:
                best = (key, row, artist)
        if best:
            used.add(best[2])
            out.append((" / ".join(group), best[1]["mp3_path"], best[2]))
    return out


def contact_sheet(root, said, true, path):
    """One log-mel spectrogram of 10 s per group of synonyms, as a grid in a PNG."""
    import librosa
    import matplotlib.pyplot as plt
    import soundfile
    from PIL import Image

    clips = typical_clips(said, true)
    columns = 5
    n_rows = -(-len(clips) // columns)
    figure, axes = plt.subplots(
        n_rows, columns, figsize=(15, 1.62 * n_rows), layout="constrained"
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (tags, file, artist) in zip(axes.flat, clips, strict=False):
        samples, rate = soundfile.read(root / file, dtype="float32")
        samples = samples[8 * rate : 18 * rate]
        mel = librosa.feature.melspectrogram(
            y=samples, sr=rate, n_fft=1024, hop_length=200, n_mels=96, fmax=8000
        )
        image = librosa.power_to_db(mel, ref=np.max, top_db=70)
        ax.imshow(image, origin="lower", aspect="auto", cmap="magma")
        ax.set_title(
            f"{tags}\n{artist.replace('_', ' ')}", fontsize=7.5, loc="left", pad=2
        )
    figure.savefig(path, dpi=100)
    plt.close(figure)
    with Image.open(path) as picture:  # 64 colours are enough, and a third of the bytes
        small = picture.convert("RGB").quantize(64, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
