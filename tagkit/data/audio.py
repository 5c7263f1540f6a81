"""Files to samples and back: the only file that names a decoder.

Everywhere else sound is a float32 array in [-1, 1], mono, 16,000 samples a second.
soundfile decodes what it knows. PyAV, which brings the libraries of ffmpeg, decodes
what soundfile refuses or does not read to its end.

Notebook: course/01_dataset_analysis.ipynb
"""

import io
import os
import re
import types
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from tagkit import files

SAMPLE_RATE = 16_000
# Every readable clip of MagnaTagATune decodes to 809 mp3 frames of 576 samples.
CLIP_SAMPLES = 809 * 576  # 465,984 samples = 29.124 s
BY_SOUNDFILE = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "OGG", "MP3")
# PyAV's names. It knows more, but some of those take any text for sound, and some open
# what the file names. Of STREAMS it may only estimate the length.
FILES = "aiff ape asf au avi caf dsf flac flv matroska mov mpc mpc8 rm tak tta".split()
FILES += ["voc", "w64", "wav", "wv"]
STREAMS = "aac ac3 amr dts eac3 loas mp3 mpeg mpegts ogg".split()
NO_SOUND = {  # the first bytes of what may hold some sound, but is none
    rb"PK\x03\x04": "a zip archive",
    rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF.{4}WEBP": "a picture",
    rb"%PDF": "a PDF",
    rb"\s*<(!doctype\s+)?html": "a web page",
}
RATES = (4_000, 400_000)  # samples a second, by a file's header
MOST_CHANNELS = 64
MOST_HOURS = 12
LOUDEST = 32  # float files may go beyond full scale, but not by more than 30 dB
TOLERANCE = 0.5  # seconds that a file may hold less than its header promises
MORE = 0.15  # seconds that the second decoder must find beyond the first
CANCELLED = 0.01  # of the channels' power is left in their mean: 20 dB less
SHORTEST = 1  # second of a longer file that must be left of it
BLOCK = 1 << 16
UNKNOWN = 1 << 62  # libsndfile gives at least so many frames where it knows no number
# What programs write for "not known" as the size of sound in a wav or aiff: ffmpeg;
# LAME, oggdec; sox; GStreamer; aplay; arecord; sox for aiff. Some take headers off.
STREAMED = (0xFFFF_FFFF, 0x7FFF_FFFF, 0x7FFF_F000, 0x7FFF_0000, 0x7FFF_FF00)
STREAMED += (0x8000_0000, 0x7F00_0000)
HEADERS = 128  # bytes
TAIL = 1024  # bytes behind the sound that other programs may have left there


class AudioError(ValueError):
    """A file that cannot be used as sound, with the reason in words."""


class _Stream(soundfile.SoundFile):
    """A file read to its end without seeking: a seek garbles the next mp3 frames."""

    def seekable(self):
        return False


class _Decoded(NamedTuple):
    """What a decoder made of a file."""

    samples: np.ndarray = np.zeros(0, np.float32)
    promised: float = 0.0  # seconds by the header, 0 where it promises nothing
    n_left: int = 0  # bytes that were not read and may be sound
    unknown: str = ""  # why the file could not be opened
    damage: str = ""  # why it could not be read to the end


