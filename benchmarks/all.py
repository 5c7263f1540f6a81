"""Run all benchmarks and write what they find: make bench

On a machine that does nothing else. Writes results.md, a section for each script, the
machine and its limits at the top. A script can be run alone, it prints the same. With a
folder of MagnaTagATune's two tables, `make bench MTT=FOLDER`, these are measured, too.
Left out are gpu.py, which needs a GPU and writes gpu.md, and growth.py, which takes 20
GB of disk and writes growth.md.
"""

import subprocess
import sys
import time
from pathlib import Path

import machine

HERE = Path(__file__).parent
SCRIPTS = ("decode", "reading", "mel", "loop", "steps", "models", "tagging", "musicnn")
SCRIPTS += ("scaling", "startup", "tables")
OTHER = HERE.parent / "build/musicnn/bin/python"  # made by make bench


def main():
    """Run the scripts one after another, each in a process of its own."""
    text = f"# What things cost\n\nWritten by `make bench`. {machine.describe()}\n"
    start = time.perf_counter()
    for name in SCRIPTS:
        print(f"benchmarks/{name}.py ...", flush=True)
        script = HERE / f"{name}.py"
        about = script.read_text().split('"""')[1].strip()
        title, _, about = about.partition(".\n\n")
        words = [sys.executable, script]
        if name == "tagging" and OTHER.exists():
            words.append(OTHER)
        if name == "tables":
            words += sys.argv[1:]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True)
        found = done.stdout.rstrip() if done.returncode == 0 else "It failed."
        text += f"\n## {title}\n\n`python benchmarks/{name}.py`. {about}\n\n{found}\n"
        (HERE / "results.md").write_text(text)
        print(found, flush=True)
    minutes = (time.perf_counter() - start) / 60
    (HERE / "results.md").write_text(f"{text}\nAll of it took {minutes:.0f} minutes.\n")


if __name__ == "__main__":
    main()
