"""Notebooks that run as tests have no front end: widgets show their static form."""

import os

os.environ["TAGKIT_STATIC"] = "1"
