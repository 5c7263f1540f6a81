"""Checks that answer back: `check("1.2", answer)` and `hint("1.2")`.

    notes.py      the coloured boxes that a learner sees
    records.py    which tasks are done, in one small file that stays on this computer
    engine.py     tasks, the three outcomes, hints; calls a learner's function
    values.py     reads a learner's answer, whatever its type: list, array, tensor ...
    tensors.py    the same for tensors and networks: builds, runs and compares them
    lessonNN.py   the tasks of lesson NN: what is asked, its hints, and its probe
    museum.py     the same for the museum of silent bugs
    classroom.py  what a class has handed in, for teachers

A teacher adds a task by writing one decorated probe in `lessonNN.py`, its cells in
`solutions/NN_….ipynb`, and right and typical wrong answers in
`solutions/answers_NN.py`, with which tests try the probe. No solution stands here.
"""

from tagkit.checks.classroom import handed_in
from tagkit.checks.engine import check, hint, progress

__all__ = ["check", "handed_in", "hint", "progress"]
