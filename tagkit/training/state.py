"""The state of a training, and last.pt, from which it goes on after any end.

last.pt is replaced after every epoch, at once: it is the old one or the new one. It
holds weights, best weights, optimizer, schedule, random states and history; the order
of the clips follows from seed and epoch. What a stop loses is the epoch it came in.

Notebook: course/07_scaling_up.ipynb
"""

import contextlib
import io
import math
import pickle
import tempfile
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from tagkit.files import write_atomically
from tagkit.machine import devices, processes
from tagkit.training import checkpoints

SUMS = ("checksum of training clips and labels", "checksum of validation ones")


@dataclass
class History:
    """What a training run measured: a dict per epoch.

    Attributes:
        epochs: epoch, loss, valid_loss, valid_roc_auc, valid_ap, seconds, waiting
            (share of the seconds spent waiting for data), learning_rate.
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
        sign = 1 if self.keep == "valid_loss" else -1
        return min(self.epochs, key=lambda e: sign * e[self.keep])


class State:
    """All that changes while a model is trained, in memory and in the folder of a run.

    Made at the start of a run, it goes on from last.pt if that is there. In a job of
    several processes the first one reads and writes, the others get what it read.

    Attributes:
        history: a dict per whole epoch.
        best: the weights of the best one; before it, those at the start.

    Raises: ValueError for a folder of another run, or a last.pt that is none; OSError
    if nothing can be written there.
    """

    def __init__(self, run_dir, config, model, optimizer, schedule, history, parts):
        self.run_dir = Path(run_dir) if run_dir is not None else None
        self.config, self.model, self.optimizer = config, model, optimizer
        self.schedule, self.history = schedule, history
        self.train, self.valid = parts
        self.best = self._weights()
        self.device = next(model.parameters()).device
        if self.run_dir is not None:
            _check_folder(self.run_dir)
            state = processes.from_first(self._read)
            if state is not None:
                self._restore(state)

    def end_epoch(self, row: dict):
        """Take the figures of an epoch: keep its weights if it is the best, save."""
        keep = self.config.keep
        if math.isnan(row[keep]):
            raise ValueError(
                f"{keep} is not a number: no tag is on some of the validation clips "
                "and not on others; choose other tags or clips, or keep='valid_loss'"
            )
        flat = [row["valid_loss"]] if self.config.schedule == "plateau" else []
        self.history.epochs.append(row)
        self.schedule.step(*flat)
        if self.history.best is row:
            self.best = self._weights()
        if self.run_dir is not None and processes.is_first():
            try:
                self._save()
            except OSError as error:
                for name in ("last.pt.tmp", "best.safetensors.tmp"):
                    with contextlib.suppress(OSError):
                        (self.run_dir / name).unlink(missing_ok=True)
                raise OSError(
                    f"epoch {row['epoch']} could not be saved in {self.run_dir}: "
                    f"{error.strerror or error}; what was saved before is still whole: "
                    "make room there, or copy the folder to where there is, and the "
                    "same training goes on"
                ) from error
        processes.wait()

    def _save(self):
        """Write best.safetensors if this epoch was the best, then last.pt."""
        if self.history.best is self.history.epochs[-1]:
            path, epoch = self.run_dir / "best.safetensors", self.history.best
            checkpoints.save_weights(
                path, self.model, self.best, self.config, self.train, epoch
            )
        buffer = io.BytesIO()
        state = {"model": self.model.state_dict(), "best": self.best}
        state |= {"epochs": self.history.epochs, "run": self._identity()}
        state |= {"optimizer": self.optimizer.state_dict()}
        state |= {"schedule": self.schedule.state_dict()}
        state |= {"random": devices.random_states(self.device)}
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
        except (
            zipfile.BadZipFile,
            *(pickle.UnpicklingError, RuntimeError, EOFError, OSError),
            *(KeyError, TypeError, IndexError, ValueError),
        ) as error:
            raise ValueError(
                f"{path} cannot be read as the state of a run "
                f"({str(error).partition(chr(10))[0] or type(error).__name__}); delete "
                "it to start again"
            ) from None
        return state

    def _restore(self, state):
        """Go on from a state, if it is of this run."""
        mine, its = self._identity(), state["run"]
        # Older states know no checksums, those of version 0.3 fewer settings: all off.
        differs = [
            f"{key} there {its.get(key)}, here {value}; "
            for key, value in mine.items()
            if value
            != its.get(key, value if key in SUMS else checkpoints.LATER.get(key))
        ]
        if differs:
            raise ValueError(
                f"{self.run_dir} holds another run: {''.join(differs)}name another "
                "folder or delete that one"
            )
        checkpoints.set_weights(self.model, state["model"], self.run_dir / "last.pt")
        for group in state["optimizer"]["param_groups"]:  # of this device, not the last
            group["fused"] = self.optimizer.defaults.get("fused")
        self.optimizer.load_state_dict(state["optimizer"])
        for weight, kept in self.optimizer.state.items():  # lies in memory as it does
            for name, value in kept.items():
                if value.shape == weight.shape:
                    kept[name] = torch.empty_like(weight).copy_(value)
        self.schedule.load_state_dict(state["schedule"])
        random = state["random"]
        random = random if isinstance(random, dict) else {"cpu": random}  # 0.3
        devices.set_random_states(random, self.device)
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
        model = {"model": type(self.model).__name__, "arguments": self.model.arguments}
        clips = {"clips": self.train.about, "tags": list(self.train.labels.columns)}
        sums = (_checksum(part) for part in (self.train, self.valid))
        return model | settings | clips | dict(zip(SUMS, sums, strict=True))


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
