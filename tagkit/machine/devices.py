"""The device: which one, how precise, what fits into its memory."""

import ctypes
import os
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache

import torch
from torch import nn

from tagkit.machine import processes

PRECISIONS = ("float32", "bf16")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # names of glibc's malloc.h
RESIDENT = 0.6  # share of the free memory for samples; the rest is for training


def best() -> torch.device:
    """Choose CUDA if there is one, else MPS (Apple), else the CPU."""
    if torch.cuda.is_available():
        return processes.this_device()
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def choose(name: str | None = None) -> torch.device:
    """Choose the device of this name, or the best one.

    Under torchrun, "cuda" is the GPU of this process.

    Raises: ValueError if this machine has no such device.
    """
    if name is None:
        return best()
    kinds = ["cpu"]
    if torch.cuda.is_available():
        kinds.append("cuda")
    if torch.backends.mps.is_available():
        kinds.append("mps")
    if name.partition(":")[0] not in kinds:
        raise ValueError(
            f"device {name!r} is not on this machine; needed is None, which takes the "
            f"best, or one of {', '.join(kinds)}"
        )
    return processes.this_device() if name == "cuda" else torch.device(name)


def precision(wanted: str | None, device: torch.device) -> str:
    """Choose the precision: the wanted one, else bf16 on CUDA and float32 elsewhere.

    bf16 has the range of float32 and 8 of its 24 bits of precision. PyTorch uses it
    for convolutions and matrix products only (autocast); weights, loss and optimizer
    stay float32.

    Raises: ValueError for another name.
    """
    if wanted not in (None, *PRECISIONS):
        raise ValueError(
            f"precision {wanted!r} is unknown; needed is None, which takes bf16 on "
            "CUDA, 'float32' or 'bf16'"
        )
    if wanted is None:
        able = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return "bf16" if able else "float32"
    return wanted


def casting(wanted: str | None, device: torch.device) -> AbstractContextManager:
    """Make the context in which a forward pass has the wanted precision."""
    if precision(wanted, device) == "float32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def place(model: nn.Module, device: torch.device, wanted: str | None = None):
    """Move a model to a device, in the layout and arithmetic that are fast there.

    On CUDA, filters of 2-D convolutions are laid out with channels last. From then on,
    this process multiplies float32 as TF32, of 11 bits, if the precision is bf16, and
    in full if it is float32 (where PyTorch itself would round convolutions).
    """
    model.to(device)
    if device.type == "cpu":
        keep_freed_memory()
    if device.type == "cuda":
        torch.cuda.set_device(device)
        channels_last(model)
        is_short = precision(wanted, device) == "bf16"
        torch.set_float32_matmul_precision("high" if is_short else "highest")
        torch.backends.cudnn.allow_tf32 = is_short


@cache
def keep_freed_memory():
    """Let glibc keep freed memory, from now on in this process.

    By default it returns large blocks to the system and asks for them again a moment
    later. On a CPU, a training step with large layers waits for that half of its time.
    TAGKIT_KEEP_MEMORY=0 in the environment switches this off.
    """
    if os.environ.get("TAGKIT_KEEP_MEMORY") == "0":
        return
    library = ctypes.CDLL(None) if os.name == "posix" else None
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(M_MMAP_THRESHOLD, 2**30)
        library.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def channels_last(model: nn.Module):
    """Order the filters of 2-D convolutions in memory as GPUs multiply them fastest."""
    if any(isinstance(layer, nn.Conv2d) for layer in model.modules()):
        model.to(memory_format=torch.channels_last)


def summary(device: torch.device, wanted: str | None = None) -> str:
    """Give device, precision and number of processes in one line."""
    name = str(device)
    if device.type == "cuda":
        name += f" ({torch.cuda.get_device_name(device)})"
    n_ranks = processes.place()[1]
    many = f", {n_ranks} processes" if n_ranks > 1 else ""
    return f"{name}, {precision(wanted, device)}{many}"


def free_memory(device: torch.device) -> int:
    """Give the free bytes of a GPU; 0 on other devices."""
    if device.type != "cuda":
        return 0
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + kept


def has_room(n_bytes: int, device: torch.device) -> bool:
    """Say whether samples can stay on a GPU beside the training itself."""
    return n_bytes <= RESIDENT * free_memory(device)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell lack of memory from other errors, on every kind of device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    words = ("out of memory", "not enough memory", "can't allocate memory")
    words += ("ALLOC_FAILED",)  # of CUDA's libraries
    return isinstance(error, RuntimeError) and any(w in str(error) for w in words)


@contextmanager
def explain_shortage(device: torch.device):
    """Say what to do if the memory of a device is too small for a block of code.

    Raises: MemoryError in place of PyTorch's own error.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        reason = str(error).partition("\n")[0] or "out of memory"
        raise MemoryError(
            f"the memory of {device} is too small: {reason}; compute each batch in "
            "parts (accumulate=2 or more), or take a smaller batch_size or width of "
            "the model, or more processes"
        ) from error


def mark(device: torch.device) -> torch.cuda.Event | None:
    """Mark the end of the work given to a GPU so far; None on other devices."""
    if device.type != "cuda":
        return None
    event = torch.cuda.Event()
    event.record()
    return event


def is_done(mark: torch.cuda.Event | None) -> bool:
    """Say whether the work before a mark is done, as it always is on a CPU."""
    return mark is None or mark.query()


def random_states(device: torch.device) -> dict[str, torch.Tensor]:
    """Read the states of all random generators that training on a device uses.

    Shape: a vector of bytes each.
    """
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_states(states: dict[str, torch.Tensor], device: torch.device):
    """Set the states of random generators, except those of another kind of device.

    Shape: as `random_states` gives them.
    """
    torch.set_rng_state(states["cpu"])
    if device.type in states and device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type in states and device.type == "mps":
        torch.mps.set_rng_state(states["mps"])
