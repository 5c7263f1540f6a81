"""Files to samples and back: the only file that names a decoder.

Everywhere else sound is a float32 array in [-1, 1], mono, 16,000 samples a second.

Notebook: course/01_dataset_analysis.ipynb
"""

import io
import os
import re
import shlex
import warnings
from pathlib import Path

import numpy as np
import soundfile
import soxr

SAMPLE_RATE = 16_000
# Every readable clip of MagnaTagATune decodes to 809 mp3 frames of 576 samples.
CLIP_SAMPLES = 809 * 576  # 465,984 samples = 29.124 s
SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff")
FOREIGN = (".m4a", ".aac", ".wma", ".au", ".caf")  # sound that must be converted
FORMATS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "OGG", "MP3")
RATES = (4_000, 400_000)  # samples a second, by a file's header
MOST_CHANNELS = 64
MOST_HOURS = 12
LOUDEST = 32  # float files may go beyond full scale, but not by more than 30 dB
TOLERANCE = 0.5  # seconds that a file may hold less than its header promises
SHORTEST = 1  # second of a longer file that must be left of it
BLOCK = 1 << 16
UNKNOWN = 1 << 62  # libsndfile gives at least so many frames where it knows no number
STREAMED = 0x7FFF_F000  # sizes from here on stand for "not known" in a wav
TAIL = 4096  # bytes behind the sound that other programs may have left there


class AudioError(ValueError):
    """A file that cannot be used as sound, with the reason in words."""


class _Stream(soundfile.SoundFile):
    """A file read to its end without seeking: a seek garbles the next mp3 frames."""

    def seekable(self):
        return False


