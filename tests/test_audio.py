"""Decoding: every format, rate and number of channels in, bad files named."""

import io
import struct

import numpy as np
import pytest
import soundfile

from conftest import tone
from tagkit.data import audio, container, corpus


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


def pages(data):
    """Cut an ogg into its pages."""
    return [b"OggS" + page for page in data.split(b"OggS")[1:]]


def counted(data):
    """Put a silent frame before an mp3, with a count of 1,000 frames."""
    count = b"Xing" + struct.pack(">II", 1, 1_000)
    return (b"\xff\xf3\x38\xc4" + bytes(9) + count).ljust(108, b"\0") + data


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("cut.wav", lambda d: d[: len(d) // 4], "holds 0.5 s of the 2.0 s"),
        ("cut.aif", lambda d: d[: len(d) // 4], "holds 0.5 s of the 2.0 s"),
        ("cut.fla", lambda d: d[: len(d) // 2], "damaged after 0.0 s"),
        ("cut.ogg", lambda d: b"".join(pages(d)[:-1]), "last page is missing"),
        ("hole.ogg", lambda d: b"".join(pages(d)[:3] + pages(d)[4:]), "missing before"),
        ("page.ogg", lambda d: d[:-50] + b"???" + d[-47:], "is not whole"),
        ("count.mp3", counted, "of the 36.0 s that it promises"),
        ("rate.wav", lambda d: d[:24] + b"\1\0\0\0" + d[28:], "1 samples a second"),
        ("bytes.wav", lambda d: d[:28] + b"\1" + d[29:], "should be 32000"),
        ("align.wav", lambda d: d[:32] + b"\4" + d[33:], "4 bytes for 1 of PCM_16"),
        ("odd.wav", lambda d: d[:999] + d[1000:], "a byte is missing"),
        ("more.wav", lambda d: d + b"\xff" * 5000, "belong to no part"),
        ("rate.fla", lambda d: d[:19] + b"\x1f" + d[20:], "in its frames"),
        ("x.m4a", lambda d: b"\0\0\0 ftypM4A " + d, "ffmpeg -i x.m4a x.flac"),
        ("x.au", lambda d: d, "format AU"),
    ],
)
def test_damage_is_named(tmp_path, name, damage, words):
    kinds = {"fla": "FLAC", "aif": "AIFF", "m4a": "WAV", ".au": "AU"}
    file = io.BytesIO()
    kind = kinds.get(name[-3:], name[-3:].upper())
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 32_000)
    soundfile.write(file, noise, 16_000, format=kind)
    (tmp_path / name).write_bytes(damage(file.getvalue()))
    with pytest.raises(audio.AudioError, match=words) as caught:
        audio.load(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


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


def test_an_mp3_may_begin_with_a_large_tag(tmp_path):
    data = audio.encode(tone(440, 2), kind="mp3")
    tag = b"ID3\4\0\0\0\x0c\0\0" + bytes(12 << 14)
    (tmp_path / "x.mp3").write_bytes(tag + data)
    (tmp_path / "y.mp3").write_bytes(data)
    x, y = (audio.load(tmp_path / name) for name in ("x.mp3", "y.mp3"))
    np.testing.assert_array_equal(x, y)


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


def test_a_minute_of_ogg_is_written(tmp_path):
    """Given all at once, libsndfile's encoder runs out of its stack and crashes."""
    audio.write(tmp_path / "a.ogg", tone(300, 60, 48_000), 48_000)
    assert abs(len(audio.load(tmp_path / "a.ogg")) - 60 * 16_000) <= 1


def test_a_wav_with_a_note_of_another_program_at_its_end_is_decoded(tmp_path):
    path = tmp_path / "a.wav"
    audio.write(path, tone(300, 3))
    wanted = audio.load(path)
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    np.testing.assert_array_equal(audio.load(path), wanted)


def test_an_ogg_of_two_pieces_is_named(tmp_path):
    """libsndfile decodes the first piece only, and says nothing of the second."""
    path = tmp_path / "a.ogg"
    for name, hz in (("a", 300), ("b", 600)):
        audio.write(tmp_path / f"{name}.ogg", tone(hz, 3))
    second = (tmp_path / "b.ogg").read_bytes()
    path.write_bytes(path.read_bytes() + second)
    with pytest.raises(audio.AudioError, match="a second piece begins at byte"):
        audio.load(path)


def test_an_mp3_with_a_picture_behind_its_sound_is_decoded_whole(tmp_path):
    """As an APE tag; what looks like a frame in the picture is none."""
    path = tmp_path / "a.mp3"
    audio.write(path, tone(300, 20))
    sound = path.read_bytes()
    picture = bytes(400) + sound[:4] + bytes(300)
    path.write_bytes(sound + b"APETAGEX" + picture)
    assert container._mp3_seconds(path.read_bytes(), 16_000) == pytest.approx(
        container._mp3_seconds(sound, 16_000)
    )


def test_a_file_too_long_for_the_memory_is_named(tmp_path, monkeypatch):
    audio.write(tmp_path / "a.wav", tone(300, 1))

    def full(*_):
        raise MemoryError

    monkeypatch.setattr(np, "empty", full)
    with pytest.raises(audio.AudioError, match=r"a\.wav is too long for this machine"):
        audio.load(tmp_path / "a.wav")
