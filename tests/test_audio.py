"""Decoding: every format, rate and number of channels in, bad files named."""

import io
import struct
import warnings
import zipfile

import av
import numpy as np
import pytest
import soundfile

from conftest import tone
from tagkit.data import audio, corpus, folders


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
    ],
)
def test_damage_is_named(tmp_path, kind, damage, words):
    path = tmp_path / "x.bin"
    path.write_bytes(damage(encoded(kind)))
    with pytest.raises(audio.AudioError, match=f"{path} .*{words}"):
        audio.load(path)


def test_what_is_no_sound_says_what_it_is(tmp_path):
    """Even where a decoder would find sound: an mp3 in a zip, AMR in any text."""
    mp3 = audio.encode(tone(440, 2), kind="mp3")
    with zipfile.ZipFile(tmp_path / "zip.mp3", "w") as archive:
        archive.writestr("song.mp3", mp3)
    files = {
        "picture.m4a": (b"\xff\xd8\xff\xe0\0\x10JFIF" + mp3, "a picture"),
        "page.mp3": (b"\n<!DOCTYPE html><p>" + b"not found " * 9999, "a web page"),
        "page.wma": (b"<HTML>" + b"<p>not found</p>" * 9999, "a web page"),
        "error.mp3": (b"<?xml?>" + b"<p>not found</p>" * 9999, "not audio"),
        "text.mp3": (b"not found\n" * 9999, "not audio"),
        "list.mp3": (b"#EXTM3U\n#EXTINF:9,\nfile:///etc/hosts\n", "not audio"),
        "empty.m4a": (b"\0\0\0 ftypM4A " + bytes(99), "not audio"),
    }
    for name, (data, _) in files.items():
        (tmp_path / name).write_bytes(data)
    for name, (_, word) in (files | {"zip.mp3": (b"", "a zip")}).items():
        with pytest.raises(audio.AudioError, match=f"{name} is {word}"):
            audio.load(tmp_path / name)


def by_pyav(kind, codec, samples, rate, layout="stereo", **options):
    """Encode samples (n_channels, n) as the bytes of a file, by ffmpeg's encoders."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind, options=options) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        stream.codec_context.bit_rate = 128_000
        samples = np.ascontiguousarray(samples, np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def two_tones(seconds, rate):
    """A low tone left, a high one right. Shape: (2, n)."""
    return np.stack([tone(440, seconds, rate), tone(1500, seconds, rate) / 2])


@pytest.mark.parametrize(
    ("kind", "codec", "rate"),
    [
        ("ipod", "aac", 44_100),  # m4a
        ("ipod", "alac", 44_100),
        ("adts", "aac", 44_100),
        ("asf", "wmav2", 44_100),
        ("webm", "libopus", 48_000),
        ("matroska", "aac", 48_000),
        ("ogg", "libopus", 48_000),
        ("mp2", "mp2", 44_100),
        ("ac3", "ac3", 48_000),
        ("wv", "wavpack", 44_100),
        ("tta", "tta", 44_100),
        ("au", "pcm_s16be", 44_100),
        ("caf", "pcm_s24le", 44_100),
        ("wav", "pcm_s24le", 44_100),
        ("wav", "adpcm_ms", 44_100),
        ("wav", "libmp3lame", 44_100),
        ("avi", "mp2", 44_100),
    ],
)
def test_every_kind_is_decoded_to_its_full_length(tmp_path, kind, codec, rate):
    wave = two_tones(7, rate)
    path = tmp_path / "x"  # the suffix does not matter
    path.write_bytes(by_pyav(kind, codec, wave, rate))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        samples = audio.load(path)
    assert abs(len(samples) / 16_000 - 7) < 2048 / rate  # a frame of the codec
    wanted = audio.resample(wave.mean(axis=0), rate, 16_000)
    middle = samples[32_000:80_000]
    for hz in (440, 1500):
        power = power_at(middle, 16_000, hz)
        assert power == pytest.approx(power_at(wanted, 16_000, hz), abs=0.02)
    # ffmpeg lets LAME take 5 % off.
    assert middle.std() == pytest.approx(wanted.std(), rel=0.06)


def test_all_channels_count_alike(tmp_path):
    """ffmpeg's own mixing down would weigh them, and leave the last but two out."""
    loud = np.array([[0.5], [0.2], [0.1], [0], [0.3], [0.1]])
    wave = loud * tone(440, 3, 48_000)
    (tmp_path / "x.mka").write_bytes(by_pyav("matroska", "flac", wave, 48_000, "5.1"))
    (tmp_path / "x.wav").write_bytes(by_pyav("wav", "pcm_f32le", wave, 48_000, "5.1"))
    samples = audio.load(tmp_path / "x.mka")
    wanted = audio.resample(wave.mean(axis=0), 48_000, 16_000)
    np.testing.assert_allclose(samples, wanted, atol=1e-4)
    np.testing.assert_allclose(audio.load(tmp_path / "x.wav"), wanted, atol=1e-6)
    soundfile.write(tmp_path / "x.au", NOISE.reshape(-1, 10), 16_000, subtype="FLOAT")
    wanted = NOISE.reshape(-1, 10).mean(axis=1)  # 8 channels or more may crash PyAV
    np.testing.assert_allclose(audio.load(tmp_path / "x.au"), wanted, atol=1e-6)


