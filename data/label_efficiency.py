"""What do twenty labels buy? Six ways to learn the tags of mini from few clips.

    python data/label_efficiency.py                  # all, a point per core at a time
    python data/label_efficiency.py probe --jobs 1   # one way

writes a line for each of 180 points to data/results/label_efficiency.jsonl: two splits
(by folder, and with artists apart), 20 to 360 labelled clips, three draws, six ways.
A point that is there is not computed again; the table of the data card, README.md here,
is written anew. The ways:

probe       a logistic regression per tag on the embeddings of the network of
            MagnaTagATune, `training.probe`
lastfm50    the same probe on the network that learned the tags of Last.fm
untrained   the same probe on a network of that shape with random weights, others in
            each draw, which hears three windows of a clip
contrastive the same probe on a small network that learned without labels to find the
            other crop of a clip (data/contrastive.py), from all clips that may be drawn
fine-tuned  that network with this probe as its last layer, then all layers together
scratch     K2C2, as wide as in data/record_runs.py, from random weights

Labelled clips are drawn at random from the training and validation parts of the split;
the clips of a draw are among those of a larger one. All that is chosen is chosen on
them: a fifth, at most about 20, is kept apart to choose the epoch, no track (or no
artist) on both sides, and the other two ways learn from the rest. The probe needs no
epoch; it chooses C by folds and learns from all, whatever it listens to. The test part
is only scored: the mean ROC-AUC over the tags that some test clips have, 0.5 for a tag
that was never met. (The values of C that `training.probe` tries, and the one that it
takes where folds are too few, were settled after a look at such curves.)
"""

import argparse
import json
import os
from pathlib import Path

import contrastive
import joblib
import numpy as np
import pandas as pd
import torch

from tagkit import models
from tagkit.data import batches, corpus, store
from tagkit.evaluation import cache, metrics, networks, predict
from tagkit.files import write_atomically
from tagkit.training import Config, checkpoints, fit, probe

NETWORK = "magnatagatune"
PROBED = ("probe", "lastfm50", "untrained", "contrastive")  # frozen embeddings
WAYS = (*PROBED, "fine-tuned", "scratch")
N_WINDOWS = 3  # of a clip, that the untrained network hears
SIZES, DRAWS, VERSIONS = (20, 45, 90, 180, 360), (0, 1, 2), ("full", "artist")
RESULT = corpus.SHIPPED / "results" / "label_efficiency.jsonl"
KEPT = {"keep": "valid_roc_auc", "device": "cpu"}
MARKS = (
    "<!-- label efficiency: begin (label_efficiency.py) -->",
    ("<!-- label efficiency: end -->"),
)