def load(path: str | Path, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Decode a file of any usual kind (mp3, flac, m4a, wma ...) to mono samples.

    Channels are averaged, and the suffix does not matter. Where they cancel each other,
    as if one were wired the wrong way round, the first, the left one, is taken alone,
    with a warning. A file that ends early is decoded as far as it goes, with a warning
    that names both lengths. An mp3 without a count of its frames, an ogg, and a
    streamed wav promise no length; a lost end of theirs goes unnoticed. Of a film the
    best sound track is decoded.

    Shape: (n_samples,) float32 in [-1, 1].
    Raises: AudioError, naming file and reason, if the file is missing, no audio,
    damaged, silent, longer than 12 hours, or has less than a second left of its sound.

    >>> from tagkit.data import corpus
    >>> mini = corpus.open("mini")
    >>> load(mini.path(mini.clips.index[0])).shape
    (465984,)
    """
    path = files.expand(path)
    try:
        samples, remarks = _decode(path, sample_rate, _Mix())
    except OSError as error:
        reason = f"cannot be read ({error.strerror}); check its permissions"
    except MemoryError:
        reason = "is too long for this machine; cut it"
    except AudioError as error:
        reason = str(error)
    else:
        for remark in remarks:
            warnings.warn(f"{path} {remark}", stacklevel=2)
        return samples
    raise AudioError(f"{path} {reason}")


class _Mix:
    """Averages channels, or takes the first; knows whether they cancel each other."""

    def __init__(self, *, first_only=False):
        self.first_only = first_only
        self.power = self.power_left = 0.0  # of the channels, and of their mean

    def __call__(self, block):
        if block.shape[1] == 1 or self.first_only:
            return np.ascontiguousarray(block[:, 0])
        mono = block.mean(axis=1)
        self.power += float(np.einsum("ij,ij", block, block)) / block.shape[1]
        self.power_left += float(mono @ mono)
        return mono

    def has_cancelled(self):
        return self.power_left < CANCELLED * self.power


def _decode(path, sample_rate, mix):
    """Give the samples and remarks: where the file ends early, or channels cancel."""
    if not path.is_file():
        raise AudioError("is missing; needed is a file with sound")
    if path.stat().st_size == 0:
        raise AudioError("is empty (0 bytes); get the file again")
    found = first = _by_soundfile(path, sample_rate, mix)
    if len(first.samples) == 0 or first.n_left > TAIL:
        second = _by_pyav(path, sample_rate, mix)
        n_more = len(second.samples) - len(first.samples)
        if len(first.samples) == 0 or n_more > MORE * sample_rate:
            found = second._replace(promised=first.promised or second.promised)
    seconds = len(found.samples) / sample_rate
    if first.unknown and found.unknown:
        raise AudioError(
            f"is not audio that can be decoded ({first.unknown}; {found.unknown}); "
            "needed is wav, flac, ogg, mp3, m4a, wma or another usual kind; get the "
            "file again"
        )
    if first.damage and seconds < SHORTEST:
        raise AudioError(f"is damaged ({first.damage}); get the file again")
    remarks = []
    if seconds < found.promised - TOLERANCE:
        end = f"ends after {seconds:.1f} s of the {found.promised:.1f} s it promises"
        if seconds < SHORTEST:
            raise AudioError(f"{end}; get the file again")
        remarks.append(end)
    elif found.n_left > TAIL and not found.promised:
        left = f"{found.n_left} bytes are left"
        remarks.append(f"is decoded for {seconds:.1f} s only; {left}")
    if mix.has_cancelled():
        samples, remarks = _decode(path, sample_rate, _Mix(first_only=True))
        told = "has channels that cancel each other; the left one is heard alone"
        return samples, [*remarks, told]
    return _checked(found.samples), remarks


def _by_soundfile(path, to_rate, mix) -> _Decoded:
    with path.open("rb", buffering=0) as file:
        head = file.read(64)
        for start, kind in NO_SOUND.items():
            if re.match(start, head, re.DOTALL | re.IGNORECASE):
                raise AudioError(f"is {kind}, not audio; get the file again")
        file.seek(0)
        try:
            # By its number: an object would hold up other threads, and if a name ends
            # in .mp3, libsndfile takes whatever it is for mp3.
            sound = _Stream(file.fileno(), closefd=False)
        except soundfile.SoundFileError as error:
            return _Decoded(unknown=_reason(error))
        with sound:
            if sound.format not in BY_SOUNDFILE:
                return _Decoded(unknown=f"format {sound.format}")
            _check_form(sound.samplerate, sound.channels)
            promised = _promised_seconds(sound, path)
            guess = sound.frames / sound.samplerate if sound.frames < UNKNOWN else 0
            try:
                blocks = _mixed(_soundfile_blocks(sound), mix)
                samples = _joined(blocks, to_rate, path, guess)
            except soundfile.SoundFileError as error:
                return _Decoded(promised=promised, damage=_reason(error))
            n_left = 0
            if sound.format in ("MP3", "OGG", "FLAC"):  # another piece may follow
                n_left = path.stat().st_size - os.lseek(file.fileno(), 0, os.SEEK_CUR)
    return _Decoded(samples, promised, n_left)


def _soundfile_blocks(sound):
    """Yield sampling rate and samples (n, n_channels) to the end of the file."""
    # Memory that is used again is faster than memory asked for anew.
    buffer = np.empty((BLOCK, sound.channels), np.float32)
    n_read = 0
    # Not beyond the end: a tag behind a flac is no frame, and an error there.
    while len(block := sound.read(out=buffer[: sound.frames - n_read])):
        n_read += len(block)
        yield sound.samplerate, block


def _by_pyav(path, to_rate, mix) -> _Decoded:
    import av  # here, since it takes a tenth of a second and most files do without

    with path.open("rb", buffering=0) as file:
        # Without its name, so that the suffix does not matter.
        source = types.SimpleNamespace(read=file.read, seek=file.seek, tell=file.tell)
        options = {"format_whitelist": ",".join(FILES + STREAMS)}
        try:
            with av.open(source, options=options, metadata_errors="ignore") as sound:
                stream = sound.streams.best("audio")
                if stream is None or stream.codec_context is None:
                    return _Decoded(unknown="it holds no sound")
                promised = _pyav_promise(sound, stream)
                blocks = _mixed(_pyav_blocks(sound, stream), mix)
                return _Decoded(_joined(blocks, to_rate, path, promised), promised)
        except av.FFmpegError as error:
            return _Decoded(unknown=str(error.strerror))


def _pyav_promise(sound, stream) -> float:
    """Give the seconds that a header promises, 0 where it promises nothing."""
    if sound.format.name in STREAMS:
        return 0.0
    if stream.duration:
        return max(0.0, float(stream.duration * stream.time_base))
    # In microseconds; with pictures beside the sound it may be theirs.
    return max(0, sound.duration or 0) / 1e6 if len(sound.streams) == 1 else 0.0


def _pyav_blocks(sound, stream):
    """Yield sampling rate and samples (n, n_channels); pass over what is damaged."""
    import av

    form = gather = None
    for packet in _packets(sound, stream):
        try:
            frames = stream.decode(packet)  # of None what the decoder holds back
        except av.FFmpegError:
            continue
        for frame in frames:
            now = frame.sample_rate, frame.layout.name, frame.format.name
            if now != form:  # as between two mp3 files one behind the other
                _check_form(frame.sample_rate, frame.layout.nb_channels)
                yield from _gathered(gather, None)
                # Not "fltp": PyAV crashes where 8 channels or more lie one by one.
                form, gather = now, av.AudioResampler("flt", frame_size=BLOCK)
            frame.pts = None  # one after the other, whatever the time stamps say
            yield from _gathered(gather, frame)
    yield from _gathered(gather, None)


def _packets(sound, stream):
    """Yield the packets of a stream, and None where the file is damaged and ends."""
    import av

    try:
        yield from sound.demux(stream)
    except av.FFmpegError:
        yield None


def _gathered(gather, frame):
    """Yield the blocks that are full, or, for no frame, what is left."""
    for block in gather.resample(frame) if gather else ():
        samples = block.to_ndarray().reshape(-1, block.layout.nb_channels)
        yield block.sample_rate, samples


def _check_form(rate, n_channels):
    if not RATES[0] <= rate <= RATES[1] or n_channels > MOST_CHANNELS:
        raise AudioError(
            f"has {rate} samples a second and {n_channels} channels by its header; "
            f"needed are {RATES[0]} to {RATES[1]} and at most {MOST_CHANNELS}"
        )


def _mixed(blocks, mix):
    return ((rate, mix(block)) for rate, block in blocks)


def _joined(blocks, to_rate, path, guess):
    """Resample and join blocks; guess is about how many seconds they hold."""
    limit = min(MOST_HOURS * 3600 * to_rate, 1000 * path.stat().st_size)
    samples = np.empty(round(min((guess or 32) * to_rate, limit)), np.float32)
    n_samples = 0
    for mono in _resampled(blocks, to_rate):
        if n_samples + len(mono) > limit:
            hours = limit / to_rate / 3600
            raise AudioError(f"unpacks to more than {hours:.2g} hours; cut it")
        if n_samples + len(mono) > len(samples):
            samples.resize(2 * n_samples + len(mono), refcheck=False)
        samples[n_samples : n_samples + len(mono)] = mono
        n_samples += len(mono)
    return samples[:n_samples]


def _resampled(blocks, to_rate):
    """Resample mono blocks, anew where the rate changes."""
    rate, resampler = to_rate, None
    for block_rate, mono in blocks:
        if block_rate != rate:
            if resampler:
                yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
            rate, resampler = block_rate, None
            if rate != to_rate:
                resampler = soxr.ResampleStream(rate, to_rate, 1, "float32", "VHQ")
        yield resampler.resample_chunk(mono) if resampler else mono
    if resampler:
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _promised_seconds(sound, path) -> float:
    """Give the seconds that a header promises, 0 where it promises nothing."""
    if sound.format == "OGG" or sound.frames >= UNKNOWN:
        return 0.0
    # Without a count of its frames the length of an mp3 is libsndfile's guess.
    if sound.format == "MP3" and not re.search(rb"Xing|Info", path.read_bytes()):
        return 0.0
    n_frames = sound.frames
    # Of a wav or aiff libsndfile counts what is there, and notes what the header says.
    note = r"(?:data|SSND|Riff size|riff) : (\d+) \(should be (\d+)\)"
    for size, n_bytes in re.findall(note, sound.extra_info):
        if all(abs(int(size) - n) > HEADERS for n in STREAMED):
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
    """
    path = Path(path)
    path.write_bytes(encode(samples, sample_rate, kind=path.suffix.lower().lstrip(".")))
