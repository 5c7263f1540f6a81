"""Notebooks that run as tests have no front end: widgets show their static form."""

import os
from pathlib import Path

os.environ["TAGKIT_STATIC"] = "1"


def pytest_configure(config):
    """Compare neither the bytes of embedded sounds nor those of pictures."""
    rules = Path(__file__).parent / "tests" / "nbval_sanitize.cfg"
    config.option.nbval_sanitize_with = str(rules)
