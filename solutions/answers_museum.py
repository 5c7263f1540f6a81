"""Right and wrong answers to the exhibits of the museum, for the tests of their probes.

Spoilers: learners, look into `hint` first. A wrong answer stands beside a part of
the message that it must get.
"""

import copy

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import nn
from torch.nn import functional

from tagkit.checks.engine import Answers
from tagkit.evaluation import metrics, predict

ANSWERS: dict[str, Answers] = {}


def exhibit(id, letter, solution, also_right, wrong, other_letters):
    """Declare answers; each wrong function is handed in with the right letter."""
    rest = [((other, solution), text) for other, text in other_letters.items()]
    ANSWERS[id] = Answers(
        (letter, solution),
        [(letter.upper(), also_right[0])]
        + [[f"{letter}) it is", answer] for answer in also_right[1:]],
        [((letter, answer), text) for answer, text in wrong]
        + rest
        + [((7, solution), "one letter of"), (letter, "2 parts are needed")],
    )


# M.1

with_logits = functional.binary_cross_entropy_with_logits


def by_formula(logits, labels):
    return (functional.softplus(logits) - labels * logits).mean()


def by_logsigmoid(logits, labels):
    right = functional.logsigmoid(torch.where(labels == 1, logits, -logits))
    return -right.sum() / right.numel()


def by_rounded_scores(logits, labels):
    return functional.binary_cross_entropy(logits.sigmoid(), labels)


def as_new_leaf(logits, labels):
    return torch.tensor(with_logits(logits, labels).item(), requires_grad=True)


def by_logarithms(logits, labels):
    scores = logits.sigmoid()
    return -(labels * scores.log() + (1 - labels) * (1 - scores).log()).mean()


exhibit(
    "M.1",
    "b",
    with_logits,
    [by_formula, by_logsigmoid, nn.BCEWithLogitsLoss()],
    [
        (lambda x, y: with_logits(x.sigmoid(), y), "squashed a second time"),
        (by_rounded_scores, "your loss is 100"),
        (by_logarithms, "loss is nan"),
        (lambda x, y: with_logits(x, y, reduction="sum"), "the sum, not the mean"),
        (lambda x, y: with_logits(x, y).item(), "a tensor is needed"),
        (lambda x, y: with_logits(x.detach(), y), "its gradient is not"),
        (as_new_leaf, "its gradient is not"),
        (lambda x, y: with_logits(x, y, reduction="none"), "one number is needed"),
    ],
    {"a": "stands still", "c": "too small", "d": "few decisions"},
)


# M.2


def eval_and_back(network, batch):
    was_training = network.training
    network.eval()
    with torch.no_grad():
        scores = network(batch).sigmoid()
    network.train(was_training)
    return scores


def with_finally(network, batch):
    was_training = network.training
    try:
        return 1 / (1 + torch.exp(-network.eval()(batch).detach()))
    finally:
        network.train(was_training)


@torch.inference_mode()
def layer_by_layer(network, batch):
    modes = {layer: layer.training for layer in network.modules()}
    scores = network.eval()(batch).sigmoid()
    for layer, mode in modes.items():
        layer.training = mode
    return scores


def on_a_copy(network, batch):
    return copy.deepcopy(network).eval()(batch).sigmoid().detach()


def stays_in_training(network, batch):
    with torch.no_grad():
        return network(batch).sigmoid()


def forgets_the_way_back(network, batch):
    with torch.no_grad():
        return network.eval()(batch).sigmoid()


def always_trains_afterwards(network, batch):
    scores = forgets_the_way_back(network, batch)
    network.train()
    return scores


def freezes(network, batch):
    return eval_and_back(network.requires_grad_(False), batch)


def forgets_running_means(network, batch):
    scores = eval_and_back(network, batch)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm1d):
            layer.reset_running_stats()
    return scores


