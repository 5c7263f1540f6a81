"""Many processes, one training: what a job started by torchrun needs.

torchrun starts a process per device. Each computes the gradient of its part of every
batch; PyTorch's DistributedDataParallel averages them, so all hold the same weights.
Without torchrun every function here does nothing, and costs nothing.
"""

import atexit
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import distributed, nn
from torch.distributed.rendezvous import rendezvous

PATIENCE = 300  # seconds to wait for the others


def start():
    """Meet the other processes, if torchrun has started this one.

    Without a GPU they talk through gloo, with GPUs through NCCL. A process that meets
    nobody for PATIENCE seconds ends, so that torchrun starts all of them again.

    >>> start()
    >>> place()
    (0, 1)
    """
    if "TORCHELASTIC_RUN_ID" in os.environ and not distributed.is_initialized():
        alarm = threading.Timer(PATIENCE, _give_up)
        alarm.daemon = True
        alarm.start()
        try:
            # On one machine torchrun keeps one store over all restarts, and with it
            # the addresses of processes that died: look under another name each time.
            store, rank, n_ranks = next(rendezvous("env://"))
            if os.environ.get("GROUP_WORLD_SIZE") == "1":
                attempt = os.environ["TORCHELASTIC_RESTART_COUNT"]
                store = distributed.PrefixStore(f"attempt {attempt}", store)
            distributed.init_process_group(store=store, rank=rank, world_size=n_ranks)
        finally:
            alarm.cancel()
        atexit.register(_leave)


def _leave():
    """Leave the job, once gloo's threads have put down the tensors of the last sum.

    They need Python for that, and abort the process if it has ended (torch 2.11). To
    sleep is to let them run.
    """
    time.sleep(0.2)
    distributed.destroy_process_group()


def _give_up():
    """End a process that waits in vain; gloo itself would wait for half an hour."""
    print(f"met no other process in {PATIENCE} s, ending", file=sys.stderr, flush=True)
    os._exit(1)


def place() -> tuple[int, int]:
    """Say which process this is, counted from 0, and how many there are.

    >>> place()
    (0, 1)
    """
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def is_first() -> bool:
    """Say whether this process is the one that prints and writes.

    >>> is_first()
    True
    """
    return place()[0] == 0


def wrap(model: nn.Module) -> nn.Module:
    """Let the gradients of all processes be averaged after each backward pass.

    Batch norm takes the statistics of the whole batch on GPUs (SyncBatchNorm, which
    knows no CPU); on CPUs each process takes those of its part, and the first one's
    running statistics are kept.

    >>> wrap(nn.Linear(2, 2))
    Linear(in_features=2, out_features=2, bias=True)
    """
    if place()[1] == 1:
        return model
    if next(model.parameters()).is_cuda:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return nn.parallel.DistributedDataParallel(model)


def this_device() -> torch.device:
    """Give the device of this process: its own GPU, or the CPU.

    >>> this_device().type in ("cuda", "cpu")
    True
    """
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device("cpu")


def total(value: float) -> float:
    """Sum a number over the processes.

    >>> total(3)
    3
    """
    if place()[1] == 1:
        return value
    values = torch.tensor(value, dtype=torch.float64)
    distributed.all_reduce(values)
    return values.item()


def gather(value: Any) -> list:
    """Give every process the values of all, in their order.

    >>> gather("a")
    ['a']
    """
    n_ranks = place()[1]
    if n_ranks == 1:
        return [value]
    values = [None] * n_ranks
    distributed.all_gather_object(values, value)
    return values


def from_first(make: Callable[[], Any]) -> Any:
    """Give every process what the first one makes, such as a file that it reads.

    >>> from_first(lambda: 7)
    7
    """
    values = [make() if is_first() else None]
    if place()[1] > 1:
        distributed.broadcast_object_list(values, src=0)
    return values[0]


def share(n: int, chunk: int = 8) -> np.ndarray:
    """Say which of n clips this process scores: every n_ranks-th chunk of clips.

    Whole chunks, so that each clip is computed in the same company as in one process
    and its score is the same to the last digit.

    Shape: positions (n_mine,).

    >>> share(3)
    array([0, 1, 2])
    """
    rank, n_ranks = place()
    clips = np.arange(n)
    return clips[clips // chunk % n_ranks == rank]


def join(mine: np.ndarray, values: np.ndarray | None, n: int) -> np.ndarray:
    """Put together what the processes computed of their shares.

    Args:
        mine: positions, from `share`; values: for them, None if there are none.

    Shape: mine (n_mine,), values (n_mine, ...) -> (n, ...).

    >>> join(np.array([1, 0]), np.array([[5], [6]]), 2)
    array([[6],
           [5]])
    """
    parts = [(at, part) for at, part in gather((mine, values)) if len(at)]
    whole = np.empty((n, *parts[0][1].shape[1:]), parts[0][1].dtype)
    for at, part in parts:
        whole[at] = part
    return whole


def begin_epoch(seed: int, epoch: int):
    """Give each process its own random numbers, for dropout; one keeps its stream.

    Drawn from seed, epoch and process, so that nothing of them has to be saved.

    >>> begin_epoch(0, 1)
    """
    rank, n_ranks = place()
    if n_ranks > 1:
        state = np.random.SeedSequence([seed, epoch, rank]).generate_state(1)
        torch.manual_seed(int(state[0]))


def end_epoch(model: nn.Module):
    """Take the first process' statistics of batch norm, before a model is scored.

    >>> end_epoch(nn.Linear(2, 2))
    """
    if place()[1] > 1:
        for buffer in model.buffers():
            distributed.broadcast(buffer, src=0)


def wait():
    """Wait for all processes, as after writing a checkpoint.

    >>> wait()
    """
    if place()[1] > 1:
        distributed.barrier()
