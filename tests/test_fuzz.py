"""Damaged files: no crash, no hang, no silent garbage; each is decoded or named.

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

from tagkit.data import audio, container, corpus

SECONDS = 4
WINDOW = 1_600  # 0.1 s at 16 kHz
# name: format, subtype, rate, channels; None: the start of an mp3 as it is shipped
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
}


def patch(data, start, new):
    """Write new bytes over old ones; start is a byte, or a share of the file."""
    start = int(start * len(data)) if isinstance(start, float) else start
    return data[:start] + new + data[start + len(new) :]


def parts(data, *shares):
    """Cut a file at some shares of its length."""
    at = [0, *(int(share * len(data)) for share in shares), len(data)]
    return [data[a:b] for a, b in zip(at, at[1:], strict=False)]


def swap(data):
    a, b, c, d, e = parts(data, 0.3, 0.4, 0.6, 0.72)
    return a + d + c + b + e


def sprinkle(data, rng, n):
    data = bytearray(data)
    for at in rng.integers(64, len(data), n):
        data[at] = rng.integers(256)
    return bytes(data)


DAMAGE = {
    "cut to 97 %": lambda d, rng: parts(d, 0.97)[0],
    "cut to 60 %": lambda d, rng: parts(d, 0.6)[0],
    "cut to 2 %": lambda d, rng: parts(d, 0.02)[0],
    "cut by a byte": lambda d, rng: d[:-1],
    "start lost": lambda d, rng: parts(d, 0.1)[1],
    "hole of 20 %": lambda d, rng: d[: len(d) // 3] + d[len(d) // 3 + len(d) // 5 :],
    "hole of a byte": lambda d, rng: d[: len(d) // 3] + d[len(d) // 3 + 1 :],
    "zeros inside": lambda d, rng: patch(d, 0.4, bytes(len(d) // 10)),
    "zeros to the end": lambda d, rng: patch(d, 0.5, bytes(len(d) - len(d) // 2)),
    "zeros only": lambda d, rng: bytes(len(d)),
    "random inside": lambda d, rng: patch(d, 0.4, rng.bytes(len(d) // 10)),
    "random 40 bytes": lambda d, rng: patch(d, 0.5, rng.bytes(40)),
    "random only": lambda d, rng: rng.bytes(len(d)),
    "20 single bytes": lambda d, rng: sprinkle(d, rng, 20),
    "swap": lambda d, rng: swap(d),
    "block twice": lambda d, rng: b"".join(parts(d, 0.6)[:1] + parts(d, 0.5)[1:]),
    "byte too much": lambda d, rng: d[: len(d) // 3] + b"\r" + d[len(d) // 3 :],
    "junk behind": lambda d, rng: d + rng.bytes(len(d) // 5),
    "junk before": lambda d, rng: rng.bytes(300) + d,
    "header 1": lambda d, rng: patch(d, int(rng.integers(60)), rng.bytes(1)),
    "header 4": lambda d, rng: patch(d, int(rng.integers(60)), rng.bytes(4)),
    "header 30": lambda d, rng: patch(d, 4, rng.bytes(30)),
}


def wav(at, kind, *values):
    return lambda d: patch(d, at, struct.pack("<" + kind, *values))


def flac(rate=None, channels=None, bits=None, total=None):
    """Change fields of a flac's STREAMINFO."""

    def change(d):
        old = int.from_bytes(d[18:26], "big")
        fields = [(rate, 44, 20), (channels, 41, 3), (bits, 36, 5), (total, 0, 36)]
        for value, at, width in fields:
            if value is not None:
                old = old & ~((1 << width) - 1 << at) | value << at
        return patch(d, 18, old.to_bytes(8, "big"))

    return change


def ogg(page, at, new):
    """Change bytes of a page and its sum, as a program with a fault would."""

    def change(d):
        starts = [i for i in range(len(d)) if d[i : i + 4] == b"OggS"] + [len(d)]
        a, b = (starts * 2)[page % (len(starts) - 1) :][:2]
        body = bytearray(patch(d[a:b], at, new))
        body[22:26] = bytes(4)
        total = 0
        for byte in body:
            total ^= byte << 24
            for _ in range(8):
                total = total << 1 ^ (0x104C11DB7 if total >> 31 else 0)
        return d[:a] + patch(bytes(body), 22, struct.pack("<I", total)) + d[b:]

    return change