exhibit(
    "M.2",
    "a",
    eval_and_back,
    [with_finally, layer_by_layer, on_a_copy],
    [
        (stays_in_training, "for evaluation the network says something else"),
        (forgets_the_way_back, "in the mode for training: you give the network back"),
        (always_trains_afterwards, "for evaluation: you give the network back"),
        (freezes, "other weights of the network need a gradient"),
        (forgets_running_means, "changes the numbers of the network"),
        (lambda n, batch: eval_and_back(n, batch).requires_grad_(), "have a gradient"),
        (lambda n, batch: eval_and_back(n, batch).logit(), "these are logits"),
    ],
    {"b": "needs an optimizer", "c": "the same array", "d": "outside 0 and 1"},
)


# M.3


def to_db(power):
    return 10 * power.clamp(min=1e-10).log10()


def from_amplitude(power):
    return 20 * torch.log10(power.sqrt().clamp(min=1e-5))


def floor_last(power):
    return np.maximum(10 * np.log10(np.maximum(power.numpy(), 1e-30)), -100)


exhibit(
    "M.3",
    "c",
    to_db,
    [from_amplitude, floor_last, lambda p: to_db(p).tolist()],
    [
        (lambda p: 20 * p.clamp(min=1e-10).log10(), "still too large by a factor"),
        (lambda p: 10 * p.clamp(min=1e-10).log(), "the natural logarithm"),
        (lambda p: 10 * p.log10(), "silence becomes infinite"),
        (lambda p: 10 * (p + 1e-10).log10(), "adding moves quiet powers"),
        (lambda p: to_db(p).flatten()[:3], "has shape (3,)"),
    ],
    {"a": "level of silence", "b": "all tones alike", "d": "2.3 times"},
)


# M.4


def pad_last(power, n_frames):
    decibels = to_db(power)
    mean = decibels.mean()
    rest = n_frames - power.shape[1]
    return functional.pad(decibels - mean, (0, rest), value=float(-100 - mean))


def fill_a_table(power, n_frames):
    levels = np.full((len(power), n_frames), -100.0)
    levels[:, : power.shape[1]] = 10 * np.log10(np.maximum(power.numpy(), 1e-10))
    return levels - levels[:, : power.shape[1]].mean()


def mean_of_music(power, n_frames):
    padded = to_db(functional.pad(power, (0, n_frames - power.shape[1])))
    return padded - padded[:, : power.shape[1]].mean()


def pads_first(power, n_frames):
    decibels = to_db(functional.pad(power, (0, n_frames - power.shape[1])))
    return decibels - decibels.mean()


def pads_with(value):
    def prepare(power, n_frames):
        decibels = to_db(power)
        rest = n_frames - power.shape[1]
        return functional.pad(decibels - decibels.mean(), (0, rest), value=value)

    return prepare


exhibit(
    "M.4",
    "d",
    pad_last,
    [fill_a_table, mean_of_music],
    [
        (pads_first, "still in the mean"),
        (pads_with(0), "0 is the mean of the clip"),
        (pads_with(-100), "taken off the music only"),
        (lambda p, n: pads_first(p, n)[:, :5], "has shape (4, 5)"),
        (lambda p, n: to_db(p) - to_db(p).mean(), "has shape (4, 10)"),
    ],
    {"a": "the same in every row", "b": "another mean each time", "c": "not cut"},
)


# M.5


def power_of(samples, hop=256, length=512, **more):
    window = torch.hann_window(length)
    bins = torch.stft(*(samples, 512, hop, length, window), return_complex=True, **more)
    return bins.abs() ** 2


def by_unfold(samples):
    padded = functional.pad(samples[None], (256, 256), mode="reflect")[0]
    frames = padded.unfold(0, 512, 256) * torch.hann_window(512)
    return torch.fft.rfft(frames).abs().T.square()


def with_flat_window(samples):
    return torch.stft(samples, 512, 256, return_complex=True).abs() ** 2


exhibit(
    "M.5",
    "b",
    power_of,
    [
        by_unfold,
        lambda samples: power_of(samples, hop=128)[:, ::2],
        lambda samples: power_of(samples, pad_mode="constant").numpy(),
    ],
    [
        (lambda samples: power_of(samples, hop=128), "has shape (257, 40)"),
        (lambda samples: power_of(samples)[:, :-1], "has shape (257, 19)"),
        (lambda samples: power_of(samples).sqrt(), "these are amplitudes"),
        (lambda samples: power_of(samples, length=256), "window is too short"),
        (with_flat_window, "there is no window"),
        (lambda samples: power_of(samples).T, "has shape (20, 257)"),
        (lambda samples: power_of(samples) / 2, "differ from what the text says"),
    ],
    {"a": "by 4/3 only", "c": "smears a click", "d": "are printed"},
)


