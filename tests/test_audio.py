"""Decoding: every format, rate and number of channels in, bad files named."""

import numpy as np
import pytest
import soundfile

from conftest import tone
from tagkit import audio


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
    samples = audio.resample(tone(7_000, 1, 16_000), 16_000, 12_000)
    assert np.abs(samples[600:-600]).max() < 1e-3  # 7 kHz is above 6 kHz


def test_same_rate_is_left_as_it_is():
    samples = tone(440, 0.1)
    np.testing.assert_array_equal(audio.resample(samples, 16_000, 16_000), samples)


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
    soundfile.write(folder / "nan.wav", wave, 16_000, subtype="FLOAT")
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
        with pytest.raises(audio.AudioError) as caught:
            audio.load(tmp_path / name)
        assert word in str(caught.value), name
        assert name in str(caught.value)


def test_one_bad_channel_is_enough(tmp_path):
    wave = np.stack([tone(440, 1)] * 2, axis=1)
    wave[5, 1] = np.nan
    soundfile.write(tmp_path / "x.wav", wave, 16_000, subtype="FLOAT")
    with pytest.raises(audio.AudioError, match="not numbers"):
        audio.load(tmp_path / "x.wav")


def test_audio_errors_are_value_errors():
    assert issubclass(audio.AudioError, ValueError)


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


def test_an_mp3_for_a_player_is_small():
    assert len(audio.encode(tone(440, 10))) < 60_000
