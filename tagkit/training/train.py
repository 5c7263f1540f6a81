"""Training: one loop, its settings, its history, and what it leaves on the disk.

Notebook: course/02_raw_waveform_cnns.ipynb
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from tagkit.data import batches
from tagkit.data.feed import Feed
from tagkit.evaluation import metrics, predict
from tagkit.machine import devices, processes
from tagkit.models.tagger import Tagger
from tagkit.training.augment import Augment
from tagkit.training.interrupts import Interrupts
from tagkit.training.state import History, State
from tagkit.training.steps import Gradients, Losses


@dataclass(frozen=True)
class Config:
    """The settings of a training run, plain values only.

    Args:
        epochs: passes over the training clips.
        batch_size: windows in a step, of all processes together.
        crops_per_clip: windows of each clip in an epoch; ten short ones see as much
            sound as one whole clip.
        optimizer: "adam" or "sgd"; learning_rate and weight_decay for both, momentum
            and nesterov for sgd, whose steps momentum makes 1 / (1 - momentum) times
            as long.
        schedule: None; "plateau" multiplies the rate by factor after flat_epochs
            epochs without a better validation loss; "decay" does so every epoch.
        patience: stop after so many epochs without a better one; None never does.
        keep: whose weights are kept, the epoch of the lowest "valid_loss" or of the
            highest "valid_roc_auc". With few clips the loss soon punishes a network
            for being too sure, while it still learns to rank.
        start_at_prior: begin with each tag's share of the training clips as its score,
            see `start_at_prior`; the first epochs need not learn how rare tags are.
        seed: of order, windows and dropout. Seed torch before the model is built too.
        device: "cuda", "mps", "cpu"; None takes the best there is.
        precision: "float32" or "bf16"; None is bf16 on CUDA, see `devices.precision`.
        compile: let torch.compile write kernels for the model; the first steps take a
            minute longer, and a CPU needs a C++ compiler.
        augment: names from `augment.AUGMENTATIONS`, such as ("gain", "mix").

    >>> Config(epochs=3).batch_size
    16

    Notebook: course/02_raw_waveform_cnns.ipynb
    """

    epochs: int = 10
    batch_size: int = 16
    crops_per_clip: int = 1
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    schedule: str | None = None
    factor: float = 0.2
    flat_epochs: int = 3
    patience: int | None = None
    keep: str = "valid_loss"
    start_at_prior: bool = False
    seed: int = 0
    device: str | None = None
    precision: str | None = None
    compile: bool = False
    augment: tuple[str, ...] | None = None

    def __post_init__(self):
        if isinstance(self.augment, str):
            object.__setattr__(self, "augment", self.augment.split(","))
        object.__setattr__(self, "augment", tuple(self.augment or ()) or None)


def fit(
    model: Tagger,
    train: batches.Examples,
    valid: batches.Examples,
    config: Config,
    run_dir: str | Path | None = None,
    log: Callable[[str], None] | None = print,
) -> History:
    """Train a model, keep its best weights, and tell how it went.

    Each step: a batch of random windows, logits, binary cross-entropy with logits,
    gradient, step. After each epoch the validation clips are scored, windows merged
    by mean. Whatever ends it, the model then holds the weights of the best epoch, see
    `Config.keep`. Interrupted, it returns the whole epochs so far.

    Args:
        train: or another set with labels, about, a length and `Examples.crops`.
        run_dir: keeps last.pt and best.safetensors there after every epoch, and goes
            on from last.pt if it is there; on a CPU the result is the same as
            without a stop.
        log: is given a line per epoch; None for silence.

    Raises: ValueError if model, tags or an earlier run do not fit; OSError if an epoch
    cannot be saved or the store is gone; FloatingPointError if the loss is not finite.

    >>> from tagkit import models
    >>> from tagkit.data import corpus, store
    >>> mini = corpus.open("mini")
    >>> valid = batches.examples(mini, store.prepare(mini), "valid").take(4)
    >>> history = fit(models.DielemanRaw(), valid, valid, Config(epochs=1), log=None)
    >>> len(history.epochs)
    1

    Notebook: course/02_raw_waveform_cnns.ipynb
    """
    processes.start()
    log = log if log and processes.is_first() else _silent
    device = _check_fit(model, train, valid, config)
    torch.manual_seed(config.seed)
    devices.place(model, device, config.precision)
    if config.start_at_prior:
        start_at_prior(model, train.labels)
    optimizer = make_optimizer(model, config)
    schedule = make_schedule(optimizer, config)
    history = History(keep=config.keep)
    augment = Augment(config.augment, config.seed)
    state = State(run_dir, config, model, optimizer, schedule, history, (train, valid))
    sizes = config.batch_size, config.crops_per_clip, config.seed
    crops = train.crops(model.n_samples, model.sample_rate, *sizes)
    feed = Feed(crops, device, model.n_samples, train.labels.shape[1])
    gradients = Gradients(model, config, device, log)
    try:
        with Interrupts() as interrupts:
            while len(history.epochs) < config.epochs and not _is_flat(history, config):
                epoch = len(history.epochs) + 1
                model.train()
                processes.begin_epoch(config.seed, epoch)
                start, losses = time.perf_counter(), Losses(epoch, feed, config)
                for number, batch in enumerate(feed.epoch(epoch)):
                    optimizer.zero_grad()
                    loss = gradients(augment(batch, epoch, number))
                    losses.add(loss, batch.n)  # which must be finite
                    optimizer.step()
                row = {"epoch": epoch, "loss": losses.mean()}
                seconds = time.perf_counter() - start
                row |= validate(model, valid)
                row |= {"seconds": seconds, "waiting": feed.waiting / seconds}
                row |= {"learning_rate": optimizer.param_groups[0]["lr"]}
                with interrupts.held():
                    state.end_epoch(row)
                    log(line(row, config))
    except KeyboardInterrupt:
        _say_interrupted(history, run_dir, log)
    finally:
        with Interrupts() as interrupts, interrupts.held():
            model.load_state_dict(state.best)
    return history


def start_at_prior(model: Tagger, labels: pd.DataFrame):
    """Set the last biases so that an ignorant model gives each tag its share.

    Otherwise the first epochs push all logits from 0 to about -3. A recurrent network
    does that with its states, which saturate and learn nothing more.

    Args:
        labels: of the training clips; a share of 0 or 1 is kept from being certain.

    Shape: labels (n_clips, n_tags).

    >>> from tagkit import models
    >>> model, labels = models.DielemanRaw(n_tags=1), pd.DataFrame({"a": [0, 0, 0, 1]})
    >>> start_at_prior(model, labels)
    >>> model.output.bias.sigmoid().item()
    0.30...

    Notebook: course/04_crnn.ipynb
    """
    share = (labels.sum() + 0.5) / (len(labels) + 1)
    with torch.no_grad():
        bias = model.output.bias
        bias.copy_(torch.tensor(share.to_numpy(), dtype=bias.dtype).logit())


def make_optimizer(model: nn.Module, config: Config) -> torch.optim.Optimizer:
    """Make the optimizer that a config names.

    Raises: ValueError for another name.

    >>> type(make_optimizer(nn.Linear(2, 2), Config())).__name__
    'Adam'

    Notebook: course/02_raw_waveform_cnns.ipynb
    """
    shared = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    if next(model.parameters()).is_cuda:
        shared["fused"] = True  # one kernel for all weights
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

    >>> optimizer = make_optimizer(nn.Linear(2, 2), Config())
    >>> make_schedule(optimizer, Config(schedule="decay", factor=0.9)).gamma
    0.9

    Notebook: course/02_raw_waveform_cnns.ipynb
    """
    schedules = torch.optim.lr_scheduler
    if config.schedule == "plateau":
        # PyTorch counts how many flat epochs it still bears.
        patience = config.flat_epochs - 1
        return schedules.ReduceLROnPlateau(
            optimizer, "min", config.factor, patience, threshold=0.0
        )
    if config.schedule in (None, "decay"):
        factor = config.factor if config.schedule else 1.0
        return schedules.ExponentialLR(optimizer, factor)
    raise ValueError(
        f"schedule {config.schedule!r} is unknown; needed is None, 'plateau' or 'decay'"
    )


