"""What decoding and preparing cost, beside librosa and ffmpeg.

A hundred clips of `mini` (or of the folder that is named), one thread. The ways take
turns; the fastest of five rounds counts. ffmpeg, if it is installed, is started for
each file. The limit is the time to read the files' bytes from the disk. `audio.load`
also checks that the file is complete, and resamples with a better filter (soxr VHQ)
than librosa's default (HQ). Then `store.prepare`: how much of its time is decoding.
Last, how much up to four threads speed up `audio.load`, soundfile, PyAV and librosa.
"""

import dataclasses
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import av
import librosa
import machine
import numpy as np
import soundfile

from tagkit.data import audio, corpus, store

N_CLIPS, ROUNDS = 100, 5


def with_ffmpeg(path):
    """Decode as a program does that calls ffmpeg for every file."""
    form = ["-f", "f32le", "-ac", "1", "-ar", "16000", "-threads", "1", "-"]
    command = ["ffmpeg", "-v", "error", "-i", path, *form]
    done = subprocess.run(command, check=True, capture_output=True)
    return np.frombuffer(done.stdout, np.float32)


def decoding(paths):
    """Print milliseconds a clip of each way to decode the same files."""
    ways = {
        "audio.load": audio.load,
        "soundfile.read alone": lambda path: soundfile.read(path, dtype="float32"),
        "librosa.load at 16 kHz": lambda path: librosa.load(path, sr=16_000),
        "audio.load at 12 kHz": lambda path: audio.load(path, 12_000),
        "librosa.load at 12 kHz": lambda path: librosa.load(path, sr=12_000),
    }
    if shutil.which("ffmpeg"):
        ways["ffmpeg program"] = with_ffmpeg
    for way in ways.values():
        way(paths[0])  # the first call imports and warms up
    times = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            times[name].append(machine.seconds(lambda w=way: list(map(w, paths))))
    rows = []
    for name, found in times.items():
        ms = 1000 * min(found) / len(paths)
        ratio = min(found) / min(times["audio.load"])
        rows.append([name, f"{ms:.2f}", f"{1000 / ms:.0f}", f"{ratio:.2f}"])
    read = sum(path.stat().st_size for path in paths) / machine.disk_rate()[1]
    ratio = read / min(times["audio.load"])
    ms = 1000 * read / len(paths)
    rows.append(["limit, disk", f"{ms:.2f}", f"{1000 / ms:.0f}", f"{ratio:.2f}"])
    print(
        machine.table(["way", "ms a clip", "clips a second", "times audio.load"], rows)
    )


def preparing(music):
    """Print what part of `store.prepare` is decoding, with one thread."""
    found, inside, load = [], [], audio.load

    def timed(*arguments):
        start = machine.time.perf_counter()
        try:
            return load(*arguments)
        finally:
            inside[-1] += machine.time.perf_counter() - start

    audio.load = timed
    for _ in range(ROUNDS):
        inside.append(0.0)
        with tempfile.TemporaryDirectory() as folder:
            how = {"folder": folder, "n_workers": 1}
            found.append(machine.seconds(lambda h=how: store.prepare(music, **h)))
    audio.load = load
    share = inside[int(np.argmin(found))] / min(found)
    print(
        f"\nPreparing {len(music.clips)} clips takes {min(found):.2f} s on one thread,"
    )
    print(f"{share:.0%} of it in audio.load (scaling.py has two threads).\n")


def with_pyav(path):
    """Decode with the libraries of ffmpeg, in this process."""
    with av.open(str(path)) as sound:
        frames = [frame.to_ndarray().mean(axis=0) for frame in sound.decode(audio=0)]
    return np.concatenate(frames)


def drain(pool, way, paths):
    for _ in pool.map(way, paths):
        pass


def threads(paths):
    """Print milliseconds a clip with one to four threads."""
    ways = {
        "audio.load": audio.load,
        "soundfile.read": lambda path: soundfile.read(path, dtype="float32"),
        "PyAV": with_pyav,
        "librosa.load at 16 kHz": lambda path: librosa.load(path, sr=16_000),
    }
    found = {name: [[], [], [], []] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            for n in (1, 2, 3, 4):
                with ThreadPoolExecutor(n) as pool:
                    work = partial(drain, pool, way, paths)
                    found[name][n - 1].append(machine.seconds(work))
    rows = []
    for name, times in found.items():
        best = [1000 * min(some) / len(paths) for some in times]
        rows.append([name, *(f"{ms:.2f}" for ms in best)])
        rows[-1].append(f"{best[0] / min(best):.2f}")
    columns = ["ms a clip", "1 thread", "2", "3", "4", "gain"]
    print(machine.table(columns, rows))


def main():
    """Measure on mini, or the folder that is named."""
    opened = corpus.open(sys.argv[1] if len(sys.argv) > 1 else "mini")
    some = dataclasses.replace(opened, clips=opened.clips[:N_CLIPS])
    paths = [opened.path(i) for i in some.clips.index]
    decoding(paths)
    preparing(dataclasses.replace(opened, clips=opened.clips[: 4 * N_CLIPS]))
    threads(paths)


if __name__ == "__main__":
    main()
