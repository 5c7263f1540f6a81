"""How fast clips are decoded and prepared: python benchmarks/decode.py [FOLDER]

Decoding: milliseconds a clip on one core, the smallest of five rounds in which all take
turns; `audio.load` against librosa.load and, where it is installed, a process of the
program ffmpeg for each file. Preparing: seconds with one and two threads, the share of
its time that one thread spends decoding, and the memory for few and for many clips.
Without a folder: mini.
"""

import dataclasses
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import librosa
import numpy as np
import pandas as pd
import soundfile

from tagkit import audio, corpus, store

N_CLIPS = 100


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
    for _ in range(5):
        for name, way in ways.items():
            start = time.perf_counter()
            for path in paths:
                way(path)
            times[name].append(time.perf_counter() - start)
    for name, seconds in times.items():
        ms, ratio = 1000 * min(seconds) / len(paths), min(seconds)
        ratio /= min(times["audio.load"])
        print(
            f"{name:<24} {ms:6.2f} ms a clip, {1000 / ms:5.0f} clips a second", end=""
        )
        print(f", {ratio:.2f} times audio.load")


def preparing(source):
    """Print what `store.prepare` gains from a second thread, and where time goes."""
    seconds, inside, load = {1: [], 2: []}, [], audio.load

    def timed(*arguments):
        start = time.perf_counter()
        try:
            return load(*arguments)
        finally:
            inside[-1] += time.perf_counter() - start

    for _ in range(5):
        for n_workers in (1, 2):
            audio.load = timed if n_workers == 1 else load
            inside.append(0.0)
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                store.prepare(source, folder=folder, n_workers=n_workers)
                seconds[n_workers].append(time.perf_counter() - start)
    audio.load = load
    one, two = min(seconds[1]), min(seconds[2])
    share = inside[2 * int(np.argmin(seconds[1]))] / one
    print(f"prepare, {len(source.clips)} clips: {one:.2f} s with one thread, of which")
    print(
        f"{share:.0%} in audio.load; {two:.2f} s with two, "
        f"{one / two:.2f} times the speed"
    )


def memory(name, n_clips):
    """Prepare n clips, those of a corpus over and over, and print the peak."""
    opened = corpus.open(name)
    times = -(-n_clips // len(opened.clips))
    clips = pd.concat([opened.clips] * times, ignore_index=True)[:n_clips]
    with tempfile.TemporaryDirectory() as folder:
        store.prepare(dataclasses.replace(opened, clips=clips), 12_000, folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of prepare for {n_clips:>5,} clips: {peak:.0f} MiB")


def main():
    """Run all, or one measurement of memory in a process of its own."""
    name = sys.argv[1] if len(sys.argv) > 1 else "mini"
    if len(sys.argv) > 2:
        return memory(name, int(sys.argv[2]))
    opened = corpus.open(name)
    some = dataclasses.replace(opened, clips=opened.clips[:N_CLIPS])
    decoding([opened.path(i) for i in some.clips.index])
    preparing(dataclasses.replace(opened, clips=opened.clips[: 4 * N_CLIPS]))
    for n_clips in (100, 1000, 4000):
        subprocess.run([sys.executable, __file__, name, str(n_clips)], check=True)


if __name__ == "__main__":
    main()