def validate(model: Tagger, valid: batches.Examples) -> dict[str, float]:
    """Score clips, windows merged by mean: loss per window, macro ROC-AUC and AP.

    In float32, whatever the precision of the training, so that a checkpoint scores the
    same later, but for TF32 on GPUs. Several processes score a part each.

    Shape: a dict with valid_loss, valid_roc_auc, valid_ap; nan where no tag has both
    positives and negatives.
    Raises: FloatingPointError if the loss is not a finite number.

    >>> from tagkit import models
    >>> from tagkit.data import corpus, store
    >>> mini = corpus.open("mini")
    >>> valid = batches.examples(mini, store.prepare(mini), "valid").take(4)
    >>> sorted(validate(models.DielemanRaw(), valid))
    ['valid_ap', 'valid_loss', 'valid_roc_auc']

    Notebook: course/02_raw_waveform_cnns.ipynb
    """
    processes.end_epoch(model)
    mine, logits = processes.share(len(valid)), None
    if len(mine):
        part = batches.Examples(valid.store, valid.labels.iloc[mine], valid.about)
        logits = predict.window_logits(model, part)
    logits = processes.join(mine, logits, len(valid))  # (n_clips, n_windows, n_tags)
    labels = torch.tensor(valid.labels.to_numpy(), dtype=torch.float32)
    each = labels[:, None].expand(logits.shape)
    loss = nn.functional.binary_cross_entropy_with_logits(
        torch.from_numpy(logits), each
    )
    if not torch.isfinite(loss):
        raise FloatingPointError(
            f"the loss of the validation clips is {float(loss)} after the last step of "
            "an epoch; try a lower learning rate"
        )
    scores = predict.merge_windows(logits)
    report = metrics.evaluate(valid.labels, scores, n_boot=0)
    return {
        "valid_loss": float(loss),
        "valid_roc_auc": float(report.at["macro", "roc_auc"]),
        "valid_ap": float(report.at["macro", "ap"]),
    }