# M.6


class BatchFirst(nn.Module):
    def __init__(self, n_bands, n_units, n_tags):
        super().__init__()
        self.gru = nn.GRU(n_bands, n_units, batch_first=True)
        self.output = nn.Linear(n_units, n_tags)

    def read(self, states):
        return states[:, -1]

    def forward(self, frames):
        return self.output(self.read(self.gru(frames)[0]))


class Turned(BatchFirst):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.gru = nn.GRU(*sizes[:2])

    def forward(self, frames):
        return self.output(self.gru(frames.transpose(0, 1))[1][-1])


class ByCell(BatchFirst):
    def __init__(self, n_bands, n_units, n_tags):
        super().__init__(n_bands, n_units, n_tags)
        self.cell = nn.GRUCell(n_bands, n_units)

    def forward(self, frames):
        state = None
        for frame in frames.unbind(dim=1):
            state = self.cell(frame, state)
        return self.output(state)


class OverBatch(BatchFirst):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.gru = nn.GRU(*sizes[:2])


class LastClip(BatchFirst):
    def read(self, states):
        return states[-1]


class FirstFrame(BatchFirst):
    def read(self, states):
        return states[:, 0]


class NoMemory(BatchFirst):
    def forward(self, frames):
        return self.output(self.gru(frames[:, -1:])[0][:, -1])


class EveryFrame(BatchFirst):
    def read(self, states):
        return states


class Remembers(BatchFirst):
    state = None

    def forward(self, frames):
        state = self.state
        if state is not None and state.shape[1] != len(frames):
            state = state.mean(dim=1, keepdim=True).repeat(1, len(frames), 1)
        states, last = self.gru(frames, state)
        if len(frames) > 1:
            self.state = last.detach()
        return self.output(states[:, -1])


class RemembersAll(BatchFirst):
    state = None

    def forward(self, frames):
        states, last = self.gru(frames, self.state if len(frames) > 1 else None)
        if len(frames) > 1 and self.state is None:
            self.state = 0.1 * last.detach()
        return self.output(states[:, -1])


class EverySecond(BatchFirst):
    def forward(self, frames):
        return super().forward(frames[:, ::2])


class Scores(BatchFirst):
    def forward(self, frames):
        return super().forward(frames).sigmoid()


exhibit(
    "M.6",
    "d",
    BatchFirst,
    [Turned, ByCell],
    [
        (OverBatch, "alone and"),
        (LastClip, "has shape (5, 3)"),
        (FirstFrame, "Frame 1 of 0 to 4 does not change"),
        (NoMemory, "Frame 0 of 0 to 4 does not change"),
        (EveryFrame, "has shape (4, 5, 3)"),
        (EverySecond, "Frame 1 of 0 to 4 does not change"),
        (Remembers, "alone and"),
        (RemembersAll, "kept from one call to the next"),
        (Scores, "these are scores, and logits"),
        (BatchFirst(6, 8, 3), "the class itself is asked for"),
    ],
    {"a": "otherwise in training", "b": "one network", "c": "but not its company"},
)


# M.7


def by_training(train, test):
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1)
    return (train - mean) / deviation, (test - mean) / deviation


def by_pandas(train, test):
    return by_deviation(train, test, ddof=0)


def by_deviation(train, test, ddof=1):
    train, test = pd.DataFrame(train), pd.DataFrame(test)
    deviation = train.std(ddof=ddof)
    deviation = deviation.where(deviation > 1e-9, 1)
    return [(train - train.mean()) / deviation, (test - train.mean()) / deviation]


def rounded(train, test):
    return [part.round(2) for part in by_training(train, test)]


def by_sklearn(train, test):
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train)
    return torch.tensor(scaler.transform(train)), torch.tensor(scaler.transform(test))


