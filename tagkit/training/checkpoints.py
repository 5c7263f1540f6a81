"""What a run leaves on the disk, and how it goes on from there.

best.safetensors   the weights of the best epoch, and what they are for
last.pt            all that a run needs to go on: weights, best weights, optimizer,
                   schedule, random states, history; the order of the clips follows from
                   seed and epoch

Each file is there whole or not at all, and none can run code when it is read. Both are
replaced after an epoch, so what a stop loses is the epoch it came in.
"""

import contextlib
import io
import json
import tempfile
import zipfile
import zlib
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from tagkit import models
from tagkit.evaluation.networks import find, shipped  # noqa: F401
from tagkit.evaluation.results import without_nan
from tagkit.files import write_atomically
from tagkit.machine import devices, processes
from tagkit.models.tagger import Tagger


def read_checkpoint(path: str | Path) -> dict:
    """Read what a checkpoint says of itself, without its weights or any code.

    Shape: a dict with model, arguments, tags, about, config, epoch.
    Raises: ValueError if the file is not such a checkpoint.
    """
    try:
        with safe_open(path, "pt") as file:
            return json.loads(file.metadata()["tagkit"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not a checkpoint of tagkit ({error}); needed is a file such as "
            "best.safetensors in the folder of a run"
        ) from None


def load(network: str | Path, tags: list[str] | None = None) -> tuple[Tagger, dict]:
    """Build the model of a checkpoint, with its weights.

    Args:
        network: as in `find`, such as "magnatagatune", "mini/K2C2" or a path.
        tags: as in `load_weights`.

    Shape: the model, in evaluation mode, and what `read_checkpoint` gives.
    Raises: ValueError as `find`, `read_checkpoint`, `models.build` and `load_weights`.
    Notebook: course/05_per_tag_evaluation.ipynb

    >>> model, about = load("mini/K2C2")
    >>> about["tags"][:3]
    ['slow', 'guitar', 'classical']
    """
    path = find(network)
    about = read_checkpoint(path)
    name = about["model"]
    if name not in models.MODELS:
        raise ValueError(
            f"{path} is of {name}, a model of your own; use "
            f"checkpoints.load_weights({name}(...), path)"
        )
    model = models.build(name, **about["arguments"])
    load_weights(model, path, tags)
    return model.eval(), about


def start_from(network: str | Path, n_tags: int) -> Tagger:
    """Build the model of a checkpoint with a new last layer, the rest as it is there.

    Trained on other tags, it is fine-tuned; with Config(freeze=True) only its last
    layer is trained.

    Args:
        network: as in `find`; kept as `start`, which later checkpoints name.

    Raises: ValueError as `load`.

    >>> start_from("mini/K2C2", n_tags=3).output
    Linear(in_features=65, out_features=3, bias=True)
    """
    trained, about = load(network)
    model = models.build(about["model"], **about["arguments"] | {"n_tags": n_tags})
    trained.output = model.output
    model.load_state_dict(trained.state_dict())
    model.start = str(network)
    return model


def load_weights(model: Tagger, path: str | Path, tags: list[str] | None = None):
    """Load a checkpoint's weights into a model of the same kind.

    Args:
        tags: the tags that you are going to use, in order; refused if they are not
            those that the weights were trained on.

    Raises: ValueError, naming both sides, if model, arguments or tags differ.
    """
    about = read_checkpoint(path)
    mine = (type(model).__name__, model.arguments)
    its = (about["model"], about["arguments"])
    if mine != its:
        raise ValueError(
            f"{path} holds {its[0]} with {its[1]}, the model is {mine[0]} with "
            f"{mine[1]}; build it with models.build(about['model'], "
            "**about['arguments']), about = checkpoints.read_checkpoint(path)"
        )
    if tags is not None and list(tags) != about["tags"]:
        both = zip_longest(about["tags"], tags, fillvalue="no tag")
        at, (its, mine) = next((i, p) for i, p in enumerate(both) if p[0] != p[1])
        raise ValueError(
            f"{path} was trained on {len(about['tags'])} tags, yours are {len(tags)}; "
            f"tag {at} is {its!r} there and {mine!r} here; use the checkpoint's own "
            "list, checkpoints.read_checkpoint(path)['tags']"
        )
    with safe_open(path, "pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    set_weights(model, weights, path)


def save_weights(
    path: Path, model: Tagger, weights: dict, *, config, train, epoch: dict
):
    """Write weights of a model and what they are for.

    Args:
        train: the clips it was trained on; epoch: its row of the history.
    """
    tags, about = list(train.labels.columns), train.about
    config = asdict(config)
    save_as(path, model, weights, tags=tags, about=about, config=config, epoch=epoch)


def save_as(
    path: str | Path, model: Tagger, weights: dict, *, tags: list[str], **facts
):
    """Write weights of a model, its tags, and facts of where they come from.

    Args:
        facts: about, config, epoch, as `read_checkpoint` gives them.
    """
    said = {"model": type(model).__name__, "arguments": model.arguments}
    said |= {"tags": tags} | facts
    if hasattr(model, "start"):  # see `start_from`
        said["start"] = model.start
    weights = {name: tensor.cpu().contiguous() for name, tensor in weights.items()}
    data = save(weights, {"tagkit": json.dumps(without_nan(said))})
    write_atomically(Path(path), data)


def set_weights(model: Tagger, weights: dict, path: Path):
    """Set the weights that were read from a file, or say which layers differ.

    Raises: ValueError.
    """
    mine, its = model.state_dict().keys(), weights.keys()
    differ = [*(mine - its), *(its - mine)]
    shapes = [k for k in mine & its if weights[k].shape != model.state_dict()[k].shape]
    if differ or shapes:
        raise ValueError(
            f"{path} does not fit {type(model).__name__}: it has "
            f"{min(its - mine, default='nothing more')}, the model "
            f"{min(mine - its, default='nothing more')}; "
            + (f"{min(shapes)} has another shape; " if shapes else "")
            + "it was written by another version of tagkit, train again"
        )
    model.load_state_dict(weights)


class Run:
    """The folder of a training run: saved there after every epoch, resumed from there.

    In a job of several processes the first one reads and writes.

    Attributes:
        best: the weights of the best epoch; before it, those at the start.
    """

    def __init__(
        self, run_dir, config, model, optimizer, schedule, history, train, valid
    ):
        self.run_dir = Path(run_dir) if run_dir is not None else None
        self.config = config
        self.model = model
        self.optimizer = optimizer
        self.schedule = schedule
        self.history = history
        self.train = train
        self.valid = valid
        self.best = self._weights()

    @contextlib.contextmanager
    def resumed(self, stop):
        """Resume from last.pt, if there is one; at the end, load the best weights.

        Args:
            stop: a `train.Interrupts`; no interruption leaves half of the weights.

        Raises: ValueError for a folder of another run, or a last.pt that is none;
        OSError if nothing can be written there.
        """
        if self.run_dir is not None:
            _check_folder(self.run_dir)
            state = processes.from_first(self._read)
            if state is not None:
                self._restore(state)
        try:
            yield
        finally:
            with stop.held():
                self.model.load_state_dict(self.best)

    def save(self):
        """Keep the weights if the last epoch is the best, and write the run to disk.

        Raises: OSError, if the disk is full or failing; the files stay as they were.
        """
        if self.history.best is self.history.epochs[-1]:
            self.best = self._weights()
        if self.run_dir is not None and processes.is_first():
            try:
                self._write()
            except OSError as error:
                for name in ("last.pt.tmp", "best.safetensors.tmp"):
                    with contextlib.suppress(OSError):
                        (self.run_dir / name).unlink(missing_ok=True)
                raise OSError(
                    f"epoch {len(self.history.epochs)} could not be saved in "
                    f"{self.run_dir}: {error.strerror or error}; what was saved before "
                    "is still whole: make room there, or copy the folder to where "
                    "there is, and the same call resumes"
                ) from error
        processes.wait()

    def _write(self):
        """Write best.safetensors if this epoch was the best, then last.pt."""
        if self.history.best is self.history.epochs[-1]:
            save_weights(
                self.run_dir / "best.safetensors",
                self.model,
                self.best,
                config=self.config,
                train=self.train,
                epoch=self.history.best,
            )
        device = next(self.model.parameters()).device
        state = {
            "run": self._identity(),
            "epochs": self.history.epochs,
            "model": self.model.state_dict(),
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": devices.random_states(device),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomically(self.run_dir / "last.pt", buffer.getvalue())

    def _read(self):
        """Read last.pt; None if there is none."""
        path = self.run_dir / "last.pt"
        if not path.exists():
            return None
        try:
            with zipfile.ZipFile(path) as archive:  # PyTorch writes checksums, too, but
                damaged = archive.testzip()  # does not look at them
            if damaged:
                raise ValueError(f"its part {damaged} is damaged")
            state = torch.load(path, "cpu", weights_only=True)
            dict(state["run"])  # or it is none of ours
        except Exception as error:  # a damaged file raises errors of many kinds
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise ValueError(
                f"{path} cannot be read as the state of a run ({reason}); delete it to "
                "start again"
            ) from None
        return state

    def _restore(self, state):
        """Go on from a state, if it is of this run."""
        # A setting that an older version did not know is at its default there.
        defaults = asdict(type(self.config)())
        saved = defaults | state["run"]
        differs = [
            f"{name} there {saved.get(name)}, here {value}; "
            for name, value in self._identity().items()
            if value != saved.get(name)
        ]
        if differs:
            raise ValueError(
                f"{self.run_dir} holds another run: {''.join(differs)}name another "
                "folder or delete that one"
            )
        set_weights(self.model, state["model"], self.run_dir / "last.pt")
        for group in state["optimizer"]["param_groups"]:  # of this device, not the last
            group["fused"] = self.optimizer.defaults.get("fused")
        self.optimizer.load_state_dict(state["optimizer"])
        for weight, kept in self.optimizer.state.items():  # lies in memory as it does
            for name, value in kept.items():
                if value.shape == weight.shape:
                    kept[name] = torch.empty_like(weight).copy_(value)
        self.schedule.load_state_dict(state["schedule"])
        device = next(self.model.parameters()).device
        devices.set_random_states(state["random"], device)
        self.history.epochs.extend(state["epochs"])
        self.best = state["best"]

    def _weights(self):
        state = self.model.state_dict()
        return {name: tensor.detach().clone() for name, tensor in state.items()}

    def _identity(self):
        """What must be the same for a run to go on."""
        settings = asdict(self.config)
        for free in ("epochs", "patience", "device", "compile"):
            del settings[free]
        return {
            "model": type(self.model).__name__,
            "arguments": self.model.arguments,
            "start": getattr(self.model, "start", None),
            **settings,
            "clips": self.train.about,
            "tags": list(self.train.labels.columns),
            "checksum of training clips and labels": _checksum(self.train),
            "checksum of validation ones": _checksum(self.valid),
        }


def _checksum(part):
    """Tell whether a part has the same clips with the same labels."""
    ids = ",".join(map(str, part.labels.index)).encode()
    return zlib.crc32(part.labels.to_numpy(np.uint8).tobytes(), zlib.crc32(ids))


def _check_folder(run_dir):
    """See that a folder can be written to, before an epoch is lost."""
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=run_dir) as file:
            file.write(b"0")
    except OSError as error:
        raise OSError(
            f"nothing can be written in {run_dir}: {error.strerror}; name another "
            "run_dir, or None to keep nothing"
        ) from error
