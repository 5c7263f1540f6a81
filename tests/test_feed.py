"""The way to the device: everything comes, in order, and errors where they belong."""

import itertools
import threading
import time

import pytest
import torch

from tagkit.data import batches, feed
from tagkit.machine import devices


def test_ahead_gives_all_in_order():
    assert list(feed.ahead(range(100))) == list(range(100))
    assert list(feed.ahead([])) == []
    assert list(feed.ahead([None, None])) == [None, None]


def test_ahead_raises_where_the_batch_would_have_come():
    def broken():
        yield 1
        raise OSError("the disk is gone")

    made = feed.ahead(broken())
    assert next(made) == 1
    with pytest.raises(OSError, match="disk is gone"):
        next(made)


def test_ahead_ends_its_thread():
    """Python aborts if it ends while a thread is still inside PyTorch."""
    before = set(threading.enumerate())
    stream = feed.ahead(time.sleep(0.05) or i for i in itertools.count())
    assert next(stream) == 0
    (thread,) = set(threading.enumerate()) - before
    stream.close()
    assert not thread.is_alive()


def test_ahead_makes_as_many_as_it_may_and_no_more():
    made = []
    n_made = threading.Semaphore(0)

    def source():
        for i in itertools.count():
            made.append(i)
            n_made.release()
            yield i

    stream = feed.ahead(source(), n=2)
    assert next(stream) == 0
    for _ in range(3):  # 0 is taken, 1 and 2 wait
        assert n_made.acquire(timeout=900)
    assert not n_made.acquire(timeout=0.1)
    assert made == [0, 1, 2]
    stream.close()


@pytest.mark.parametrize("is_idle", [True, False])
def test_only_a_device_that_has_nothing_to_do_waits(monkeypatch, is_idle):
    monkeypatch.setattr(devices, "is_done", lambda mark: is_idle)

    class Slow:
        def epoch(self, k):
            for _ in range(3):
                time.sleep(0.05)
                yield torch.zeros(2, 4), torch.zeros(2, 1)

    fed = feed.Feed(Slow(), torch.device("cpu"), 4, 1)
    assert len(list(fed.epoch(1))) == 3
    assert (fed.waiting > 0.04) == is_idle


def test_another_device_gets_int16_and_makes_samples_of_it():
    """No GPU is needed: what is on "meta" has a shape and a type alone."""
    moved = []

    class Crops:
        epoch = None  # makes samples at once, as a CPU wants them

        def cuts(self, k):
            yield torch.ones(3, 5, dtype=torch.int16), torch.ones(3, 2)

        def finish(self, cuts):
            moved.append((cuts.dtype, cuts.device.type))
            return batches.finish(cuts)

    steps = feed.Feed(Crops(), torch.device("meta"), 5, 2)
    (batch,) = steps.epoch(1)
    assert moved == [(torch.int16, "meta")]
    assert batch.samples.is_meta and batch.samples.dtype == torch.float32
    assert batch.labels.is_meta and batch.n == 3
