"""The way to the device: everything comes, in order, and errors where they belong."""

import itertools
import threading
import time

import pytest
import torch

from tagkit.data import feed
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


def test_ahead_makes_no_more_than_it_may():
    made, asked = [], threading.Event()

    def source():
        for i in itertools.count():
            made.append(i)
            if i == 3:
                asked.set()
            yield i

    stream = feed.ahead(source(), n=2)
    assert next(stream) == 0
    assert asked.wait(900)  # 0 taken, 1 and 2 wait, 3 is in hand
    assert len(made) == 4
    stream.close()


def test_ahead_ends_its_thread_when_nobody_listens():
    before = set(threading.enumerate())
    stream = feed.ahead(itertools.count())
    next(stream)
    (worker,) = set(threading.enumerate()) - before
    stream.close()
    worker.join(900)
    assert not worker.is_alive()


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
