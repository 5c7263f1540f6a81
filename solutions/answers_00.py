"""Right and wrong answers to the warm-up task of lesson 00."""

import numpy as np
import torch

from tagkit.checks.engine import Answers
from tagkit.data import corpus

LABELS = corpus.open("mini").labels()
GUITAR = LABELS["guitar"]

ANSWERS: dict[str, Answers] = {
    "0.1": Answers(
        int(GUITAR.sum()),
        [
            GUITAR.sum(),
            float(GUITAR.sum()),
            torch.tensor(int(GUITAR.sum())),
            np.array([GUITAR.sum()]),
        ],
        [
            (len(LABELS), "that is every clip"),
            ((GUITAR == 0).sum(), "clips without the tag"),
            (GUITAR.mean(), "a count is asked for"),
            (1, "that is not the count"),
            ("guitar", "one number is needed"),
        ],
    )
}

# The last hint, followed to the letter: see tests/test_exercises.py

FOLLOWED = {"0.1": (None, "answer = {0}")}
