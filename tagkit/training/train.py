"""Training: the settings, the loop, the history.

`fit` is the whole algorithm. What it calls on other pages: `feed` brings the batches,
`augment` changes them, `checkpoints` keeps the run on the disk. The file is
long so that settings, loop and history can be read together.
"""

import math
import signal
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from numbers import Integral
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from tagkit.data import batches, feed
from tagkit.evaluation import metrics, predict
from tagkit.machine import devices, processes
from tagkit.models.tagger import Tagger
from tagkit.training import checkpoints
from tagkit.training.augment import Augment


@dataclass(frozen=True)
class Config:
    """The settings of a training run, plain values only.

    Args:
        epochs: passes over the training clips.
        batch_size: windows in a step, of all processes together.
        accumulate: number of micro-batches in a batch, computed one after another in
            a fraction of the memory; their gradients add up to that of the batch. Batch
            norm sees each micro-batch alone.
        crops_per_clip: windows of each clip in an epoch; ten short ones see as much
            sound as one whole clip.
        optimizer: "adam" or "sgd". learning_rate and weight_decay apply to both,
            momentum and nesterov to sgd only; momentum makes its steps 1 / (1 -
            momentum) times as long.
        loss: "window", the cross-entropy of each window's logits; "clip", that of the
            mean logits of a clip's windows, crops_per_clip of them in one batch; "mse",
            the squared error of each window's scores. The validation loss follows.
        class_weights: weigh a tag's positives by how many negatives it has for each,
            so that rare tags count as much as frequent ones. Scores are then no shares.
        schedule: None; "plateau" multiplies the rate by factor after flat_epochs
            epochs without a better one; "decay" does so every epoch.
        patience: stop after so many epochs without a better one; None never does.
        keep: which weights are kept, those of the epoch with the lowest "valid_loss" or
            with the highest "valid_roc_auc". With few clips the loss soon punishes a
            network for being too sure, while it still learns to rank.
        watch: by what "plateau" and patience call an epoch better: the validation
            clips' "loss" or "roc_auc"; None is what `keep` names.
        details: put each step's loss and the training clips' ROC-AUC into the history,
            too. Scoring these clips takes time.
        start_at_prior: begin with each tag's share of the training clips as its score,
            see `start_at_prior`; the first epochs need not learn how rare tags are.
        freeze: train the last layer only, on what the others give in evaluation mode;
            their weights and what their batch norm has counted stay.
        seed: of order, windows and dropout. Seed torch before the model is built too.
        device: "cuda", "mps", "cpu"; None takes the best there is.
        precision: "float32" or "bf16"; None is bf16 on CUDA, see `devices.precision`.
        compile: let torch.compile write kernels for the model; the first steps take a
            minute longer, and a CPU needs a C++ compiler.
        augment: names from `augment.AUGMENTATIONS`, such as ("gain", "mix").

    Notebook: course/02_raw_waveform_cnns.ipynb
    """

    epochs: int = 10
    batch_size: int = 16
    accumulate: int = 1
    crops_per_clip: int = 1
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    loss: str = "window"
    class_weights: bool = False
    schedule: str | None = None
    factor: float = 0.2
    flat_epochs: int = 3
    patience: int | None = None
    keep: str = "valid_loss"
    watch: str | None = None
    details: bool = False
    start_at_prior: bool = False
    freeze: bool = False
    seed: int = 0
    device: str | None = None
    precision: str | None = None
    compile: bool = False
    augment: tuple[str, ...] | None = None

    def __post_init__(self):
        names = self.augment
        if isinstance(names, str):
            names = names.split(",")
        object.__setattr__(self, "augment", tuple(names or ()) or None)

    @property
    def watched(self) -> str:
        """Name the column of the history that "plateau" and patience look at."""
        return f"valid_{self.watch}" if self.watch else self.keep


