"""Training in many processes, as started by torchrun.

torchrun starts a process per device. Each computes the gradient of its part of every
batch; PyTorch's DistributedDataParallel averages them, so all hold the same weights.
Without torchrun the functions here do nothing.
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
    """Join the other processes, if torchrun has started this one.

    They communicate through NCCL, or through gloo without GPUs. A process that waits
    alone for PATIENCE seconds ends, so that torchrun starts all of them again.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ and not distributed.is_initialized():
        alarm = threading.Timer(PATIENCE, _give_up)
        alarm.daemon = True
        alarm.start()
        try:
            # On one machine torchrun keeps its store over restarts, and in it the
            # addresses of processes that died: use another prefix each time.
            store, rank, n_ranks = next(rendezvous("env://"))
            if os.environ.get("GROUP_WORLD_SIZE") == "1":
                attempt = os.environ["TORCHELASTIC_RESTART_COUNT"]
                store = distributed.PrefixStore(f"attempt {attempt}", store)
            distributed.init_process_group(store=store, rank=rank, world_size=n_ranks)
        finally:
            alarm.cancel()
        atexit.register(_leave)


def _leave():
    """Leave the job, once gloo's threads have freed the tensors of the last sum.

    They need Python for that and abort the process if it has ended (torch 2.11); the
    sleep lets them run.
    """
    time.sleep(0.2)
    distributed.destroy_process_group()


def _give_up():
    """End a process that waits in vain; gloo would wait for half an hour."""
    print(f"met no other process in {PATIENCE} s, ending", file=sys.stderr, flush=True)
    os._exit(1)


def place() -> tuple[int, int]:
    """Give the number of this process, from 0, and how many there are."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def is_first() -> bool:
    """Say whether this process is the one that prints and writes."""
    return place()[0] == 0


def wrap(model: nn.Module) -> nn.Module:
    """Average the gradients of all processes after each backward pass.

    On GPUs, batch norm uses the statistics of the whole batch (SyncBatchNorm, which
    knows no CPU). On CPUs each process uses those of its part, and the first one's
    running statistics are kept.
    """
    if place()[1] == 1:
        return model
    if next(model.parameters()).is_cuda:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return nn.parallel.DistributedDataParallel(model)


def this_device() -> torch.device:
    """Give the device of this process: its own GPU, or the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device("cpu")


def total(value: float) -> float:
    """Sum a number over the processes."""
    if place()[1] == 1:
        return value
    values = torch.tensor(value, dtype=torch.float64)
    distributed.all_reduce(values)
    return values.item()


def gather(value: Any) -> list:
    """Give every process the values of all, in their order."""
    n_ranks = place()[1]
    if n_ranks == 1:
        return [value]
    values = [None] * n_ranks
    distributed.all_gather_object(values, value)
    return values


def from_first(make: Callable[[], Any]) -> Any:
    """Give every process what the first one makes, such as the content of a file."""
    values = [make() if is_first() else None]
    if place()[1] > 1:
        distributed.broadcast_object_list(values, src=0)
    return values[0]


def share(n: int, chunk: int = 8) -> np.ndarray:
    """List which of n clips this process scores: every n_ranks-th chunk of clips.

    Whole chunks keep the batches of a single process, and so its scores to the last
    digit.

    Shape: positions (n_mine,).
    """
    rank, n_ranks = place()
    clips = np.arange(n)
    return clips[clips // chunk % n_ranks == rank]


def join(mine: np.ndarray, values: np.ndarray | None, n: int) -> np.ndarray:
    """Put together what the processes computed for their shares.

    Args:
        mine: positions, from `share`.
        values: one for each position; None if there are none.

    Shape: mine (n_mine,), values (n_mine, ...) -> (n, ...).
    """
    parts = [(rows, part) for rows, part in gather((mine, values)) if len(rows)]
    _, first = parts[0]
    whole = np.empty((n, *first.shape[1:]), first.dtype)
    for rows, part in parts:
        whole[rows] = part
    return whole


def begin_epoch(seed: int, epoch: int):
    """Seed each of many processes for dropout; a single one keeps its random stream.

    The seeds follow from seed, epoch and process, so checkpoints need not hold them.
    """
    rank, n_ranks = place()
    if n_ranks > 1:
        state = np.random.SeedSequence([seed, epoch, rank]).generate_state(1)
        torch.manual_seed(int(state[0]))


def end_epoch(model: nn.Module):
    """Take the first process's batch norm statistics, before a model is scored."""
    if place()[1] > 1:
        for buffer in model.buffers():
            distributed.broadcast(buffer, src=0)


def wait():
    """Wait for all processes, as after writing a checkpoint."""
    if place()[1] > 1:
        distributed.barrier()
