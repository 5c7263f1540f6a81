"""Files to samples and back: the only file that names a decoder.

Everywhere else sound is a float32 array in [-1, 1], mono, 16,000 samples a second.

Notebook: course/00_start_here.ipynb
"""

import io
from pathlib import Path

import numpy as np
import soundfile
import soxr

SAMPLE_RATE = 16_000
# Every readable clip of MagnaTagATune decodes to 809 mp3 frames of 576 samples.
CLIP_SAMPLES = 809 * 576  # 465,984 samples = 29.124 s


class AudioError(ValueError):
    """A file that cannot be used as sound, with the reason in words."""


def load(path: str | Path, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Decode a file (wav, flac, ogg, mp3) to mono samples at one rate.

    Channels are averaged and other rates resampled. What is read counts: the
    length in an mp3's header can be wrong.

    Shape: (n_samples,) float32 in [-1, 1].
    Raises: AudioError, naming file and reason, if it is empty, no audio, silent
    throughout, or holds values that are not numbers.

    >>> from tagkit import corpus
    >>> mini = corpus.open("mini")
    >>> load(mini.path(mini.clips.index[0])).shape
    (465984,)

    Notebook: course/00_start_here.ipynb
    """
    path = Path(path)
    if not path.is_file():
        raise AudioError(f"{path} is missing; needed is a file with sound")
    if path.stat().st_size == 0:
        raise AudioError(f"{path} is empty (0 bytes); get the file again")
    try:
        with path.open("rb") as file:  # given a path, libsndfile prints notes
            samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, ValueError, MemoryError) as e:
        reason = str(e).split(": ")[-1].strip().rstrip(".") or "no known format"
        raise AudioError(
            f"{path} is not audio that can be decoded ({reason}); "
            "needed is wav, flac, ogg or mp3"
        ) from None
    samples = samples.mean(axis=1)  # (n_samples,)
    if len(samples) == 0:
        raise AudioError(f"{path} holds no samples; get the file again")
    if not np.isfinite(samples).all():
        raise AudioError(
            f"{path} holds {np.count_nonzero(~np.isfinite(samples))} samples that are "
            "not numbers; export it again as 16-bit audio"
        )
    if not samples.any():
        raise AudioError(f"{path} is silent: all {len(samples)} samples are zero")
    return np.clip(resample(samples, rate, sample_rate), -1.0, 1.0)


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
    file = io.BytesIO()
    soundfile.write(
        *(file, samples, sample_rate),
        format=kind.upper(),
        **(how if kind == "mp3" else {}),
    )
    return file.getvalue()


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