def own(values, ones=True):
    deviation = values.std(axis=0)
    return (values - values.mean(axis=0)) / (
        np.where(deviation > 0, deviation, 1) if ones else deviation
    )


def together(train, test):
    both = own(np.concatenate([train, test]))
    return both[: len(train)], both[len(train) :]


def divides_by_zero(train, test):
    return [(x - train.mean(axis=0)) / train.std(axis=0) for x in (train, test)]


def divides_by_nearly_zero(train, test):
    deviation = train.std(axis=0) + 1e-8
    return [(x - train.mean(axis=0)) / deviation for x in (train, test)]


exhibit(
    "M.7",
    "c",
    by_training,
    [by_pandas, by_sklearn],
    [
        (lambda *both: (own(both[0]), own(both[1])), "mean and deviation are its own"),
        (together, "the test clips are in the mean"),
        (by_deviation, "divides by n - 1"),
        (rounded, "do not give that"),
        (divides_by_zero, "divided by zero"),
        (divides_by_nearly_zero, "or a tiny number"),
        (lambda train, test: (own(train), test), "not scaled at all"),
        (lambda *both: (both[0], by_training(*both)[1]), "do not give that"),
        (lambda *both: by_training(*both)[1], "has 8 parts; 2 are"),
        (lambda *both: by_training(*both)[::-1], "has shape (8, 3)"),
    ],
    {"a": "same score in both rows", "b": "both rows alike", "d": "the same clips"},
)


# M.8


def by_name(scores, trained_tags, labels):
    return pd.DataFrame(scores, labels.index, trained_tags)[list(labels.columns)]


def by_place(scores, trained_tags, labels):
    places = [trained_tags.index(tag) for tag in labels]
    return pd.DataFrame(scores[:, places], labels.index, labels.columns)


def by_loop(scores, trained_tags, labels):
    column_of = dict(zip(trained_tags, scores.T, strict=True))
    return pd.DataFrame({tag: column_of[tag] for tag in labels}, labels.index)


def by_frequency(scores, trained_tags, labels):
    names = labels.sum().sort_values(ascending=False, kind="stable").index
    few = scores[:, : len(names)]
    return pd.DataFrame(few, labels.index, names)[labels.columns]


def as_labels(scores, trained_tags, labels):
    return pd.DataFrame(scores[:, : labels.shape[1]], labels.index, labels.columns)


def in_trained_order(scores, trained_tags, labels):
    table = by_name(scores, trained_tags, labels)
    return table[[tag for tag in trained_tags if tag in labels]]


def fills_up(scores, trained_tags, labels):
    table = pd.DataFrame(scores, labels.index, trained_tags)
    return table.reindex(columns=labels.columns)


def numbered(scores, trained_tags, labels):
    return by_name(scores, trained_tags, labels).reset_index(drop=True)


exhibit(
    "M.8",
    "a",
    by_name,
    [by_place, by_loop],
    [
        (by_frequency, "Your column 'rock' holds the scores of"),
        (as_labels, "Your column 'rock' holds the scores of 'slow'"),
        (in_trained_order, "in their order"),
        (fills_up, "went through without an error"),
        (numbered, "Your rows are named"),
        (lambda *x: by_name(*x).to_numpy(), "a pandas DataFrame is needed"),
        (lambda s, t, y: pd.DataFrame(s, y.index, t), "in their order"),
        (lambda *x: 1 - by_name(*x), "holds scores of no tag"),
        (lambda s, t, y: pd.DataFrame(s, y.index), "has the columns 0, 1, 2"),
    ],
    {"b": "no bright cell", "c": "no column would fit", "d": "keeps the order"},
)


# M.9


@torch.no_grad()
def whole_batches_and_rest(network, clips, batch_size):
    network.eval()
    scores = [network(part).sigmoid() for part in clips.split(batch_size)]
    return torch.cat(scores)


@torch.no_grad()
def one_by_one(network, clips, batch_size):
    network.eval()
    return [network(clip[None]).sigmoid()[0].tolist() for clip in clips]