def a_piece(hz, rate, n_channels, xing="0"):
    """Four seconds of mp3, as bytes; without a count of its frames if xing is 0."""
    wave = np.stack([tone(hz, 4, rate)] * n_channels)
    layout = ["mono", "stereo"][n_channels - 1]
    options = {"write_xing": xing, "id3v2_version": "0"}
    return by_pyav("mp3", "libmp3lame", wave, rate, layout, **options)


@pytest.mark.parametrize("xing", ["0", "1"])
@pytest.mark.parametrize(
    "forms",
    [
        [(44_100, 2), (22_050, 2)],
        [(22_050, 2), (44_100, 2)],
        [(16_000, 1), (44_100, 2)],
        [(44_100, 2), (16_000, 1)],
        [(44_100, 2), (44_100, 1)],
        [(44_100, 2), (44_100, 2)],
        [(44_100, 2), (22_050, 1), (48_000, 2)],
    ],
)
def test_a_stitched_mp3_is_decoded_to_its_full_length(tmp_path, forms, xing):
    tones_ = [400, 1000, 2500][: len(forms)]
    pieces = [a_piece(hz, *form, xing) for hz, form in zip(tones_, forms, strict=True)]
    (tmp_path / "x.mp3").write_bytes(b"".join(pieces))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        samples = audio.load(tmp_path / "x.mp3")
    assert abs(len(samples) / 16_000 - 4 * len(forms)) < 0.1 * len(forms)
    for i, hz in enumerate(tones_):
        piece = samples[(4 * i + 1) * 16_000 : (4 * i + 3) * 16_000]
        assert power_at(piece, 16_000, hz) > 0.99, i
        assert piece.std() == pytest.approx(tone(hz, 1).std(), rel=0.06), i


def test_two_pieces_of_ogg_or_flac_are_decoded(tmp_path):
    for kind in ("ogg", "flac"):
        data = audio.encode(tone(440, 3, 44_100), 44_100, kind=kind)
        (tmp_path / "x").write_bytes(2 * data)
        assert abs(len(audio.load(tmp_path / "x")) - 96_000) < 500, kind


