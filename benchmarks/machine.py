"""The machine under the figures: what it is, and what it can do at most.

Each benchmark measures these limits in its own run and prints them beside its figures:
a machine is never quite the same twice. `python benchmarks/machine.py` prints them.
"""

import os
import platform
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from tagkit.data import corpus

CPU = torch.device("cpu")


def fastest(work, n=5, device=CPU):
    """Seconds: one try to warm up, then the smallest of n."""
    return min([seconds(work, device) for _ in range(n + 1)][1:])


def seconds(work, device=CPU):
    """Seconds of one try."""
    wait(device)
    start = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - start


def peak() -> float:
    """The most memory that this process has held, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # there getrusage tells that of the process before it, too
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def wait(device):
    """A GPU answers before it is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def flop_rate(device=CPU, dtype=torch.float32) -> float:
    """FLOP a second of a large matrix product, which hardly anything exceeds."""
    n = 2048 if device.type == "cpu" else 8192
    square = torch.randn(n, n, device=device).to(dtype)
    return 2 * n**3 / fastest(lambda: square @ square, device=device)


def memory_rate(device=CPU) -> float:
    """Bytes a second, read and written, of a large copy."""
    n = 10**8 if device.type == "cpu" else 10**9
    source = torch.ones(n, dtype=torch.int32, device=device)
    target = torch.empty_like(source)
    return 8 * n / fastest(lambda: target.copy_(source), device=device)


def copy_rate(device) -> float:
    """Bytes a second from pinned memory to a GPU."""
    source = torch.zeros(2**28, dtype=torch.uint8).pin_memory()
    target = torch.empty_like(source, device=device)
    return 2**28 / fastest(lambda: target.copy_(source), device=device)


def disk_rate(folder: Path | None = None) -> tuple[float, float]:
    """Bytes a second written, and read again after the cache has forgotten them."""
    data = np.random.default_rng(0).bytes(2**28)
    with tempfile.TemporaryFile(dir=folder or corpus.DATA) as file:
        start = time.perf_counter()
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        written = time.perf_counter() - start
        forget(file)
        file.seek(0)
        start = time.perf_counter()
        while file.read(2**24):
            pass
        return 2**28 / written, 2**28 / (time.perf_counter() - start)


def forget(file):
    """Ask the system to drop a file from its cache; what is mapped may stay."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def describe(device=CPU) -> str:
    """Processor or GPU, cores, versions, and the limits, in a paragraph."""
    name = _processor()
    if device.type == "cuda":
        name = f"{torch.cuda.get_device_name(device)} beside {name}"
    text = (
        f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, torch "
        f"{torch.__version__}. Limits, measured in the same run: matrix products "
        f"{_tera(flop_rate(device))} in float32"
    )
    if device.type == "cuda":
        text += f", {_tera(flop_rate(device, torch.bfloat16))} in bf16"
    text += f"; memory {memory_rate(device) / 1e9:.0f} GB/s, read and written"
    if device.type == "cuda":
        return (
            f"{text}; from pinned memory to the GPU {copy_rate(device) / 1e9:.0f} GB/s."
        )
    written, read = disk_rate()
    return f"{text}; disk {written / 1e9:.1f} GB/s written, {read / 1e9:.1f} read."


def write(script: str, text: str):
    """Write what a script found beside it, as markdown."""
    Path(script).with_suffix(".md").write_text(text.rstrip() + "\n")


def table(columns: list[str], rows: list[list]) -> str:
    """A table in markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _tera(rate):
    return f"{rate / 1e12:.3g} TFLOP/s"


def _processor():
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    print(describe())
    if torch.cuda.is_available():
        print(describe(torch.device("cuda")))