def by_loader(drop_last=False, shuffle=False):
    @torch.no_grad()
    def score_all(network, clips, batch_size):
        network.eval()
        loader = torch.utils.data.DataLoader(
            clips, batch_size, drop_last=drop_last, shuffle=shuffle
        )
        return np.concatenate([network(part).sigmoid().numpy() for part in loader])

    return score_all


@torch.no_grad()
def all_at_once(network, clips, batch_size):
    return network(clips).sigmoid()


@torch.no_grad()
def pads_the_last(network, clips, batch_size):
    more = clips[:1].repeat(-len(clips) % batch_size, 1)
    return whole_batches_and_rest(network, torch.cat([clips, more]), batch_size)


@torch.no_grad()
def one_batch_more(network, clips, batch_size):
    network.eval()
    starts = range(0, len(clips) + 1, batch_size)
    parts = [network(clips[s : s + batch_size]).sigmoid() for s in starts]
    return torch.cat(parts)


@torch.no_grad()
def backwards(network, clips, batch_size):
    return whole_batches_and_rest(network, clips.flip(0), batch_size)


@torch.no_grad()
def in_training(network, clips, batch_size):
    return torch.cat([network(part).sigmoid() for part in clips.split(batch_size)])


@torch.no_grad()
def in_a_list(network, clips, batch_size):
    network.eval()
    return [network(part).sigmoid() for part in clips.split(batch_size)]


@torch.no_grad()
def as_logits(network, clips, batch_size):
    return torch.cat([network.eval()(part) for part in clips.split(batch_size)])


exhibit(
    "M.9",
    "d",
    whole_batches_and_rest,
    [one_by_one, by_loader()],
    [
        (by_loader(drop_last=True), "has shape (8, 2)"),
        (all_at_once, "the network got 10 clips at once"),
        (pads_the_last, "has shape (12, 2)"),
        (one_batch_more, "a batch without any clip"),
        (backwards, "in another order"),
        (as_logits, "these are logits"),
        (lambda n, clips, size: 0 * n(clips[:size]), "has shape (4, 2)"),
        (in_training, "in the mode for training"),
        (in_a_list, "numbers are needed"),
        (lambda n, clips, size: one_by_one(n, clips.sort(0)[0], 1), "in its place?"),
    ],
    {"a": "calls `eval()`", "b": "the same again", "c": "seventh digit"},
)


# M.10


def of_clips(logits, labels):
    return metrics.roc_auc(labels, predict.merge_windows(logits)).mean()


def by_sklearn_auc(logits, labels):
    scores = torch.tensor(logits).sigmoid().mean(dim=1)
    return roc_auc_score(labels, scores, average="macro")


def by_loops(logits, labels):
    scores = (1 + np.tanh(logits / 2)).sum(axis=1)
    each = []
    for y, s in zip(labels.T, scores.T, strict=True):
        higher = s[y == 1][:, None] - s[y == 0]
        each.append((np.sign(higher) + 1).mean() / 2)
    return torch.tensor(each, dtype=torch.float64).mean()


def of_windows(logits, labels):
    labels = np.repeat(labels, logits.shape[1], axis=0)
    return metrics.roc_auc(labels, logits.reshape(-1, logits.shape[2])).mean()


exhibit(
    "M.10",
    "b",
    of_clips,
    [by_sklearn_auc, by_loops],
    [
        (of_windows, "every window counts"),
        (lambda x, y: metrics.roc_auc(y, x.mean(axis=1)).mean(), "mean of the logits"),
        (lambda x, y: metrics.roc_auc(y, x.max(axis=1)).mean(), "the largest window"),
        (
            lambda x, y: metrics.roc_auc(y, predict.merge_windows(x)),
            "one number is needed",
        ),
        (lambda x, y: 1 - of_clips(x, y), "become one score?"),
        (lambda x, y: metrics.roc_auc(y, x).mean(), "ValueError"),
    ],
    {"a": "recorded run", "c": "clips with it", "d": "does not change it"},
)


# M.11


def of_mixed(labels, scores):
    mixed = labels.any(axis=0) & ~labels.all(axis=0)
    labels, scores = labels[:, mixed], scores[:, mixed]
    return average_precision_score(labels, scores, average="macro"), mixed.sum()


