"""Files to samples and back: the only file that names a decoder.

Everywhere else sound is a float32 array in [-1, 1], mono, 16,000 samples a second.

Notebook: course/00_start_here.ipynb
"""

import io
import shlex
from pathlib import Path

import numpy as np
import soundfile
import soxr

from tagkit.data import container

SAMPLE_RATE = 16_000
# Every readable clip of MagnaTagATune decodes to 809 mp3 frames of 576 samples.
CLIP_SAMPLES = 809 * 576  # 465,984 samples = 29.124 s
SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff")
FOREIGN = (".m4a", ".aac", ".wma", ".au", ".caf")  # sound that must be converted
FORMATS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "OGG", "MP3")
RATES, MOST_CHANNELS, MOST_HOURS = (4_000, 400_000), 64, 12
LOUDEST = 32  # float files may go beyond full scale, but not by more than 30 dB
TOLERANCE = 0.5  # seconds that a file may hold less than it promises


class AudioError(ValueError):
    """A file that cannot be used as sound, with the reason in words."""


class _Stream(soundfile.SoundFile):
    """A file read to its end without seeking: a seek garbles the next mp3 frames."""

    def seekable(self):
        return False


def load(path: str | Path, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Decode a file (wav, flac, ogg, mp3, aiff) to mono samples at one rate.

    Channels are averaged, other rates resampled; the suffix does not matter. Damage
    that no checksum covers cannot be seen: bytes changed inside the samples of a wav
    or inside the frames of an mp3 stay where they are, an mp3 without a frame count
    may have lost its end, and a header whose fields agree is believed.

    Shape: (n_samples,) float32 in [-1, 1].
    Raises: AudioError, naming file and reason, if it is empty, no audio, damaged, cut
    by more than half a second, silent throughout, longer than 12 hours, or holds
    values that are not numbers.

    >>> from tagkit.data import corpus
    >>> mini = corpus.open("mini")
    >>> load(mini.path(mini.clips.index[0])).shape
    (465984,)

    Notebook: course/00_start_here.ipynb
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise AudioError("is missing; needed is a file with sound")
        if path.stat().st_size == 0:
            raise AudioError("is empty (0 bytes); get the file again")
        # Its number: an object would hold up other threads, and of a name that ends in
        # .mp3 libsndfile believes that it is mp3, with notes on stderr.
        with path.open("rb", buffering=0) as file:
            return _decode(file, path, sample_rate)
    except OSError as error:
        reason = f"cannot be read ({error.strerror}); check its permissions"
        raise AudioError(f"{path} {reason}") from None
    except MemoryError:
        raise AudioError(f"{path} is too long for this machine; cut it") from None
    except AudioError as reason:
        raise AudioError(f"{path} {reason}") from None


def _decode(file, path, to_rate):
    """Read block by block; raises AudioError with no more than the reason."""
    try:
        sound = _Stream(file.fileno(), closefd=False)
        refused = sound.format not in FORMATS and f"format {sound.format}"
    except soundfile.SoundFileError as error:
        refused = _reason(error)
    if refused:
        then = f"ffmpeg -i {shlex.quote(path.name)} {shlex.quote(path.stem + '.flac')}"
        then = (
            f"convert it: {then}"
            if path.suffix.lower() in FOREIGN
            else "get the file again"
        )
        raise AudioError(
            f"is not audio that can be decoded ({refused}); needed is wav, flac, ogg, "
            f"mp3 or aiff; {then}"
        )
    with sound:
        rate, n_channels = sound.samplerate, sound.channels
        if not RATES[0] <= rate <= RATES[1] or n_channels > MOST_CHANNELS:
            raise AudioError(
                f"has {rate} samples a second and {n_channels} channels by its header; "
                f"needed are {RATES[0]} to {RATES[1]} and at most {MOST_CHANNELS}; "
                "get it again"
            )
        try:
            promised = container.promised(sound, path)
        except ValueError as fault:
            raise AudioError(f"is damaged ({fault}); get the file again") from None
        limit = min(MOST_HOURS * 3600 * rate, 1000 * path.stat().st_size)
        stream = None
        if to_rate != rate:
            stream = soxr.ResampleStream(rate, to_rate, 1, "float32", "VHQ")
        # Memory that is used again is faster than memory asked for anew.
        buffer = np.empty((1 << 16, n_channels), np.float32)
        samples = np.empty(round(min(promised, limit / rate) * to_rate), np.float32)
        n = n_samples = 0
        more = True
        while more:
            try:
                block = sound.read(out=buffer)
            except soundfile.SoundFileError as error:
                raise AudioError(
                    f"is damaged after {n / rate:.1f} s ({_reason(error)}); "
                    "get the file again"
                ) from None
            more = len(block) > 0
            mono = block.mean(axis=1) if n_channels > 1 else block[:, 0]
            n += len(mono)
            if n > limit:
                raise AudioError(
                    f"unpacks to more than {limit / rate / 3600:.2g} hours; decoded is "
                    f"at most {MOST_HOURS} hours and 1,000 samples a byte; cut it"
                )
            mono = stream.resample_chunk(mono, last=not more) if stream else mono
            if n_samples + len(mono) > len(samples):  # more than promised
                samples.resize(2 * n_samples + len(mono), refcheck=False)
            samples[n_samples : n_samples + len(mono)] = mono
            n_samples += len(mono)
    if n == 0:
        raise AudioError("holds no samples; get the file again")
    if n / rate < promised - TOLERANCE:
        raise AudioError(
            f"is cut or damaged: it holds {n / rate:.1f} s of the {promised:.1f} s "
            "that it promises; get the file again"
        )
    samples = samples[:n_samples]
    peak = max(-samples.min(), samples.max())
    if not peak <= LOUDEST:
        kind = f"as large as {peak:.0e}" if peak < np.inf else "not numbers"
        raise AudioError(
            f"holds samples that are {kind}; needed is -1 to 1; export it again as "
            "16-bit audio"
        )
    if peak == 0:
        raise AudioError(f"is silent: all {n} samples are zero")
    return np.clip(samples, -1, 1, out=samples) if peak > 1 else samples


def _reason(error):
    """Say what libsndfile says, without the name of the file."""
    return str(error).split(": ")[-1].strip(" .") or "no known format"


def resample(samples: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """Change the sampling rate, in samples a second, with soxr's best quality.

    Shape: (n,) -> (about n * to_rate / from_rate,) float32.

    >>> resample(np.zeros(16_000, np.float32), 16_000, 12_000).shape
    (12000,)

    Notebook: course/01_dataset_analysis.ipynb
    """
    if from_rate == to_rate:
        return samples.astype(np.float32, copy=False)
    return soxr.resample(samples, from_rate, to_rate, "VHQ").astype(np.float32)


def fit_length(samples: np.ndarray, n_samples: int) -> np.ndarray:
    """Cut or zero-pad samples at the end to exactly n_samples.

    Shape: (n,) -> (n_samples,).
    Raises: ValueError if samples has more than one axis.

    >>> fit_length(np.ones(2, dtype=np.float32), 3)
    array([1., 1., 0.], dtype=float32)

    Notebook: course/02_raw_waveform_cnns.ipynb
    """
    if samples.ndim != 1:
        raise ValueError(
            f"samples has shape {samples.shape}, needed is (n,); "
            "audio.load mixes stereo to mono"
        )
    return np.pad(samples[:n_samples], (0, max(0, n_samples - len(samples))))


def encode(samples: np.ndarray, sample_rate: int = SAMPLE_RATE, kind="mp3") -> bytes:
    """Encode samples as the bytes of a file, for a player or for `write`.

    Args:
        kind: "mp3" (small, constant bit rate), "ogg", "flac" or "wav" (16 bit).

    Shape: (n_samples,) or (n_samples, n_channels) -> bytes.
    Raises: ValueError for another kind.

    >>> encode(np.zeros(16_000, np.float32), kind="wav")[:4]
    b'RIFF'

    Notebook: course/00_start_here.ipynb
    """
    if kind not in ("mp3", "ogg", "flac", "wav"):
        raise ValueError(
            f"kind of file {kind!r} cannot be written; needed is mp3, ogg, flac or wav"
        )
    how = {"bitrate_mode": "CONSTANT", "compression_level": 0.9}
    how = {"format": kind.upper(), **(how if kind == "mp3" else {})}
    n_channels = 1 if samples.ndim == 1 else samples.shape[1]
    data = io.BytesIO()
    with soundfile.SoundFile(data, "w", sample_rate, n_channels, **how) as file:
        for at in range(0, len(samples), 1 << 16):  # of a minute at once ogg crashes
            file.write(samples[at : at + (1 << 16)])
    return data.getvalue()


def write(path: str | Path, samples: np.ndarray, sample_rate: int = SAMPLE_RATE):
    """Write samples to a file whose suffix says its kind: .wav .flac .ogg .mp3.

    Shape: (n_samples,) or (n_samples, n_channels), float32 in [-1, 1].
    Raises: ValueError for another suffix.

    >>> import tempfile
    >>> name = Path(tempfile.mkdtemp()) / "beep.wav"
    >>> write(name, np.ones(8, np.float32) / 2)
    >>> load(name)
    array([0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5], dtype=float32)

    Notebook: course/00_start_here.ipynb
    """
    path = Path(path)
    path.write_bytes(encode(samples, sample_rate, path.suffix.lower().lstrip(".")))
