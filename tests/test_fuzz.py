"""Damaged files: no crash, no hang, no memory without end; each is decoded or named.

All damage is drawn from one seed, so that a failure can be repeated.
"""

import io
import struct
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import soundfile
from test_audio import by_pyav

from tagkit.data import audio, corpus

SECONDS = 4
# name: format, subtype or codec, rate, channels, by soundfile if the format is in
# capitals, else by PyAV; None: the start of an mp3 as it is shipped
SOURCES = {
    "shipped.mp3": None,
    "stereo.mp3": ("MP3", "MPEG_LAYER_III", 44_100, 2),
    "16bit.wav": ("WAV", "PCM_16", 16_000, 1),
    "24bit.wav": ("WAV", "PCM_24", 44_100, 2),
    "float.wav": ("WAV", "FLOAT", 48_000, 1),
    "large.wav": ("RF64", "PCM_16", 8_000, 2),
    "mono.flac": ("FLAC", "PCM_16", 16_000, 1),
    "stereo.flac": ("FLAC", "PCM_24", 44_100, 2),
    "vorbis.ogg": ("OGG", "VORBIS", 16_000, 1),
    "stereo.ogg": ("OGG", "VORBIS", 44_100, 2),
    "opus.ogg": ("OGG", "OPUS", 48_000, 2),
    "mono.aiff": ("AIFF", "PCM_16", 8_000, 1),
    "mono.m4a": ("ipod", "aac", 16_000, 1),
    "stereo.m4a": ("ipod", "alac", 44_100, 2),
    "stereo.aac": ("adts", "aac", 44_100, 2),
    "stereo.wma": ("asf", "wmav2", 44_100, 2),
    "stereo.webm": ("webm", "libopus", 48_000, 2),
    "mono.mka": ("matroska", "mp2", 16_000, 1),
    "stereo.mp2": ("mp2", "mp2", 44_100, 2),
    "stereo.wv": ("wv", "wavpack", 44_100, 2),
    "mono.au": ("au", "pcm_s16be", 16_000, 1),
}


def patch(data, start, new):
    """Write new bytes over old ones; start is a byte, or a share of the file."""
    start = int(start * len(data)) if isinstance(start, float) else start
    return data[:start] + new + data[start + len(new) :]


def sprinkle(data, rng, n):
    data = bytearray(data)
    for at in rng.integers(64, len(data), n):
        data[at] = rng.integers(256)
    return bytes(data)