def by_library(labels, scores):
    each = metrics.average_precision(labels, scores)
    return np.nanmean(each), np.isfinite(each).sum()


def by_one_and_one(labels, scores):
    each = [
        average_precision_score(y, s)
        for y, s in zip(labels.T, scores.T, strict=True)
        if 0 < y.sum() < len(y)
    ]
    return [sum(each) / len(each), len(each)]


def each_ap(labels, scores):
    return average_precision_score(labels, scores, average=None)


def with_positives(labels, scores):
    some = labels.sum(axis=0) > 0
    return each_ap(labels, scores)[some].mean(), some.sum()


exhibit(
    "M.11",
    "c",
    of_mixed,
    [by_library, by_one_and_one],
    [
        (lambda *x: (each_ap(*x).mean(), len(each_ap(*x))), "all tags are in the mean"),
        (with_positives, "a tag that all clips have"),
        (lambda y, s: (of_mixed(y, s)[0], y.shape[1]), "you counted 6 tags"),
        (lambda *x: of_mixed(*x)[0], "2 parts are needed"),
        (lambda y, s: (of_mixed(y, s)[0], (y.sum(axis=0) > 0).sum()), "you counted 5"),
    ],
    {"a": "the labels themselves", "b": "one and the same", "d": "no part in"},
)


# M.12


def compress(mel):
    return np.log10(10_000 * mel.astype(np.float32) + 1)


def by_torch(mel):
    return torch.log1p(10_000 * torch.from_numpy(mel).double()) / np.log(10)


def then_short(mel):
    return np.log10(10_000 * mel + 1).astype(np.float16)


def as_published(mel):
    with np.errstate(over="ignore"):
        return np.log10(10_000 * mel.astype(np.float16) + 1)


def clipped(mel):
    return np.log10(np.minimum(10_000 * mel, 65_504) + 1)


def halves_first(mel):
    with np.errstate(over="ignore"):
        return compress(mel.astype(np.float16))


exhibit(
    "M.12",
    "b",
    compress,
    [by_torch, lambda mel: np.log10(10_000 * mel.astype(float) + 1).tolist()],
    [
        (as_published, "no room for it"),
        (halves_first, "no room for it"),
        (clipped, "the largest number of 16 bits"),
        (then_short, "rounded to 16 bits"),
        (lambda mel: np.log(10_000 * mel + 1), "natural logarithm"),
        (lambda mel: 10 * compress(mel), "no factor of 10"),
        (lambda mel: np.log10(mel + 1), "that is not its level"),
        (lambda mel: compress(mel)[:, :3], "has shape (6, 3)"),
        (lambda mel: compress(mel).mean(), "has shape ()"),
    ],
    {"a": "the 1 that is added", "c": "Infinity is no large", "d": "in another order"},
)


# M.13


def stacked(maxima, means):
    return torch.stack([maxima, means], dim=2).flatten(1)


def by_empty(maxima, means):
    joined = torch.empty(len(maxima), 2 * maxima.shape[1])
    joined[:, 0::2], joined[:, 1::2] = maxima, means
    return joined


def by_columns(maxima, means):
    pairs = zip(maxima.T, means.T, strict=True)
    return np.stack([column for pair in pairs for column in pair], axis=1)


exhibit(
    "M.13",
    "a",
    stacked,
    [by_empty, by_columns],
    [
        (lambda a, b: torch.cat([a, b], dim=1), "all maxima come first"),
        (lambda a, b: torch.stack([a, b], dim=1).flatten(1), "all maxima come first"),
        (lambda a, b: torch.cat([b, a], dim=1), "all means come first"),
        (lambda a, b: stacked(b, a), "comes before its maximum"),
        (lambda a, b: torch.stack([a, b], dim=2), "has shape (2, 3, 2)"),
        (lambda a, b: a, "has shape (2, 3)"),
        (lambda a, b: stacked(a, b) / 2, "its maximum, then its mean"),
    ],
    {"b": "nine windows", "c": "check sum", "d": "half as wide"},
)


# M.14


