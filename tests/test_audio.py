"""Decoding: every format, rate and number of channels in, bad files named."""

import io
import struct
import warnings

import numpy as np
import pytest
import soundfile

from conftest import tone
from tagkit.data import audio, corpus


def power_at(samples, rate, hz):
    """The share of the power within 1 % of a frequency."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    at = np.fft.rfftfreq(len(samples), 1 / rate)
    return power[np.abs(at - hz) < 0.01 * hz].sum() / power.sum()


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_what_is_written_is_read(tmp_path, suffix):
    samples = tone(440, seconds=1)
    audio.write(tmp_path / f"x{suffix}", samples)
    again = audio.load(tmp_path / f"x{suffix}")
    assert again.dtype == np.float32 and again.ndim == 1
    assert abs(len(again) - len(samples)) <= 2 * 1152  # mp3 pads to whole frames
    assert power_at(again, 16_000, 440) > 0.99
    if suffix in (".wav", ".flac"):
        assert np.abs(again - samples).max() < 1 / 32768 * 1.01


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_other_rates_are_resampled(tmp_path, rate):
    soundfile.write(tmp_path / "x.wav", tone(1000, 2, rate), rate)
    samples = audio.load(tmp_path / "x.wav")
    assert abs(len(samples) - 32_000) <= 1
    assert power_at(samples, 16_000, 1000) > 0.999


def test_resampling_lets_no_mirror_through():
    wave = tone(7_000, 1, 16_000)
    samples = audio.resample(wave, 16_000, 12_000)
    assert np.abs(samples[600:-600]).max() < 1e-3  # 7 kHz is above 6 kHz
    np.testing.assert_array_equal(audio.resample(wave, 16_000, 16_000), wave)


def test_stereo_is_averaged(tmp_path):
    left, right = tone(440, 1), np.zeros(16_000, np.float32)
    soundfile.write(tmp_path / "x.wav", np.stack([left, right], axis=1), 16_000)
    samples = audio.load(tmp_path / "x.wav")
    np.testing.assert_allclose(samples, left / 2, atol=1e-4)


def test_float_files_beyond_full_scale_are_clipped(tmp_path):
    wave = 4 * tone(440, 1)
    soundfile.write(tmp_path / "x.wav", wave, 16_000, subtype="FLOAT")
    samples = audio.load(tmp_path / "x.wav")
    assert samples.max() == 1 and samples.min() == -1


def bad_files(folder):
    """Write one file of each bad kind; give name -> word of its reason."""
    good = audio.encode(tone(440), kind="mp3")
    wave = tone(440, 1)
    wave[7] = np.nan
    files = {
        "empty.mp3": (b"", "empty"),
        "text.mp3": (b"this is no music at all\n" * 50, "not audio"),
        "zeros.mp3": (b"\0" * 20_000, "not audio"),
        "cover.mp3": (b"\x89PNG\r\n\x1a\n" + b"\1" * 3000, "not audio"),
        "head.mp3": (good[:30], "not audio"),
        "head.wav": (audio.encode(wave[8:], kind="wav")[:20], "not audio"),
        "nothing.wav": (audio.encode(wave[:0], kind="wav"), "no samples"),
        "silent.wav": (audio.encode(0 * wave[8:], kind="wav"), "silent"),
    }
    for name, (data, _) in files.items():
        (folder / name).write_bytes(data)
    one_bad_channel = np.stack([tone(440, 1), wave], axis=1)
    soundfile.write(folder / "nan.wav", one_bad_channel, 16_000, subtype="FLOAT")
    wave[7] = np.inf
    soundfile.write(folder / "inf.wav", wave, 16_000, subtype="FLOAT")
    (folder / "folder.mp3").mkdir()
    return {name: word for name, (_, word) in files.items()} | {
        "nan.wav": "not numbers",
        "inf.wav": "not numbers",
        "folder.mp3": "missing",
        "gone.mp3": "missing",
    }


def test_bad_files_are_named_with_their_reason(tmp_path):
    for name, word in bad_files(tmp_path).items():
        with pytest.raises(ValueError, match=f"{name}.*{word}"):
            audio.load(tmp_path / name)


NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 32_000)  # two seconds


def encoded(kind):
    """Two seconds of noise at 16 kHz as the bytes of a file."""
    file = io.BytesIO()
    soundfile.write(file, NOISE, 16_000, format=kind)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "damage", "words"),
    [
        ("WAV", lambda d: d[: len(d) // 4], r"0\.5 s of the 2\.0 s"),
        ("AIFF", lambda d: d[: len(d) // 4], r"0\.5 s of the 2\.0 s"),
        ("FLAC", lambda d: d[: len(d) // 2], "flac decoder lost sync"),
        ("WAV", lambda d: d[:24] + b"\1\0\0\0" + d[28:], "1 samples .* 4000 to 400000"),
        ("AU", lambda d: d, "AU.* wav, flac, ogg, mp3 or aiff"),
    ],
)
def test_damage_is_named(tmp_path, kind, damage, words):
    path = tmp_path / "x.bin"
    path.write_bytes(damage(encoded(kind)))
    with pytest.raises(audio.AudioError, match=f"{path} .*{words}"):
        audio.load(path)


def test_a_foreign_kind_is_answered_with_a_command(tmp_path):
    (tmp_path / "x.m4a").write_bytes(b"\0\0\0 ftypM4A " + bytes(99))
    with pytest.raises(audio.AudioError, match=r"ffmpeg -i x\.m4a x\.flac"):
        audio.load(tmp_path / "x.m4a")


def counted(data):
    """Put a silent frame before an mp3, with a count of 1,000 frames, 36 s."""
    count = b"Xing" + struct.pack(">II", 1, 1_000)
    return (b"\xff\xf3\x38\xc4" + bytes(9) + count).ljust(108, b"\0") + data


def of_2_gigabytes(data):
    """Let the header of a wav promise so many bytes of samples."""
    return data[:40] + struct.pack("<I", 2_300_000_000) + data[44:]


@pytest.mark.parametrize(
    ("kind", "damage", "lengths"),
    [
        ("WAV", lambda d: d[: len(d) * 3 // 5], r"1\.2 s of the 2\.0 s"),
        ("AIFF", lambda d: d[: len(d) * 3 // 5], r"1\.2 s of the 2\.0 s"),
        ("WAV", of_2_gigabytes, r"2\.0 s of the 71875\.0 s"),
        ("MP3", counted, r"2\.\d s of the 36\.0 s"),
    ],
)
def test_a_file_that_ends_early_is_decoded_with_a_warning(
    tmp_path, kind, damage, lengths
):
    path = tmp_path / "x"
    path.write_bytes(damage(encoded(kind)))
    with pytest.warns(UserWarning, match=f"{path} .*{lengths}"):
        assert len(audio.load(path)) >= 1.19 * 16_000


def streamed(data):
    """A wav whose writer did not know how long it would be."""
    return data[:4] + b"\xff" * 4 + data[8:40] + b"\xff" * 4 + data[44:]


def mp3(mode):
    """Two loud seconds, eight quiet ones: an mp3 of one bit rate or of many."""
    samples = np.concatenate([NOISE, np.tile(NOISE / 1000, 4)])
    file = io.BytesIO()
    options = {"format": "MP3", "bitrate_mode": mode, "compression_level": 0.5}
    with soundfile.SoundFile(file, "w", 16_000, 1, **options) as sound:
        for start in range(0, len(samples), 16_000):
            sound.write(samples[start : start + 16_000])
    return file.getvalue()


def uncounted(data):
    """Take the first frame, which counts the others, from an mp3."""
    return data[data.index(data[:2], 4) :]


def test_healthy_files_of_all_kinds_are_decoded_whole(tmp_path):
    many = mp3("VARIABLE")
    tag = b"ID3\4\0\0\0\x0c\0\0" + bytes(12 << 14)
    files = {
        "tag behind.flac": (encoded("FLAC") + b"TAG" + bytes(125), 2),
        "newline behind.wav": (encoded("WAV") + b"\n", 2),
        "note behind.wav": (encoded("WAV") + b"\xff" * 5000, 2),
        "streamed.wav": (streamed(encoded("WAV")), 2),
        "tag before.mp3": (tag + many, 10),
    }
    for name, (data, seconds) in files.items():
        (tmp_path / name).write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            samples = audio.load(tmp_path / name)
        # Without its first frame an mp3 begins with the delay of its encoder.
        assert 0 <= len(samples) - seconds * 16_000 <= 2 * 1152, name
        assert samples[:32_000].std() > 0.05, name


def test_an_mp3_that_is_longer_than_its_decoder_guesses_is_named(tmp_path):
    """libsndfile guesses by the first frame where there is no count, and stops."""
    (tmp_path / "x.mp3").write_bytes(3 * uncounted(mp3("VARIABLE")))
    with pytest.warns(UserWarning, match=r"x\.mp3 is decoded for .* bytes are left"):
        audio.load(tmp_path / "x.mp3")


def test_numbers_far_beyond_full_scale_are_named(tmp_path):
    soundfile.write(tmp_path / "x.wav", 32_768 * tone(440, 1), 16_000, subtype="FLOAT")
    with pytest.raises(audio.AudioError, match=r"as large as .*needed is -1 to 1"):
        audio.load(tmp_path / "x.wav")


def test_more_than_twelve_hours_are_not_unpacked(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "x.flac", np.zeros(16_000 * 60, np.int16), 16_000)
    monkeypatch.setattr(audio, "MOST_HOURS", 1 / 120)
    with pytest.raises(audio.AudioError, match="unpacks to more than 0.0083 hours"):
        audio.load(tmp_path / "x.flac")


def test_reading_in_blocks_changes_no_sample():
    """SoundFile seeks between blocks, which garbles an mp3 at each seam."""
    mini = corpus.open("mini")
    path = mini.path(mini.clips.index[2])
    with path.open("rb") as file:
        wanted = soundfile.read(file, dtype="float32")[0]
    np.testing.assert_array_equal(audio.load(path), np.clip(wanted, -1, 1))
    wanted = np.clip(audio.resample(wanted, 16_000, 12_000), -1, 1)
    np.testing.assert_array_equal(audio.load(path, 12_000), wanted)


def test_fit_length_cuts_pads_and_keeps():
    samples = np.arange(4, dtype=np.float32)
    assert audio.fit_length(samples, 2).tolist() == [0, 1]
    assert audio.fit_length(samples, 4).tolist() == [0, 1, 2, 3]
    assert audio.fit_length(samples, 6).tolist() == [0, 1, 2, 3, 0, 0]
    assert audio.fit_length(samples.astype(np.int16), 6).dtype == np.int16
    with pytest.raises(ValueError, match=r"\(4, 2\).*needed is \(n,\)"):
        audio.fit_length(np.zeros((4, 2)), 3)


def test_other_kinds_of_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"'aac'.*mp3, ogg, flac or wav"):
        audio.write(tmp_path / "x.aac", tone(440, 1))
    assert not list(tmp_path.iterdir())
    assert len(audio.encode(tone(440, 10))) < 60_000  # for a player: small


def test_a_minute_of_ogg_is_written(tmp_path):
    """Given all at once, libsndfile's encoder runs out of its stack and crashes."""
    audio.write(tmp_path / "a.ogg", tone(300, 60, 48_000), 48_000)
    assert abs(len(audio.load(tmp_path / "a.ogg")) - 60 * 16_000) <= 1


def test_a_sample_that_is_lost_in_resampling_is_named(tmp_path):
    soundfile.write(tmp_path / "x.wav", [0.5], 44_100)
    with pytest.raises(audio.AudioError, match=r"x\.wav .*no samples"):
        audio.load(tmp_path / "x.wav", 12_000)


def test_a_file_too_long_for_the_memory_is_named(tmp_path, monkeypatch):
    audio.write(tmp_path / "a.wav", tone(300, 1))

    def full(*_):
        raise MemoryError

    monkeypatch.setattr(np, "empty", full)
    with pytest.raises(audio.AudioError, match=r"a\.wav is too long for this machine"):
        audio.load(tmp_path / "a.wav")