DAMAGE = {
    "cut to 97 %": lambda d, rng: d[: int(0.97 * len(d))],
    "cut to 60 %": lambda d, rng: d[: int(0.6 * len(d))],
    "cut to 2 %": lambda d, rng: d[: int(0.02 * len(d))],
    "cut by a byte": lambda d, rng: d[:-1],
    "hole of 20 %": lambda d, rng: d[: len(d) // 3] + d[len(d) // 3 + len(d) // 5 :],
    "zeros inside": lambda d, rng: patch(d, 0.4, bytes(len(d) // 10)),
    "zeros to the end": lambda d, rng: patch(d, 0.5, bytes(len(d) - len(d) // 2)),
    "random inside": lambda d, rng: patch(d, 0.4, rng.bytes(len(d) // 10)),
    "random only": lambda d, rng: rng.bytes(len(d)),
    "20 single bytes": lambda d, rng: sprinkle(d, rng, 20),
    "byte too much": lambda d, rng: d[: len(d) // 3] + b"\r" + d[len(d) // 3 :],
    "junk behind": lambda d, rng: d + rng.bytes(len(d) // 5),
    "newline behind": lambda d, rng: d + b"\n",
    "junk before": lambda d, rng: rng.bytes(300) + d,
    "header 1": lambda d, rng: patch(d, int(rng.integers(60)), rng.bytes(1)),
    "header 4": lambda d, rng: patch(d, int(rng.integers(60)), rng.bytes(4)),
}


def wav(at, kind, *values):
    return lambda d: patch(d, at, struct.pack("<" + kind, *values))


def flac(shift, width, value):
    """Change a field of a flac's STREAMINFO."""

    def change(d):
        rest = int.from_bytes(d[18:26], "big") & ~((1 << width) - 1 << shift)
        return patch(d, 18, (rest | value << shift).to_bytes(8, "big"))

    return change


ABSURD = {
    "16bit.wav": {
        "1000 channels": wav(22, "HIIH", 1000, 16_000, 32_000_000, 2000),
        "1 Hz": wav(24, "II", 1, 2),
        "8 kHz": wav(24, "I", 8_000),
        "no bytes/s": wav(28, "I", 0),
        "24 bit": wav(34, "H", 24),
        "float": wav(20, "H", 3),
        "ADPCM": wav(20, "H", 17),
        "large data": wav(40, "I", 1_000_000_000),
        "streamed": lambda d: wav(40, "I", 2**32 - 1)(wav(4, "I", 2**32 - 1)(d)),
    },
    "float.wav": {
        "1e30": lambda d: patch(d, len(d) // 2 & ~3, struct.pack("<f", 1e30)),
        "not a number": lambda d: patch(d, len(d) // 2 & ~3, b"\xff" * 4),
    },
    "mono.flac": {
        "no rate": flac(44, 20, 0),
        "1 Hz": flac(44, 20, 1),
        "8 kHz": flac(44, 20, 8_000),
        "24 bit": flac(36, 5, 23),
        "months": flac(0, 36, 2**36 - 1),
        "streamed": flac(0, 36, 0),
    },
    "shipped.mp3": {
        "other rate": lambda d: patch(d, 2, bytes([d[2] ^ 4])),
        "other bit rate": lambda d: patch(d, 2, bytes([d[2] ^ 0x20])),
        "tag without end": lambda d: b"ID3\4\0\0\x7f\x7f\x7f\x7f" + d,
        "tag": lambda d: b"ID3\4\0\0\0\x0c\0\0" + bytes(12 << 14) + d,
        "frames of a day": lambda d: xing(2_400_000) + d,
    },
    "mono.aiff": {
        "1 Hz": lambda d: patch(d, 28, b"\x3f\xff\x80" + bytes(7)),
        "months": lambda d: patch(d, 22, b"\x7f\xff\xff\xff"),
    },
}
# These decode as ever.
HARMLESS = ("none", "wrong name", "absurd: streamed", "absurd: tag", "newline behind")


def xing(n_frames):
    """A silent first frame of an mp3 (MPEG-2, 16 kHz, 24 kbit/s) with its count."""
    count = b"Xing" + struct.pack(">II", 1, n_frames)
    return (b"\xff\xf3\x38\xc4" + bytes(9) + count).ljust(108, b"\0")


@pytest.fixture(scope="module")
def clean():
    """The undamaged files: name -> bytes."""
    mini = corpus.open("mini")
    path = mini.path(mini.clips.index[3])
    samples, files = audio.load(path)[: SECONDS * 16_000], {}
    for name, form in SOURCES.items():
        if form is None:
            files[name] = path.read_bytes()[: 111 * 108]  # 4 s of whole frames
            continue
        kind, subtype, rate, channels = form
        sound = audio.resample(samples, 16_000, rate)
        if kind.islower():
            layout = ["mono", "stereo"][channels - 1]
            sound = np.stack([sound, sound / 2][:channels])
            files[name] = by_pyav(kind, subtype, sound, rate, layout)
            continue
        if channels == 2:
            sound = np.stack([sound, sound / 2], axis=1)
        file = io.BytesIO()
        soundfile.write(file, np.clip(sound, -1, 1), rate, subtype, format=kind)
        files[name] = file.getvalue()
    return files


def damaged(clean):
    """Yield (kind of damage, name of the source, suffix, bytes)."""
    rng = np.random.default_rng(4)
    for name, data in clean.items():
        suffix = name[name.index(".") :]
        yield "none", name, suffix, data
        for other in {*".mp3 .wav .flac .ogg .m4a .raw .txt".split(), ""} - {suffix}:
            yield "wrong name", name, other, data
        for kind, change in DAMAGE.items():
            yield kind, name, suffix, change(data, rng)
        for kind, change in ABSURD.get(name, {}).items():
            yield f"absurd: {kind}", name, suffix, change(data)


# A crash, a hang or a need of 4 GB ends the child, not the test.
CHILD = """
import faulthandler, pathlib, resource, sys
import numpy as np
from tagkit.data import audio
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    faulthandler.dump_traceback_later(300, exit=True)
    print(path.name, flush=True)
    try:
        np.save(f"{sys.argv[2]}/{path.name}.npy", audio.load(path))
    except audio.AudioError as error:
        pathlib.Path(f"{sys.argv[2]}/{path.name}.txt").write_text(str(error))
"""


def fault(kind, name, samples, original):
    """Say what is wrong with the samples of a damaged file, or nothing."""
    if samples.dtype != np.float32 or samples.ndim != 1 or not samples.any():
        return "no samples"
    if not np.abs(samples).max() <= 1:
        return "beyond full scale"
    if kind in HARMLESS:
        return None if np.array_equal(samples, original) else "not the original"
    if len(samples) > 10 * len(original):
        return f"{len(samples) / len(original):.0f} times as long as the original"
    if kind.startswith("cut"):  # what comes before the last frames is as it was
        n = max(0, min(len(samples), len(original)) - 3_200)
        error = np.abs(samples[:n] - original[:n]).max(initial=0)
        return f"{error:.4f} beside the original" if error > 1e-3 else None
    return None


def test_every_damaged_file_is_decoded_or_named(clean, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    files = {}
    for i, (kind, name, suffix, data) in enumerate(damaged(clean)):
        file = f"{i:03}{suffix}"
        (tmp_path / "in" / file).write_bytes(data)
        files[file] = kind, name
    run = subprocess.run(
        [sys.executable, "-c", CHILD, tmp_path / "in", tmp_path / "out"],
        capture_output=True,
        text=True,
    )
    last = files.get((run.stdout.split() or ["none"])[-1])
    assert run.returncode == 0, f"at {last}: {run.stderr[-2000:]}"

    originals, counts, faults = {}, Counter(), []
    for file, (kind, name) in files.items():
        decoded = tmp_path / "out" / f"{file}.npy"
        if decoded.exists():
            samples = np.load(decoded)
            originals.setdefault(name, samples)
            counts[kind, "decoded"] += 1
            problem = fault(kind, name, samples, originals[name])
        else:
            reason = (tmp_path / "out" / f"{file}.txt").read_text()
            counts[kind, "named"] += 1
            is_named = reason.startswith(str(tmp_path / "in" / file))
            problem = reason if kind in HARMLESS or not is_named else None
        if problem:
            faults.append(f"{file}, {name}, {kind}: {problem}")
    assert not faults, "\n".join(faults)
    assert len(files) >= 200
    for kind in ("cut to 97 %", "cut to 60 %"):
        assert counts[kind, "decoded"] >= 8, counts