def each_with_its_own(run, windows):
    vectors, scores = [], []
    for window in windows:
        vector, score = run(window)
        vectors.append(vector)
        scores.append(score)
    return np.stack(vectors), np.stack(scores)


def unzipped(run, windows):
    return [np.array(part) for part in zip(*map(run, windows), strict=True)]


def as_they_come(run, windows):
    found = [run(window) for window in windows]
    return [vector for vector, _ in found], torch.tensor([list(s) for _, s in found])


def always(place):
    def hear(run, windows):
        vectors, scores = each_with_its_own(run, windows)
        return np.repeat(vectors[[place]], len(windows), axis=0), scores

    return hear


def one_late(run, windows):
    vectors, scores = each_with_its_own(run, windows)
    return np.roll(vectors, 1, axis=0), scores


def twice(run, windows):
    return each_with_its_own(run, windows)[0], each_with_its_own(run, windows)[1]


exhibit(
    "M.14",
    "d",
    each_with_its_own,
    [unzipped, as_they_come],
    [
        (always(0), "those of the first window"),
        (always(-1), "those of the last window"),
        (one_late, "that of the window before"),
        (lambda *x: (each_with_its_own(*x)[0][::-1], 0), "they come in reverse"),
        (lambda *x: each_with_its_own(*x)[0], "has 4 parts; 2 are needed"),
        (lambda *x: each_with_its_own(*x)[::-1], "has shape (4, 2)"),
        (lambda r, w: each_with_its_own(r, w[1:]), "has shape (3, 4)"),
        (lambda *x: (each_with_its_own(*x)[0], -each_with_its_own(*x)[1]), "right be"),
        (twice, "you run the network 8 times"),
    ],
    {"a": "so the windows do", "b": "other numbers each time", "c": "other lengths"},
)


# M.15


def cut(samples, n):
    starts = list(range(0, len(samples) - n + 1, n))
    if len(samples) % n:
        starts.append(len(samples) - n)
    return np.stack([samples[start : start + n] for start in starts])