@dataclass
class History:
    """What a training run measured, a dict per epoch.

    Attributes:
        epochs: epoch, loss, valid_loss, valid_roc_auc, valid_ap, seconds, waiting
            (share of the seconds spent waiting for data), learning_rate; with details
            train_roc_auc and step_losses, a list.
        keep: see Config.
        interrupted: whether it was stopped by Ctrl-C, SIGTERM or a stop button.
    """

    epochs: list[dict] = field(default_factory=list)
    keep: str = "valid_loss"
    interrupted: bool = False

    def frame(self) -> pd.DataFrame:
        """Give a row per epoch, its number (from 1) in the column epoch."""
        return pd.DataFrame(self.epochs)

    @property
    def best(self) -> dict:
        """The epoch whose weights are kept, as `keep` says."""
        return self.best_by(self.keep)

    def best_by(self, measure: str) -> dict:
        """Give the first epoch with the lowest "valid_loss", or highest of another."""
        sign = 1 if measure == "valid_loss" else -1
        return min(self.epochs, key=lambda row: sign * row[measure])

    def add(self, row: dict):
        """Take the figures of an epoch; raises ValueError if `keep` is not a number."""
        if math.isnan(row[self.keep]):
            raise ValueError(
                f"{self.keep} is not a number: no tag is on some validation clips and "
                "not on others; choose other tags or clips, or keep='valid_loss'"
            )
        self.epochs.append(row)

    def is_over(self, config: Config) -> bool:
        """Say whether all epochs are done, or `patience` of them were no better."""
        n_epochs = len(self.epochs)
        is_flat = False
        if n_epochs and config.patience:
            best = self.best_by(config.watched)
            is_flat = n_epochs - best["epoch"] >= config.patience
        return n_epochs >= config.epochs or is_flat


def fit(
    model: Tagger,
    train: batches.Examples,
    valid: batches.Examples,
    config: Config,
    *,
    run_dir: str | Path | None = None,
    log: Callable[[str], None] | None = print,
) -> History:
    """Train a model, keep the weights of its best epoch, and give the history.

    Stopped by Ctrl-C, SIGTERM or the stop button, it keeps the best epoch so far.

    Args:
        train: `Examples`, or any object with their labels, about, length and crops.
        run_dir: a folder for last.pt and best.safetensors, saved after every epoch. The
            same call resumes there; on a CPU it ends as a run that was never stopped.
        log: called with a line per epoch; None for silence.

    Raises: ValueError if model, tags or an earlier run do not fit; OSError if an epoch
    cannot be saved; FloatingPointError for a loss that is not finite; MemoryError.
    Notebook: course/02_raw_waveform_cnns.ipynb

    >>> from tagkit import models
    >>> from tagkit.data import corpus, store
    >>> mini = corpus.open("mini")
    >>> valid = batches.examples(mini, store.prepare(mini, 12_000), "valid").take(4)
    >>> history = fit(models.DielemanRaw(), valid, valid, Config(epochs=1), log=None)
    """
    processes.start()
    device = devices.choose(config.device)
    _check(model, train, valid, config, device)
    log = log if log and processes.is_first() else _silent
    torch.manual_seed(config.seed)
    devices.place(model, device, config.precision)
    if config.start_at_prior:
        start_at_prior(model, train.labels)
    optimizer = make_optimizer(model, config)
    schedule = make_schedule(optimizer, config)
    history = History(keep=config.keep)
    run = checkpoints.Run(
        run_dir, config, model, optimizer, schedule, history, train, valid
    )
    loader = make_loader(train, model, config, device)
    loss_of = make_loss(config, train.labels)
    augment = Augment(config.augment, config.seed)

    # At its start `resumed` loads last.pt, at its end the best weights.
    with (
        Interrupts() as stop,
        run.resumed(stop),
        devices.explain_shortage(device),
        frozen(model, config.freeze),
    ):
        network = processes.wrap(model)  # DistributedDataParallel, if there are several
        network = torch.compile(network) if config.compile else network
        while not history.is_over(config):
            epoch = len(history.epochs) + 1
            processes.begin_epoch(config.seed, epoch)
            start = time.perf_counter()
            losses, sizes = [], []
            model.train(not config.freeze)
            for number, batch in enumerate(loader.epoch(epoch)):
                batch = augment(batch, epoch, number)
                optimizer.zero_grad()
                loss = 0.0
                for samples, labels, fraction in batch.micro_batches(config.accumulate):
                    with devices.casting(config.precision, device):
                        logits = network(samples)  # (n_windows, n_tags)
                    mean = loss_of(logits.float(), labels)
                    (mean * (fraction * batch.weight)).backward()
                    loss += mean.detach() * fraction
                optimizer.step()
                losses.append(loss)
                sizes.append(batch.n)
            row = {"epoch": epoch, "loss": mean_loss(losses, sizes, loader, epoch)}
            seconds = time.perf_counter() - start
            row |= validate(model, valid, loss_of)
            if config.details:
                row |= {"step_losses": torch.stack(losses).tolist()}
                row |= {"train_roc_auc": validate(model, train)["valid_roc_auc"]}
            row |= {"seconds": seconds, "waiting": loader.waiting / seconds}
            row |= {"learning_rate": optimizer.param_groups[0]["lr"]}
            with stop.held():
                history.add(row)
                step_schedule(schedule, row[config.watched])
                run.save()  # best.safetensors, if it is the best epoch, and last.pt
                log(line(row, config))
    history.interrupted = stop.stopped
    if stop.stopped and not history.is_over(config):
        log(_interrupted(history, run_dir))
    return history