def line(row: dict, config: Config) -> str:
    """Say an epoch in one line.

    Notebook: course/02_raw_waveform_cnns.ipynb
    """
    return (
        f"epoch {row['epoch']:2d}/{config.epochs}  loss {row['loss']:.4f}  "
        f"valid loss {row['valid_loss']:.4f}  ROC-AUC {row['valid_roc_auc']:.3f}  "
        f"AP {row['valid_ap']:.3f}  {row['seconds']:.1f} s, "
        f"{row['waiting']:.0%} waiting for data"
    )


def _is_flat(history, config):
    """Say whether patience is over: so many epochs without a better one."""
    waited = len(history.epochs) - history.best["epoch"] if history.epochs else 0
    return bool(config.patience) and waited >= config.patience


def _say_interrupted(history, run_dir, log):
    if processes.place()[1] > 1:
        raise  # one process alone cannot stop a job
    history.interrupted, n = True, len(history.epochs)
    holds = f"those of epoch {history.best['epoch']}, the best" if n else "the first"
    then = "nothing was saved: name a run_dir to be able to go on"
    if run_dir is not None:
        then = f"the same call goes on with epoch {n + 1} from {run_dir}"
    log(f"interrupted in epoch {n + 1}; the model's weights are {holds}; {then}")


def _silent(line):
    pass


def _check_fit(model, train, valid, config):
    needed = ["n_samples", "sample_rate", "arguments"]
    needed += ["output"] if config.start_at_prior else []
    missing = [name for name in needed if not hasattr(model, name)]
    if missing:
        raise ValueError(
            f"{type(model).__name__} has no {', '.join(missing)}; a model of your own "
            "derives from tagger.Tagger, and its last layer is called output"
        )
    device = devices.choose(config.device)
    devices.precision(config.precision, device)
    for name in ("batch_size", "crops_per_clip", "flat_epochs", "epochs", "patience"):
        value, least = getattr(config, name), 0 if name == "epochs" else 1
        if value is not None and (not isinstance(value, Integral) or value < least):
            raise ValueError(f"{name} is {value!r}; needed is {least} or more, whole")
    if config.keep not in ("valid_loss", "valid_roc_auc"):
        raise ValueError(
            f"keep is {config.keep!r}; needed is 'valid_loss' or 'valid_roc_auc'"
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
    return device