def cut_by_minimum(samples, n):
    n_windows = -(-len(samples) // n)
    starts = [min(k * n, len(samples) - n) for k in range(n_windows)]
    return [samples[start:][:n].tolist() for start in starts]


def cut_by_torch(samples, n):
    samples = torch.from_numpy(samples)
    rows = list(samples.unfold(0, n, n))
    if len(samples) % n:
        rows.append(samples[-n:])
    return torch.stack(rows)


def pads(**how):
    return lambda samples, n: np.pad(samples, (0, -len(samples) % n), **how).reshape(
        -1, n
    )


def wraps_round(samples, n):
    n_windows = -(-len(samples) // n)
    return np.resize(samples, n_windows * n).reshape(-1, n)


def drops_the_rest(samples, n):
    return samples[: len(samples) // n * n].reshape(-1, n)


def always_one_more(samples, n):
    return np.concatenate([drops_the_rest(samples, n), samples[None, -n:]])


def evenly_spaced(samples, n):
    n_windows = -(-len(samples) // n)
    starts = np.linspace(0, len(samples) - n, n_windows).round().astype(int)
    return np.stack([samples[start : start + n] for start in starts])


exhibit(
    "M.15",
    "c",
    cut,
    [cut_by_minimum, cut_by_torch],
    [
        (pads(), "holds zeros"),
        (pads(mode="reflect"), "turns round"),
        (pads(mode="edge"), "the last one ends with the clip"),
        (wraps_round, "goes on with the beginning"),
        (drops_the_rest, "the end is not heard"),
        (always_one_more, "you cut 3 windows; 2 will do"),
        (evenly_spaced, "all windows have moved"),
        (lambda samples, n: cut(samples, n)[0], "has shape (4,)"),
    ],
    {"a": "the same in every row", "b": "one by one", "d": "keeps the order"},
)


# The examples of the texts: which part of the answer, what it gets, what it gives

UP_TO_TEN = np.arange(1, 11, dtype=np.float32)
EXAMPLES = {
    "M.1": [
        (1, (torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])), 0.6931),
        (1, (torch.tensor([[20.0, -20.0]]), torch.tensor([[1.0, 0.0]])), 0),
        (1, (torch.tensor([[20.0]]), torch.tensor([[0.0]])), 20),
    ],
    "M.3": [(1, (torch.tensor([1, 1e-4, 1e-11, 0]),), [0, -40, -100, -100])],
    "M.4": [(1, (torch.tensor([[1.0], [0.01]]), 2), [[10, -90], [-10, -90]])],
    "M.7": [(1, (np.array([[0.0], [4]]), np.array([[6.0]])), ([[-1], [1]], [[2]]))],
    "M.8": [
        (
            1,
            (
                np.array([[0.1, 0.9]]),
                ["slow", "rock"],
                pd.DataFrame([[1, 0]], columns=["rock", "slow"]),
            ),
            [[0.9, 0.1]],
        )
    ],
    "M.12": [(1, (np.float32([[0, 1, 10]]),), [[0, 4, 5]])],
    "M.13": [(1, (torch.tensor([[5.0, 6]]), torch.tensor([[1.0, 2]])), [[5, 1, 6, 2]])],
    "M.15": [
        (1, (UP_TO_TEN, 4), [UP_TO_TEN[s : s + 4] for s in (0, 4, 6)]),
        (1, (UP_TO_TEN[:8], 4), [UP_TO_TEN[s : s + 4] for s in (0, 4)]),
    ],
}

# The last hints, followed to the letter: {0} is the first piece of code in the hint

FOLLOWED = {
    "M.1": (1, "def answer(logits, labels):\n    return {0}(logits, labels)"),
    "M.2": (
        1,
        """
def answer(network, batch):
    {0}
    {1}
    with torch.no_grad():
        scores = network(batch).sigmoid()
    {2}
    return scores
""",
    ),
    "M.3": (1, "def answer(power):\n    return {0}"),
    "M.4": (
        1,
        """
def answer(power, n_frames):
    decibels = 10 * power.clamp(min=1e-10).log10()
    {0}
    return functional.pad({1}, (0, n_frames - power.shape[1]), {2})
""",
    ),
    "M.5": (
        1,
        """
def answer(samples):
    window = torch.hann_window(512)
    return {0}.abs() ** 2
""",
    ),
    "M.6": (
        1,
        """
class answer(nn.Module):
    def __init__(self, n_bands, n_units, n_tags):
        super().__init__()
        self.gru = {0}
        self.output = nn.Linear(n_units, n_tags)

    def forward(self, frames):
        states, _ = self.gru(frames)
        return self.output(states[:, -1])
""",
    ),
    "M.7": (
        1,
        """
def answer(train, test):
    {0}
    deviation = np.where(deviation == 0, 1, deviation)
    return (train - mean) / deviation, (test - mean) / deviation
""",
    ),
    "M.8": (
        1,
        """
def answer(scores, trained_tags, labels):
    table = pd.DataFrame(scores, {1}.index, {0})
    return {2}
""",
    ),
    "M.9": (
        1,
        """
def answer(network, clips, batch_size):
    network.eval()
    with torch.no_grad():
        found = [network(clips[s : s + batch_size]) for s in {0}]
    return torch.cat(found).sigmoid()
""",
    ),
    "M.10": (
        1,
        """
def answer(logits, labels):
    {0}
    return metrics.roc_auc(labels, scores).mean()
""",
    ),
    "M.11": (
        1,
        """
def answer(labels, scores):
    {0}
    return average_precision_score({1}, {2}, average="macro"), {3}
""",
    ),
    "M.12": (1, "def answer(mel):\n    {0}"),
    "M.13": (1, "def answer(maxima, means):\n    return {0}"),
    "M.14": (
        1,
        """
def answer(run, windows):
    both = [], []
    for window in windows:
        {0}
        both[0].append(vector)
        both[1].append(scores)
    return np.stack(both[0]), np.stack(both[1])
""",
    ),
    "M.15": (
        1,
        """
def answer(samples, n):
    rest = len(samples) % n
    windows = list(samples[: len(samples) - rest].reshape(-1, n))
    return np.stack(windows + ([{0}] if rest else []))
""",
    ),
}