def make_loader(
    train: batches.Examples, model: Tagger, config: Config, device: torch.device
) -> feed.Feed:
    """Make what brings the batches of every epoch to the device.

    Shape: `epoch(k)` yields `feed.Batch`.
    """
    how = {"together": True} if config.loss == "clip" else {}
    crops = train.crops(
        model.n_samples,
        model.sample_rate,
        batch_size=config.batch_size,
        crops_per_clip=config.crops_per_clip,
        seed=config.seed,
        **how,
    )
    return feed.Feed(crops, device, model.n_samples, train.labels.shape[1])


def make_loss(config: Config, labels: pd.DataFrame) -> Callable:
    """Make the loss that a config names: `loss_of` with its options.

    Args:
        labels: of the training clips, for class weights.

    Shape: labels (n_clips, n_tags) -> a function of logits and labels.
    """
    weights = class_weights(labels) if config.class_weights else None
    how = {"kind": config.loss, "n_windows": config.crops_per_clip, "weights": weights}
    return partial(loss_of, **how)


def loss_of(
    logits: torch.Tensor,
    labels: torch.Tensor,
    *,
    kind: str = "window",
    n_windows: int = 1,
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Compute the loss of a batch, the mean over its windows, or clips, and tags.

    Args:
        kind: "window", "clip" or "mse", see `Config`.
        n_windows: for "clip", how many windows of each clip follow one another.
        weights: of each tag's positives, (n_tags,), see `class_weights`.

    Shape: logits, labels (batch, n_tags), or (n_clips, n_windows, n_tags) -> ().

    >>> logits, labels = torch.tensor([[3.0], [-3.0]]), torch.ones(2, 1)
    >>> loss_of(logits, labels), loss_of(logits, labels, kind="clip", n_windows=2)
    (tensor(1.5486), tensor(0.6931))
    """
    weights = None if weights is None else weights.to(logits.device)
    if kind == "clip":
        shape = -1, n_windows, labels.shape[-1]
        logits = logits.reshape(shape).mean(dim=1)  # (n_clips, n_tags)
        labels = labels.reshape(shape).mean(dim=1)
    if kind == "mse":
        errors = (logits.sigmoid() - labels).square()
        if weights is not None:
            errors = errors * (1 + (weights - 1) * labels)
        return errors.mean()
    return binary_cross_entropy_with_logits(logits, labels, pos_weight=weights)


def class_weights(labels: pd.DataFrame) -> torch.Tensor:
    """Count the negatives of each tag for each of its positives.

    Shape: (n_clips, n_tags) -> (n_tags,); a tag without positives has as many as one
    with a single one.

    >>> class_weights(pd.DataFrame({"rare": [1, 0, 0, 0], "frequent": [1, 1, 0, 1]}))
    tensor([3.0000, 0.3333])
    """
    positives = np.maximum(1, labels.sum().to_numpy(np.float32))
    return torch.from_numpy((len(labels) - positives) / positives)


def mean_loss(
    losses: list[torch.Tensor], sizes: list[int], loader: feed.Feed, epoch: int
) -> float:
    """Average the losses of an epoch's batches over its windows, of all processes.

    Args:
        sizes: windows in each batch.

    Shape: losses () each.
    Raises: FloatingPointError, with the first batch whose loss is not finite and its
    clips; ValueError if there was no window.
    """
    values = torch.stack(losses).tolist() if losses else []
    for number, loss in enumerate(values):
        if not math.isfinite(loss):
            clips = ", ".join(map(str, loader.clips(epoch, number))) or "unknown"
            raise FloatingPointError(
                f"the loss is {loss} at epoch {epoch}, batch {number}, clips {clips}; "
                "try a lower learning rate, or look at these clips"
            )
    n_windows = processes.total(sum(sizes))
    if not n_windows:
        raise ValueError("there were no clips to train on")
    weighted = [loss * n for loss, n in zip(values, sizes, strict=True)]
    return processes.total(sum(weighted)) / n_windows


def start_at_prior(model: Tagger, labels: pd.DataFrame):
    """Set the last biases so that an ignorant model gives each tag its share.

    Otherwise the first epochs push all logits from 0 to about -3. A recurrent network
    does that with its states, which saturate and learn nothing more.

    Args:
        labels: of the training clips; a share of 0 or 1 is kept from being certain.

    Shape: labels (n_clips, n_tags).
    """
    share = (labels.sum() + 0.5) / (len(labels) + 1)
    with torch.no_grad():
        bias = model.output.bias
        bias.copy_(torch.tensor(share.to_numpy(), dtype=bias.dtype).logit())


@contextmanager
def frozen(model: Tagger, is_on: bool):
    """Keep all weights but those of the last layer fixed, until this block is done."""
    free = [weight for weight in model.parameters() if weight.requires_grad]
    if is_on:
        model.requires_grad_(False)
        model.output.requires_grad_(True)
    try:
        yield
    finally:
        for weight in free:
            weight.requires_grad_(True)


def make_optimizer(model: nn.Module, config: Config) -> torch.optim.Optimizer:
    """Make the optimizer that a config names.

    Raises: ValueError for another name.
    """
    shared = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    first = next(model.parameters())
    shared |= {"fused": first.is_cuda, "foreach": first.is_cpu}  # all weights at once
    if config.optimizer == "adam":
        return torch.optim.Adam(model.parameters(), **shared)
    if config.optimizer == "sgd":
        shared |= {"momentum": config.momentum, "nesterov": config.nesterov}
        return torch.optim.SGD(model.parameters(), **shared)
    raise ValueError(
        f"optimizer {config.optimizer!r} is unknown; needed is 'adam' or 'sgd'"
    )


def make_schedule(optimizer: torch.optim.Optimizer, config: Config):
    """Make the schedule that a config names, to be stepped after every epoch.

    Raises: ValueError for another name.
    """
    schedules = torch.optim.lr_scheduler
    if config.schedule == "plateau":
        patience = config.flat_epochs - 1  # PyTorch acts when there is one more
        mode = "min" if config.watched == "valid_loss" else "max"
        return schedules.ReduceLROnPlateau(
            optimizer, mode, config.factor, patience, threshold=0.0
        )
    if config.schedule in (None, "decay"):
        factor = config.factor if config.schedule else 1.0  # the rate stays
        return schedules.ExponentialLR(optimizer, factor)
    raise ValueError(
        f"schedule {config.schedule!r} is unknown; needed is None, 'plateau' or 'decay'"
    )


def step_schedule(schedule, watched: float):
    """Let a schedule set the rate of the next epoch, "plateau" by what is watched."""
    if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
        schedule.step(watched)
    else:
        schedule.step()


def validate(
    model: Tagger,
    valid: batches.Examples,
    loss_of: Callable = loss_of,
) -> dict[str, float]:
    """Score clips, windows merged by mean: loss, macro ROC-AUC and AP.

    In float32, whatever the precision of the training, so that a checkpoint that is
    loaded later gets the same scores, TF32 on GPUs aside. Several processes score a
    part of the clips each.

    Args:
        loss_of: see `make_loss`; the loss of a clip is that of all its windows.

    Shape: a dict with valid_loss, valid_roc_auc, valid_ap; nan where no tag has both
    positives and negatives.
    Raises: FloatingPointError if the loss is not a finite number.
    """
    processes.end_epoch(model)
    mine = processes.share(len(valid))
    logits = None
    if len(mine):
        part = batches.Examples(valid.store, valid.labels.iloc[mine], valid.about)
        logits = predict.window_logits(model, part)
    logits = processes.join(mine, logits, len(valid))  # (n_clips, n_windows, n_tags)
    labels = torch.tensor(valid.labels.to_numpy(np.float32))
    each = labels[:, None].expand(logits.shape)
    loss = loss_of(torch.from_numpy(logits), each, n_windows=logits.shape[1])
    if not torch.isfinite(loss):
        raise FloatingPointError(
            f"the loss of the validation clips is {float(loss)} after the last step of "
            "an epoch; try a lower learning rate"
        )
    scores = predict.merge_windows(logits, n_own=predict.own_windows(model, valid))
    report = metrics.evaluate(valid.labels, scores, n_boot=0)
    return {
        "valid_loss": float(loss),
        "valid_roc_auc": float(report.at["macro", "roc_auc"]),
        "valid_ap": float(report.at["macro", "ap"]),
    }


def line(row: dict, config: Config) -> str:
    """Say an epoch in one line."""
    areas = f"ROC-AUC {row['valid_roc_auc']:.3f}  AP {row['valid_ap']:.3f}"
    if math.isnan(row["valid_roc_auc"]):
        areas = "no ROC-AUC (no tag is on some validation clips and not on others)"
    return (
        f"epoch {row['epoch']:2d}/{config.epochs}  loss {row['loss']:.4f}  "
        f"valid loss {row['valid_loss']:.4f}  {areas}  {row['seconds']:.1f} s, "
        f"{row['waiting']:.0%} waiting for data"
    )


class Interrupts:
    """Let SIGINT and SIGTERM end a `with` block quietly, but never in a save.

    SIGINT is what Ctrl-C and the stop button of a notebook send, SIGTERM what `kill`
    and batch systems send. Python gives signals to its main thread alone, so elsewhere
    nothing changes. Nothing changes in a job of several processes either: one that
    stopped alone would leave the others waiting, and torchrun stops them all.

    Attributes:
        stopped: whether the block was ended so.
    """

    def __init__(self):
        self.stopped = False
        self._is_held = False
        self._is_asked = False
        self._handlers = {}

    def __enter__(self):
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and processes.place()[1] == 1:
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:  # as with nohup
                    self._handlers[number] = signal.signal(number, self._answer)
        return self

    def __exit__(self, kind, error, trace):
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self.stopped = kind is KeyboardInterrupt and processes.place()[1] == 1
        return self.stopped

    def _answer(self, number, frame):
        if not self._is_held:
            raise KeyboardInterrupt
        self._is_asked = True

    @contextmanager
    def held(self):
        """Hold interruptions back until this block is done."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        if self._is_asked:
            self._is_asked = False
            raise KeyboardInterrupt


def _interrupted(history, run_dir):
    """Say where a run was stopped, which weights are kept, and how to go on."""
    n_epochs = len(history.epochs)
    holds = "the first"
    if n_epochs:
        holds = f"those of epoch {history.best['epoch']}, the best"
    then = "nothing was saved: name a run_dir to be able to go on"
    if run_dir is not None:
        then = f"the same call goes on with epoch {n_epochs + 1} from {run_dir}"
    return (
        f"interrupted in epoch {n_epochs + 1}; the model's weights are {holds}; {then}"
    )


def _silent(line):
    pass


def _check(model, train, valid, config, device):
    needed = ["n_samples", "sample_rate", "arguments"]
    needed += ["output"] if config.start_at_prior or config.freeze else []
    missing = [name for name in needed if not hasattr(model, name)]
    if missing:
        raise ValueError(
            f"{type(model).__name__} has no {', '.join(missing)}; a model of your own "
            "derives from tagger.Tagger, and its last layer is called output"
        )
    devices.precision(config.precision, device)
    counts = ("batch_size", "accumulate", "crops_per_clip", "flat_epochs", "patience")
    for name in ("epochs", *counts):
        value = getattr(config, name)
        least = 0 if name == "epochs" else 1
        if value is not None and (not isinstance(value, Integral) or value < least):
            raise ValueError(
                f"{name} is {value!r}; needed is a whole number from {least} on"
            )
    for name, known in (
        ("keep", ("valid_loss", "valid_roc_auc")),
        ("watch", (None, "loss", "roc_auc")),
        ("loss", ("window", "clip", "mse")),
    ):
        if getattr(config, name) not in known:
            *others, last = map(repr, known)
            raise ValueError(
                f"{name} is {getattr(config, name)!r}; needed is {', '.join(others)} "
                f"or {last}"
            )
    if config.loss == "clip" and (config.accumulate > 1 or processes.place()[1] > 1):
        raise ValueError(
            "loss 'clip' needs all windows of a clip at once; train in one process, "
            "with accumulate=1"
        )
    is_stream = not isinstance(train, batches.Examples)
    if is_stream and (config.loss == "clip" or config.details):
        raise ValueError(
            "loss 'clip' and details need examples of a store, "
            f"{type(train).__name__} gives windows only; see batches.examples"
        )
    if list(train.labels.columns) != list(valid.labels.columns):
        raise ValueError(
            f"training has {train.labels.shape[1]} tags and validation "
            f"{valid.labels.shape[1]}, or in another order; take both from one tag list"
        )
    n_tags = model.arguments.get("n_tags", train.labels.shape[1])
    if n_tags != train.labels.shape[1]:
        raise ValueError(
            f"the model has {n_tags} outputs, the examples "
            f"{train.labels.shape[1]} tags; build it with that n_tags"
        )
    both = train.labels.index.intersection(valid.labels.index)
    if len(both) and len(both) < len(train):
        raise ValueError(
            f"{len(both)} clips, such as {both[0]}, are in training and in validation; "
            "a score on clips that were trained on says nothing"
        )