def test_mp3_that_soundfile_refuses_is_decoded(tmp_path):
    data = a_piece(440, 44_100, 2)
    counted_ = a_piece(440, 44_100, 2, "1")
    middle = len(data) // 2
    tag = b"ID3\4\0\0\0\x0c\0\0" + bytes(12 << 14)
    files = {
        "zero before": b"\0" + counted_,
        "zeros before": bytes(4096) + counted_,
        "in mid frame": data[50:],
        "tag inside": data[:middle] + tag + data[middle:],
        "tag between": data + tag,
        "tag behind": counted_ + b"APETAGEX" + bytes(100_000),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        samples = audio.load(tmp_path / name)
        assert abs(len(samples) / 16_000 - 4) < 0.1, name
        for part in (samples[1_000:28_000], samples[36_000:-1_000]):
            assert power_at(part, 16_000, 440) > 0.98, name


def test_every_format_that_is_left_to_pyav_is_known_to_it():
    known = {part for name in av.formats_available for part in name.split(",")}
    assert {*audio.FILES, *audio.STREAMS} <= known


def test_a_folder_is_searched_for_sound_of_every_kind(tmp_path):
    for name in ("a.m4a", "b.WMA", "c.webm", "d.opus", "e.ape", "f.txt", "g.jpg"):
        (tmp_path / name).write_bytes(b"")
    names = [path.name for path in folders.search([tmp_path]).files]
    assert names == ["a.m4a", "b.WMA", "c.webm", "d.opus", "e.ape"]


def test_of_a_film_the_sound_is_decoded(tmp_path):
    with av.open(tmp_path / "x.mkv", "w") as container:
        film = container.add_stream("mpeg4", rate=10)
        film.width = film.height = 64
        sound = container.add_stream("aac", rate=44_100, layout="mono")
        for _ in range(50):  # 5 s
            picture = np.zeros((64, 64, 3), np.uint8)
            container.mux(film.encode(av.VideoFrame.from_ndarray(picture)))
        frame = av.AudioFrame.from_ndarray(tone(440, 3, 44_100)[None], "fltp", "mono")
        frame.sample_rate = 44_100
        container.mux(sound.encode(frame))
        for stream in (film, sound):
            container.mux(stream.encode(None))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert abs(len(audio.load(tmp_path / "x.mkv")) / 16_000 - 3) < 0.1
    with av.open(tmp_path / "y.mkv", "w") as container:  # a silent one
        film = container.add_stream("mpeg4", rate=10)
        film.width = film.height = 64
        container.mux(film.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(film.encode(None))
    with pytest.raises(audio.AudioError, match="y.mkv is not audio .*no sound"):
        audio.load(tmp_path / "y.mkv")


def test_a_tag_in_no_known_writing_stops_nothing(tmp_path):
    data = by_pyav("adts", "aac", two_tones(2, 44_100), 44_100)
    tag = b"ID3\3\0\0\0\0\0\x10TIT2\0\0\0\6\0\0\3\xe9\xff\xfeab"
    (tmp_path / "x.aac").write_bytes(tag + data)
    assert len(audio.load(tmp_path / "x.aac")) > 31_000


@pytest.mark.parametrize("kind, codec", [("matroska", "aac"), ("flac", "flac")])
def test_what_ends_early_is_decoded_by_pyav_too(tmp_path, kind, codec, capfd):
    data = by_pyav(kind, codec, two_tones(8, 44_100), 44_100)
    (tmp_path / "x").write_bytes(data[: len(data) // 2])
    with pytest.warns(UserWarning, match=r"ends after [34]\.\d s of the 8\.0 s"):
        assert 3 < len(audio.load(tmp_path / "x")) / 16_000 < 5
    (tmp_path / "y").write_bytes(data[: len(data) // 20])
    with pytest.raises(audio.AudioError, match=r"y (ends after 0|is damaged)"):
        audio.load(tmp_path / "y")
    assert capfd.readouterr().err == ""  # libav would log its complaints here


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


def streamed(data, size=b"\xff"):
    """A wav whose writer did not know how long it would be."""
    return data[:4] + 4 * size + data[8:40] + 4 * size + data[44:]


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
        "streamed otherwise.wav": (streamed(encoded("WAV"), b"\0"), 2),
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


def test_an_mp3_that_is_longer_than_soundfile_guesses_is_decoded_whole(tmp_path):
    """libsndfile guesses by the first frame where there is no count, and stops."""
    data = 3 * uncounted(mp3("VARIABLE"))
    (tmp_path / "x.mp3").write_bytes(data)
    guess = soundfile.info(tmp_path / "x.mp3").duration
    assert guess < 25 and abs(len(audio.load(tmp_path / "x.mp3")) / 16_000 - 30) < 0.5


def test_what_neither_decoder_reads_is_named(tmp_path):
    """An ogg whose second piece has another rate."""
    pieces = [audio.encode(NOISE, rate, kind="ogg") for rate in (16_000, 8_000)]
    (tmp_path / "x.ogg").write_bytes(b"".join(pieces))
    with pytest.warns(UserWarning, match=r"x\.ogg is decoded for 2\.0 s only; \d+ b"):
        audio.load(tmp_path / "x.ogg")


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "m4a"])
@pytest.mark.parametrize("share", [-1, -0.9])
def test_channels_that_cancel_leave_the_left_one(tmp_path, kind, share):
    wave = tone(440, 3, 44_100) + NOISE[0] * tone(1500, 3, 44_100)
    both = np.stack([wave, share * wave]).astype(np.float32)
    path = tmp_path / f"x.{kind}"
    if kind == "m4a":
        path.write_bytes(by_pyav("ipod", "aac", both, 44_100))
    else:
        audio.write(path, both.T, 44_100)
    with pytest.warns(UserWarning, match=rf"x\.{kind} has channels that cancel .*left"):
        samples = audio.load(path)
    wanted = audio.resample(wave, 44_100, 16_000)
    assert samples.std() == pytest.approx(wanted.std(), rel=0.1)
    assert power_at(samples, 16_000, 440) > 0.7


def test_wide_stereo_does_not_cancel(tmp_path):
    pairs = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 32_000))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for left, right in ((*pairs,), (pairs[0], -0.7 * pairs[0]), (NOISE, 0 * NOISE)):
            soundfile.write(tmp_path / "x.wav", np.stack([left, right], 1), 16_000)
            audio.load(tmp_path / "x.wav")
    soundfile.write(tmp_path / "x.wav", np.zeros((16_000, 2)), 16_000)
    with pytest.raises(audio.AudioError, match="silent"):
        audio.load(tmp_path / "x.wav")


STREAMS = (0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFFFD3, 0x7FFFF000, 0x7FFF0000, 0x80000000, 0)


@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "AIFF"])
@pytest.mark.parametrize("size", [*STREAMS, 0x7F000008, 2_100_000_000, 0x89165A00])
@pytest.mark.parametrize("more", [0, -9_999, 1_000_000])
def test_only_sizes_that_stand_for_a_stream_are_no_promise(tmp_path, kind, size, more):
    """As ffmpeg, LAME, oggdec, sox, GStreamer and arecord write them to a pipe."""
    data, form = encoded(kind), ">I" if kind == "AIFF" else "<I"
    at = data.index(b"SSND" if kind == "AIFF" else b"data") + 4
    said = min(max(0, size + more), 0xFFFFFFFF)
    (tmp_path / "x").write_bytes(data[:at] + struct.pack(form, said) + data[at + 4 :])
    near = [abs(said - n) <= 128 for n in (*STREAMS, 0x7F000000)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            n_samples = len(audio.load(tmp_path / "x"))
        except audio.AudioError as error:
            assert said == 0 or not any(near), error
            return
    assert n_samples == pytest.approx(32_000, abs=2) and bool(caught) != any(near)


def test_a_short_piece_behind_a_counted_one_is_heard(tmp_path):
    pieces = [a_piece(400, 44_100, 2, "1"), a_piece(1000, 22_050, 1)]
    (tmp_path / "x.mp3").write_bytes(pieces[0] + pieces[1][: len(pieces[1]) // 10])
    assert len(audio.load(tmp_path / "x.mp3")) > 4.3 * 16_000


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
