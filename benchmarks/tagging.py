"""Tagging files: `tagkit tag` beside the package that its network comes from.

20 clips of `mini`, called as a user calls it. Seconds a clip: the time for 21 files
less the time for one, over 20; the median of five rounds. musicnn.py times the network
alone. To measure the other package, pass the Python of an environment that has it;
`make bench` makes one in build/musicnn. That package builds its network anew for each
file and hears nine windows of a clip, tagkit ten. Its spectrograms are made float32
there: as published, in float16, they overflow.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine
import numpy as np

from tagkit.data import corpus

N_CLIPS, ROUNDS = 20, 5
TAGKIT = Path(sys.executable).with_name("tagkit")
OTHER = """
import sys, types
import numpy as np
from musicnn import extractor
extractor.np = types.SimpleNamespace(**vars(np))
extractor.np.float16 = np.float32
for path in sys.argv[1:]:
    scores, tags = extractor.extractor(path, "MTT_musicnn", extract_features=False)
    print(path, [tags[i] for i in scores.mean(axis=0).argsort()[::-1][:3]])
"""


def took(command, cwd):
    """Seconds of a process, and what it said."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_USE_LEGACY_KERAS": "1"}
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | quiet,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{command[:3]} failed:\n{done.stderr[-2000:]}")
    return seconds, done.stdout


def main():
    """Print the table and the ratio."""
    mini = corpus.open("mini")
    files = [str(mini.path(i)) for i in mini.clips.index[:: 480 // (N_CLIPS + 1)]]
    files = files[: N_CLIPS + 1]
    ways = {"tagkit tag": [str(TAGKIT), "tag", "--top", "3"]}
    if len(sys.argv) > 1:
        python = str(Path(sys.argv[1]).absolute())
        ways["musicnn 0.1.0"] = [python, "-c", OTHER]
    found = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            for name, command in ways.items():
                one, _ = took([*command, files[0]], folder)
                many, _ = took([*command, *files], folder)
                found[name].append((one, (many - one) / N_CLIPS))
        helped, _ = took([str(TAGKIT), "--help"], folder)
    rows = [
        [name, *(f"{value:.2f}" for value in np.median(rounds, axis=0))]
        for name, rounds in found.items()
    ]
    print(machine.table(["command", "one file, s", "each further clip, s"], rows))
    print(f"\n`tagkit --help`: {helped:.2f} s.")
    if len(ways) > 1:
        ours, theirs = (np.array(rounds)[:, 1] for rounds in found.values())
        ratios = theirs / ours
        print(
            f"\nmusicnn / tagkit, each further clip: {np.median(ratios):.1f} "
            f"({ratios.min():.1f} to {ratios.max():.1f})."
        )


if __name__ == "__main__":
    main()