def draw(mini, version: str, n: int, seed: int):
    """Draw clips to label, and divide them.

    Shape: ids to fit on, ids to choose the epoch on, and the group of each clip of
    mini: its track, or with artists apart its artist.
    """
    split, random = mini.split(version=version), np.random.default_rng(seed)
    groups = mini.clips["artist"]
    if version == "full":
        groups = corpus.track_names(mini.clips)
    ids = random.permutation(split.index[split != "test"])[:n]
    names = groups[ids].unique()  # in a random order, since the ids are
    n_so_far = groups[ids].value_counts()[names].cumsum()
    apart = names[: 1 + np.argmax(n_so_far >= min(n // 5, 20))]
    in_valid = groups[ids].isin(apart).to_numpy()
    return ids[~in_valid], ids[in_valid], groups


def learn(way: str, fit_part, valid_part, vectors, groups, seed: int):
    """Learn from labelled clips in one of WAYS.

    Args:
        fit_part, valid_part: examples; vectors: embeddings, a row per clip id.

    Shape: a `probe.Probe`, or a model.
    """
    labels = fit_part.labels
    if way in PROBED:
        labels = pd.concat([labels, valid_part.labels])
    ids, n = labels.index, len(labels)
    if way != "scratch":
        found = probe.fit(vectors.loc[ids], labels, groups[ids])
    if way in PROBED:
        return found
    torch.manual_seed(seed)
    if way == "fine-tuned":
        model = checkpoints.start_from(NETWORK, labels.shape[1])
        found.put_into(model)
        how = {"epochs": 3, "crops_per_clip": -(-128 // n), "batch_size": 8}
        how |= {"learning_rate": 1e-4}
    else:
        model = models.K2C2(labels.shape[1], width=0.24)
        how = {"epochs": max(12, round(2000 / n)), "learning_rate": 0.003}
        how |= {"start_at_prior": True}
    fit(model, fit_part, valid_part, Config(seed=seed, **how, **KEPT), log=None)
    return model


def point(mini, vectors, way: str, version: str, n: int, seed: int) -> dict:
    """Learn and score one point."""
    torch.set_num_threads(1)
    rate = 12_000 if way == "scratch" else 16_000
    fit_ids, valid_ids, groups = draw(mini, version, n, seed)
    clips = store.prepare(mini, rate)
    parts = [batches.examples(mini, clips, ids) for ids in (fit_ids, valid_ids)]
    learned = learn(way, *parts, vectors, groups, seed)
    test = batches.examples(mini, clips, "test", version=version)
    if way in PROBED:
        scores = learned.logits(vectors.loc[test.labels.index].to_numpy())
    else:
        scores = predict.clip_scores(learned, test)
    macro = metrics.evaluate(test.labels, scores, n_boot=0).loc["macro"]
    said = {"split": version, "n_labelled": n, "draw": seed, "way": way}
    said |= {"n_fit": len(fit_ids), "n_valid": len(valid_ids)}
    return said | {"roc_auc": round(macro.roc_auc, 4), "ap": round(macro.ap, 4)}


def embed(mini, way: str, version: str, seed: int) -> pd.DataFrame | None:
    """Embed all clips of mini as a way does; no label is looked at.

    Shape: (n_clips, n_dims), index clip_id; None for "scratch".
    """
    index = mini.clips.index
    if way == "scratch":
        return None
    if way == "contrastive":
        clips, split = store.prepare(mini, 12_000), mini.split(version=version)
        images = contrastive.images(clips, index)
        torch.manual_seed(seed)
        heard = torch.tensor((split != "test").to_list())
        net, _ = contrastive.learn(images[heard])
        return pd.DataFrame(contrastive.embed(net, images), index)
    if way == "untrained":
        return untrained(mini, seed)
    network = "lastfm50" if way == "lastfm50" else NETWORK
    load = lambda: checkpoints.load(network)[0]  # noqa: E731
    one = cache.embedder(networks.find(network), load)
    return pd.DataFrame(np.stack([one(mini.path(i)) for i in index]), index)


def untrained(mini, seed: int) -> pd.DataFrame:
    """Embed all clips by random weights. Shape: (n_clips, n_dims), index clip_id."""
    about = checkpoints.read_checkpoint(networks.find(NETWORK))
    torch.manual_seed(seed)
    model = models.build(about["model"], **about["arguments"]).eval()
    clips, rows = store.prepare(mini, model.sample_rate), []
    for clip_id in mini.clips.index:
        samples = torch.from_numpy(clips.read(clip_id))
        starts = np.linspace(0, len(samples) - model.n_samples, N_WINDOWS).astype(int)
        windows = torch.stack([samples[s : s + model.n_samples] for s in starts])
        with torch.inference_mode():
            rows.append(model.embed(windows).mean(dim=0).numpy())
    return pd.DataFrame(np.stack(rows), mini.clips.index)


def table(points: pd.DataFrame):
    """Yield the lines of a table: mean of the draws, lowest and highest."""
    yield "| split | way | " + " | ".join(f"{n} labels" for n in SIZES) + " |"
    yield "|---|---|" + "---|" * len(SIZES)
    for version in VERSIONS:
        for way in WAYS:
            cells = []
            for n in SIZES:
                is_here = (points["split"] == version) & (points["way"] == way)
                roc = points["roc_auc"][is_here & (points["n_labelled"] == n)]
                cells.append(f"{roc.mean():.3f} ({roc.min():.3f} to {roc.max():.3f})")
                if len(roc) < len(DRAWS):
                    cells[-1] = f"{roc.mean():.3f}, {len(roc)} of {len(DRAWS)} draws"
                if not len(roc):
                    cells[-1] = "not computed"
            yield f"| {version} | {way} | " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ways", nargs="*", choices=[[], *WAYS], metavar="WAY")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    mini = corpus.open("mini")
    for rate in (12_000, 16_000):
        store.prepare(mini, rate)
    done = set()
    if options.out.exists():
        for row in map(json.loads, options.out.read_text().splitlines()):
            done.add((row["way"], row["split"], row["n_labelled"], row["draw"]))
    todo = [
        (way, version, n, seed)
        for way in options.ways or WAYS
        for seed in DRAWS
        for version in VERSIONS
        for n in SIZES
        if (way, version, n, seed) not in done
    ]
    work = joblib.Parallel(options.jobs, return_as="generator_unordered")
    heard = joblib.Memory(corpus.DATA / "cache" / "label_efficiency", verbose=0)
    heard = heard.cache(embed, ignore=["mini"])
    tasks = []
    for way, version, n, seed in todo:
        # What is heard once for all splits or draws has one name for all.
        names = {"contrastive": (version, seed), "untrained": ("any", seed)}
        vectors = heard(mini, way, *names.get(way, ("any", 0)))
        tasks.append(joblib.delayed(point)(mini, vectors, way, version, n, seed))
    for row in work(tasks):
        with options.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(*row.values(), flush=True)
    lines = [*table(pd.read_json(options.out, lines=True))]
    print("\n".join(lines))
    if options.out == RESULT:
        card = corpus.SHIPPED / "README.md"
        before, rest = card.read_text().split(MARKS[0])
        after = rest.split(MARKS[1])[1]
        text = "\n".join((before + MARKS[0], "", *lines, "", MARKS[1] + after))
        write_atomically(card, text.encode())


if __name__ == "__main__":
    main()
