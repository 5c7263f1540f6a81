"""Ctrl-C, SIGTERM and the stop button, but never in the middle of a save.

Notebook: course/07_scaling_up.ipynb
"""

import signal
import threading
from contextlib import contextmanager

from tagkit.machine import processes


class Interrupts:
    """While it is entered, SIGINT and SIGTERM raise KeyboardInterrupt.

    SIGINT is what Ctrl-C and the stop button of a notebook send; SIGTERM what `kill`
    and batch systems send. Only Python's main thread gets signals, so that elsewhere
    nothing changes. In a job of several processes nothing changes either: one that
    stopped alone would leave the others waiting, torchrun ends them all.

    >>> try:
    ...     with Interrupts() as interrupts, interrupts.held():
    ...         signal.raise_signal(signal.SIGTERM)
    ...         print("saved")
    ... except KeyboardInterrupt:
    ...     print("stopped")
    saved
    stopped

    Notebook: course/07_scaling_up.ipynb
    """

    def __init__(self):
        self.is_held, self.asked, self.before = False, False, {}

    def __enter__(self):
        main = threading.current_thread() is threading.main_thread()
        if main and processes.place()[1] == 1:
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:  # as with nohup
                    self.before[number] = signal.signal(number, self._answer)
        return self

    def __exit__(self, *_):
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _answer(self, number, frame):
        if not self.is_held:
            raise KeyboardInterrupt
        self.asked = True

    @contextmanager
    def held(self):
        """Hold interruptions back until this block is done."""
        self.is_held = True
        try:
            yield
        finally:
            self.is_held = False
        if self.asked:
            self.asked = False
            raise KeyboardInterrupt