def load(path: str | Path, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Decode a file (wav, flac, ogg, mp3, aiff) to mono samples at one rate.

    Channels are averaged, and the suffix does not matter. A file that ends early is
    decoded as far as it goes, with a warning that names both lengths. An mp3 without a
    count of its frames, an ogg, and a streamed wav promise no length; a lost end of
    theirs goes unnoticed.

    Shape: (n_samples,) float32 in [-1, 1].
    Raises: AudioError, naming file and reason, if the file is missing, no audio,
    damaged, silent, longer than 12 hours, or has less than a second left of its sound.

    >>> from tagkit.data import corpus
    >>> mini = corpus.open("mini")
    >>> load(mini.path(mini.clips.index[0])).shape
    (465984,)
    """
    path = Path(path)
    try:
        samples, early_end = _decode(path, sample_rate)
    except OSError as error:
        reason = f"cannot be read ({error.strerror}); check its permissions"
    except soundfile.SoundFileError as error:
        reason = f"is damaged ({_reason(error)}); get the file again"
    except MemoryError:
        reason = "is too long for this machine; cut it"
    except AudioError as error:
        reason = str(error)
    else:
        if early_end:
            warnings.warn(f"{path} {early_end}", stacklevel=2)
        return samples
    raise AudioError(f"{path} {reason}")


def _decode(path, sample_rate):
    """Give the samples and, if the file ends early, a remark with both lengths."""
    if not path.is_file():
        raise AudioError("is missing; needed is a file with sound")
    if path.stat().st_size == 0:
        raise AudioError("is empty (0 bytes); get the file again")
    with path.open("rb", buffering=0) as file, _open(file, path) as sound:
        samples, seconds = _read(sound, sample_rate, path)
        promised = _promised_seconds(sound, path)
        n_left = path.stat().st_size - os.lseek(file.fileno(), 0, os.SEEK_CUR)
    early_end = None
    if n_left > TAIL and _is_guessed(sound, path):
        early_end = f"is decoded for {seconds:.1f} s only; {n_left} bytes are left"
    if seconds < promised - TOLERANCE:
        early_end = f"ends after {seconds:.1f} s of the {promised:.1f} s it promises"
        if seconds < SHORTEST:
            raise AudioError(f"{early_end}; get the file again")
    return _checked(samples), early_end


def _open(file, path) -> soundfile.SoundFile:
    """Open a file for the decoder; raises AudioError if it is no sound."""
    try:
        # By its number: an object would hold up other threads, and if a name ends in
        # .mp3, libsndfile takes whatever it is for mp3.
        sound = _Stream(file.fileno(), closefd=False)
        if sound.format in FORMATS:
            return sound
        sound.close()
        reason = f"format {sound.format}"
    except soundfile.SoundFileError as error:
        reason = _reason(error)
    remedy = "get the file again"
    if path.suffix.lower() in FOREIGN:
        command = shlex.join(["ffmpeg", "-i", path.name, path.stem + ".flac"])
        remedy = f"convert it: {command}"
    needed = "needed is wav, flac, ogg, mp3 or aiff"
    raise AudioError(f"is not audio that can be decoded ({reason}); {needed}; {remedy}")


def _read(sound, to_rate, path):
    """Read, mix and resample block by block; give the samples and the seconds read."""
    rate, n_channels = sound.samplerate, sound.channels
    if not RATES[0] <= rate <= RATES[1] or n_channels > MOST_CHANNELS:
        raise AudioError(
            f"has {rate} samples a second and {n_channels} channels by its header; "
            f"needed are {RATES[0]} to {RATES[1]} and at most {MOST_CHANNELS}"
        )
    limit = min(MOST_HOURS * 3600 * rate, 1000 * path.stat().st_size)
    guess = sound.frames if sound.frames < UNKNOWN else 32 * rate
    samples = np.empty(round(min(guess, limit) / rate * to_rate), np.float32)
    resampler = None
    if to_rate != rate:
        resampler = soxr.ResampleStream(rate, to_rate, 1, "float32", "VHQ")
    # Memory that is used again is faster than memory asked for anew.
    buffer = np.empty((BLOCK, n_channels), np.float32)
    n_read = n_samples = 0
    more = True
    while more:
        # Not beyond the end: a tag behind a flac is no frame, and an error there.
        block = sound.read(out=buffer[: sound.frames - n_read])
        more = len(block) > 0
        mono = block.mean(axis=1) if n_channels > 1 else block[:, 0]
        n_read += len(mono)
        if n_read > limit:
            hours = limit / rate / 3600
            raise AudioError(f"unpacks to more than {hours:.2g} hours; cut it")
        if resampler:
            mono = resampler.resample_chunk(mono, last=not more)
        if n_samples + len(mono) > len(samples):
            samples.resize(2 * n_samples + len(mono), refcheck=False)
        samples[n_samples : n_samples + len(mono)] = mono
        n_samples += len(mono)
    return samples[:n_samples], n_read / rate


def _is_guessed(sound, path) -> bool:
    """Say whether libsndfile guesses the length: an mp3 without a count of frames."""
    return sound.format == "MP3" and not re.search(rb"Xing|Info", path.read_bytes())


def _promised_seconds(sound, path) -> float:
    """Give the seconds that a header promises, 0 where it promises nothing."""
    n_frames = sound.frames if sound.frames < UNKNOWN else 0
    if _is_guessed(sound, path):
        return 0.0
    # Of a wav or aiff libsndfile counts what is there, and notes what the header says.
    note = r"(?:data|SSND|Riff size|riff) : (\d+) \(should be (\d+)\)"
    for size, n_bytes in re.findall(note, sound.extra_info):
        if int(size) & 0x7FFF_FFFF < STREAMED:
            n_frames *= int(size) / max(1, int(n_bytes))
    return n_frames / sound.samplerate


def _checked(samples: np.ndarray) -> np.ndarray:
    """Give samples in [-1, 1]; raises AudioError if they are no sound."""
    if len(samples) == 0:
        raise AudioError("holds no samples; get the file again")
    peak = max(-samples.min(), samples.max())
    if not peak <= LOUDEST:
        kind = f"as large as {peak:.0e}" if peak < np.inf else "not numbers"
        raise AudioError(f"has samples that are {kind}; needed is -1 to 1")
    if peak == 0:
        raise AudioError(f"is silent: all {len(samples)} samples are zero")
    return np.clip(samples, -1, 1, out=samples) if peak > 1 else samples


def _reason(error):
    """Say what libsndfile says, without the name of the file."""
    return str(error).split(": ")[-1].strip(" .") or "no known format"


def resample(samples: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """Change the sampling rate, in samples a second, with soxr's best quality.

    Shape: (n,) -> (about n * to_rate / from_rate,) float32.
    """
    if from_rate == to_rate:
        return samples.astype(np.float32, copy=False)
    return soxr.resample(samples, from_rate, to_rate, "VHQ").astype(np.float32)


def fit_length(samples: np.ndarray, n_samples: int) -> np.ndarray:
    """Cut or zero-pad samples at the end to exactly n_samples.

    Shape: (n,) -> (n_samples,).
    Raises: ValueError for stereo.

    >>> fit_length(np.ones(2, dtype=np.float32), 3)
    array([1., 1., 0.], dtype=float32)
    """
    if samples.ndim != 1:
        raise ValueError(f"samples has shape {samples.shape}, needed is (n,), mono")
    return np.pad(samples[:n_samples], (0, max(0, n_samples - len(samples))))


def encode(
    samples: np.ndarray, sample_rate: int = SAMPLE_RATE, *, kind: str = "mp3"
) -> bytes:
    """Encode samples as the bytes of a file, for a player or for `write`.

    Args:
        kind: "mp3" (small, constant bit rate), "ogg", "flac" or "wav" (16 bit).

    Shape: (n_samples,) or (n_samples, n_channels) -> bytes.
    Raises: ValueError for another kind.
    """
    if kind not in ("mp3", "ogg", "flac", "wav"):
        raise ValueError(f"kind is {kind!r}; needed is mp3, ogg, flac or wav")
    options = {"format": kind.upper()}
    if kind == "mp3":
        options |= {"bitrate_mode": "CONSTANT", "compression_level": 0.9}
    n_channels = 1 if samples.ndim == 1 else samples.shape[1]
    data = io.BytesIO()
    with soundfile.SoundFile(data, "w", sample_rate, n_channels, **options) as file:
        for start in range(0, len(samples), BLOCK):  # of a minute at once ogg crashes
            file.write(samples[start : start + BLOCK])
    return data.getvalue()


def write(path: str | Path, samples: np.ndarray, sample_rate: int = SAMPLE_RATE):
    """Write samples to a file whose suffix says its kind: .wav .flac .ogg .mp3.

    Shape: (n_samples,) or (n_samples, n_channels), float32 in [-1, 1].
    Raises: ValueError for another suffix.
    Notebook: course/05_per_tag_evaluation.ipynb
    """
    path = Path(path)
    path.write_bytes(encode(samples, sample_rate, kind=path.suffix.lower().lstrip(".")))