ABSURD = {
    "16bit.wav": {
        "no channel": wav(22, "H", 0),
        "2 channels": wav(22, "H", 2),
        "1000 channels": wav(22, "HIIH", 1000, 16_000, 32_000_000, 2000),
        "65535 channels": wav(22, "H", 65_535),
        "1 Hz": wav(24, "II", 1, 2),
        "8 kHz": wav(24, "I", 8_000),
        "2 GHz": wav(24, "II", 2**31 - 1, 2**32 - 2),
        "no bytes/s": wav(28, "I", 0),
        "align 7": wav(32, "H", 7),
        "no bits": wav(34, "H", 0),
        "8 bit": wav(34, "H", 8),
        "24 bit": wav(34, "H", 24),
        "64 bit": wav(34, "H", 64),
        "float": wav(20, "H", 3),
        "A-law": wav(20, "H", 6),
        "ADPCM": wav(20, "H", 17),
        "mp3 inside": wav(20, "H", 85),
        "format 77": wav(20, "H", 77),
        "small data": wav(40, "I", 5_000),
        "large data": wav(40, "I", 1_000_000_000),
        "streamed": lambda d: wav(40, "I", 2**32 - 1)(wav(4, "I", 2**32 - 1)(d)),
        "no size": lambda d: wav(40, "I", 0)(wav(4, "I", 0)(d)),
    },
    "float.wav": {
        "double": wav(34, "H", 64),
        "16 bit": wav(34, "H", 16),
        "1e30": lambda d: patch(d, len(d) // 2 & ~3, struct.pack("<f", 1e30)),
        "not a number": lambda d: patch(d, len(d) // 2 & ~3, b"\xff" * 4),
    },
    "mono.flac": {
        "no rate": flac(rate=0),
        "1 Hz": flac(rate=1),
        "8 kHz": flac(rate=8_000),
        "8 channels": flac(channels=7),
        "24 bit": flac(bits=23),
        "4 bit": flac(bits=3),
        "half": flac(total=2 * 16_000),
        "months": flac(total=2**36 - 1),
        "streamed": flac(total=0),
    },
    "vorbis.ogg": {
        "1 Hz": ogg(0, 28 + 12, struct.pack("<I", 1)),
        "2 GHz": ogg(0, 28 + 12, struct.pack("<I", 2**31)),
        "255 channels": ogg(0, 28 + 11, b"\xff"),
        "years": ogg(-1, 6, struct.pack("<q", 2**50)),
        "before the start": ogg(-1, 6, struct.pack("<q", -5)),
        "not the last": ogg(-1, 5, b"\0"),
    },
    "shipped.mp3": {
        "other rate": lambda d: patch(d, 2, bytes([d[2] ^ 4])),
        "other bit rate": lambda d: patch(d, 2, bytes([d[2] ^ 0x20])),
        "other version": lambda d: patch(d, 1, bytes([d[1] ^ 8])),
        "other layer": lambda d: patch(d, 1, bytes([d[1] ^ 6])),
        "tag without end": lambda d: b"ID3\4\0\0\x7f\x7f\x7f\x7f" + d,
        "tag": lambda d: b"ID3\4\0\0\0\x0c\0\0" + bytes(12 << 14) + d,
        "frames of a day": lambda d: xing(2_400_000) + d,
    },
    "mono.aiff": {
        "1 Hz": lambda d: patch(d, 28, b"\x3f\xff\x80" + bytes(7)),
        "2 channels": lambda d: patch(d, 20, b"\0\2"),
        "8 bit": lambda d: patch(d, 26, b"\0\x08"),
        "months": lambda d: patch(d, 22, b"\x7f\xff\xff\xff"),
    },
}


HARMLESS = ("none", "wrong name", "absurd: streamed", "absurd: tag")  # decode as ever


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
        for other in {".mp3", ".wav", ".flac", ".ogg", ".raw", ".txt", ""} - {suffix}:
            yield "wrong name", name, other, data
        for kind, change in DAMAGE.items():
            yield kind, name, suffix, change(data, rng)
        for kind, change in ABSURD.get(name, {}).items():
            yield f"absurd: {kind}", name, suffix, change(data)


# A crash, a hang (10 s) or a need of 4 GB ends the child, not the test.
CHILD = """
import faulthandler, pathlib, resource, sys
import numpy as np
from tagkit.data import audio
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    faulthandler.dump_traceback_later(10, exit=True)
    print(path.name, flush=True)
    try:
        np.save(f"{sys.argv[2]}/{path.name}.npy", audio.load(path))
    except audio.AudioError as error:
        pathlib.Path(f"{sys.argv[2]}/{path.name}.txt").write_text(str(error))
"""


def share_known(samples, original):
    """The share of windows that occur, as they are, somewhere in the original."""
    size = 1 << (len(original) + WINDOW).bit_length()
    spectrum = np.fft.rfft(original, size)
    total = np.concatenate([[0], np.cumsum(original.astype(np.float64) ** 2)])
    power = np.maximum(total[WINDOW:] - total[:-WINDOW], 1e-4)
    n = min(16, len(samples) // WINDOW)
    known = 0
    for start in np.linspace(0, len(samples) - WINDOW, n).astype(int):
        window = samples[start : start + WINDOW]
        with_all = np.fft.irfft(spectrum * np.fft.rfft(window, size).conj(), size)
        # the squared distance to each window of the original, as a share of its power
        away = 1 + (window @ window - 2 * with_all[: len(power)]) / power
        known += away.min() < 0.2 or not window.any()  # silence is no garbage
    return known / n if n else 1.0


def spread(samples, original, data, clean, subtype, rate, channels):
    """Uncompressed: say whether a sample differs far from all changed bytes."""
    if len(samples) != len(original):
        return "other length"
    width, n = channels * container.WIDTH[subtype], SECONDS * rate
    changed = np.frombuffer(data, np.uint8) != np.frombuffer(clean, np.uint8)
    where = np.flatnonzero(
        changed[len(data) - n * width :].reshape(n, width).any(axis=1)
    )
    reach = 0 if rate == 16_000 else 0.02  # seconds: resampling spreads a little
    near = np.zeros(len(samples), bool)
    for frame in where:
        near[max(0, int((frame / rate - reach) * 16_000)) :][
            : int(reach * 2 * 16_000) + 2
        ] = True
    if near.mean() > 0.7:
        return "nothing is left to compare"
    return (
        "damage has spread" if np.abs(samples - original)[~near].max() > 1e-3 else None
    )


def fault(kind, name, file, data, samples, clean, originals):
    """Say what is wrong with the samples of a damaged file, or nothing."""
    original = originals[name]
    if samples.dtype != np.float32 or samples.ndim != 1 or not samples.any():
        return "no samples"
    if not np.abs(samples).max() <= 1:
        return "beyond full scale"
    if kind in HARMLESS:
        return None if np.array_equal(samples, original) else "not the original"
    longer = (len(samples) - len(original)) / 16_000
    shorter = kind.startswith(("cut", "hole", "block", "absurd: half"))
    if longer > 0.2 * SECONDS or (longer < -audio.TOLERANCE - 0.1 and not shorter):
        return f"{longer:.2f} s longer than the original"
    sound = SOURCES[name]
    if sound and sound[0] in ("WAV", "RF64", "AIFF") and len(data) == len(clean[name]):
        return spread(samples, original, data, clean[name], *sound[1:])
    known = share_known(samples, original)
    return None if known >= 0.8 else f"only {known:.0%} of its windows are known"


def test_every_damaged_file_is_decoded_or_named(clean, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    files = {}
    for i, (kind, name, suffix, data) in enumerate(damaged(clean)):
        file = f"{i:03}{suffix}"
        (tmp_path / "in" / file).write_bytes(data)
        files[file] = kind, name, data
    run = subprocess.run(
        [sys.executable, "-c", CHILD, tmp_path / "in", tmp_path / "out"],
        **{"capture_output": True, "text": True, "timeout": 300},
    )
    last = files.get((run.stdout.split() or ["none"])[-1], ())[:2]
    assert run.returncode == 0, f"at {last}: {run.stderr[-2000:]}"

    originals, counts, faults = {}, Counter(), []
    for file, (kind, name, data) in files.items():
        decoded = tmp_path / "out" / f"{file}.npy"
        where = f"{file}, {name}, {kind}: "
        if decoded.exists():
            samples = np.load(decoded)
            originals.setdefault(name, samples)
            counts[kind.split(":")[0], "decoded"] += 1
            if wrong := fault(kind, name, file, data, samples, clean, originals):
                faults.append(where + wrong)
        else:
            reason = (tmp_path / "out" / f"{file}.txt").read_text()
            counts[kind.split(":")[0], "named"] += 1
            words = reason.removeprefix(str(tmp_path / "in" / file))
            if words == reason or len(words) < 20 or kind in HARMLESS:
                faults.append(where + reason)
    kinds = dict.fromkeys(kind for kind, _ in counts)
    table = "".join(
        f"{kind:18}{counts[kind, 'decoded']:4} decoded{counts[kind, 'named']:4} named\n"
        for kind in kinds
    )
    print(f"\n{len(files)} files\n{table}")
    assert not faults, f"{table}\n" + "\n".join(faults)
    assert len(files) >= 200
