"""Mel bands: against librosa, against torchaudio, and on sounds that are known."""

import librosa
import numpy as np
import pytest
import torch
import torchaudio

from conftest import tone
from tagkit.models import mel

SETTINGS = [(12_000, 512, 256, 96), (16_000, 512, 256, 96), (12_000, 1024, 256, 128)]


def signal(rate, seconds=2.0, seed=0):
    """Noise and a glide: energy everywhere. Shape: (n_samples,) float32."""
    random = np.random.default_rng(seed)
    time = np.arange(round(rate * seconds)) / rate
    glide = np.sin(2 * np.pi * (200 + 900 * time) * time)
    return (0.2 * glide + 0.05 * random.standard_normal(len(time))).astype(np.float32)


def layer_of(rate, n_fft, hop, n_mels, log="db", **more):
    return mel.LogMel(rate, n_fft, hop, n_mels, log=log, **more)


def through(layer, samples):
    return layer(torch.from_numpy(samples)[None])[0].numpy()


def relative(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


@pytest.mark.parametrize(("rate", "n_fft", "hop", "n_mels"), SETTINGS)
@pytest.mark.parametrize(
    ("mel_scale", "norm", "center"),
    [("htk", None, True), ("slaney", None, False), ("slaney", "slaney", False)],
)
def test_agrees_with_librosa(rate, n_fft, hop, n_mels, mel_scale, norm, center):
    samples = signal(rate)
    power = librosa.feature.melspectrogram(
        y=samples,
        sr=rate,
        n_fft=n_fft,
        hop_length=hop,
        n_mels=n_mels,
        htk=mel_scale == "htk",
        norm=norm,
        center=center,
        pad_mode="reflect",
    )
    options = {"mel_scale": mel_scale, "norm": norm, "center": center}
    inner = slice(4, -4) if center else slice(None)  # the edges differ in rounding
    for log, expected in (
        ("db", librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)),
        ("log1p", np.log1p(10_000 * power)),
        ("log10", np.log10(1 + 10_000 * power)),
    ):
        bands = through(layer_of(rate, n_fft, hop, n_mels, log, **options), samples)
        assert bands.shape == expected.shape
        assert relative(bands[:, inner], expected[:, inner]) < 1e-4, log
    # And before the log, where nothing is squeezed.
    bands = through(layer_of(rate, n_fft, hop, n_mels, **options), samples)
    assert relative((10 ** (bands / 10))[:, inner], power[:, inner]) < 1e-4


def test_without_edges_a_whole_transform_is_needed():
    layer = mel.LogMel(center=False)
    assert layer(torch.zeros(1, 512)).shape == (1, 96, 1)
    with pytest.raises(ValueError, match="511"):
        layer(torch.zeros(1, 511))


def test_agrees_with_librosa_where_the_window_is_short():
    samples = signal(12_000)
    power = librosa.feature.melspectrogram(
        y=samples,
        sr=12_000,
        n_fft=1024,
        win_length=256,
        hop_length=256,
        n_mels=128,
        htk=True,
        norm=None,
    )
    layer = layer_of(12_000, 1024, 256, 128, "log1p", win_length=256)
    expected = np.log1p(10_000 * power)
    assert relative(through(layer, samples)[:, 4:-4], expected[:, 4:-4]) < 1e-4


@pytest.mark.parametrize(("rate", "n_fft", "hop", "n_mels"), SETTINGS)
def test_agrees_with_torchaudio(rate, n_fft, hop, n_mels):
    samples = torch.from_numpy(signal(rate))[None]
    theirs = torchaudio.transforms.MelSpectrogram(
        rate, n_fft, hop_length=hop, n_mels=n_mels, center=True, pad_mode="reflect"
    )(samples)
    expected = torchaudio.functional.amplitude_to_DB(theirs, 10.0, 1e-10, 0.0)
    bands = layer_of(rate, n_fft, hop, n_mels)(samples)
    torch.testing.assert_close(bands, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("rate", "n_fft", "hop", "n_mels"), SETTINGS)
def test_filters_by_hand_are_those_of_torchaudio_and_librosa(rate, n_fft, hop, n_mels):
    mine = mel.mel_filters(rate, n_fft, n_mels)
    theirs = torchaudio.functional.melscale_fbanks(
        1 + n_fft // 2, 0.0, rate / 2, n_mels, rate
    ).T.numpy()
    libs = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, htk=True, norm=None)
    assert mine.shape == (n_mels, 1 + n_fft // 2)
    np.testing.assert_allclose(mine, theirs, atol=2e-5)
    np.testing.assert_allclose(mine, libs, atol=2e-5)
    np.testing.assert_allclose(
        mine, layer_of(rate, n_fft, hop, n_mels).filters[::2].T.numpy(), atol=2e-5
    )  # twice each row: of the real part and of the imaginary one


def test_no_band_of_dieleman_is_empty():
    assert mel.mel_filters(12_000, 1024, 128).any(axis=1).all()
    assert (~mel.mel_filters(12_000, 256, 128).any(axis=1)).sum() == 10  # the trap
    assert (~mel.mel_filters(16_000, 256, 128).any(axis=1)).sum() == 14


def test_scale_and_its_inverse():
    hz = np.array([0, 20, 440, 1000, 6000.0])
    np.testing.assert_allclose(mel.mel_to_hz(mel.hz_to_mel(hz)), hz, atol=1e-9)
    np.testing.assert_allclose(mel.hz_to_mel(hz), librosa.hz_to_mel(hz, htk=True))


@pytest.mark.parametrize("hz", [110, 440, 1000, 3000, 5500])
@pytest.mark.parametrize("log", ["db", "log1p", "log10"])
def test_sine_lights_its_band(hz, log):
    bands = through(mel.LogMel(log=log), tone(hz, 1, 12_000))[:, 10:-10]
    corners = mel.mel_to_hz(np.linspace(0, mel.hz_to_mel(6_000), 98))
    lit = bands.mean(axis=1).argmax()
    assert corners[lit] - 12 <= hz <= corners[lit + 2] + 12  # half a bin of 23.4 Hz


@pytest.mark.parametrize(
    ("n_samples", "n_frames"), [(349_488, 1366), (34_950, 137), (512, 3)]
)
def test_number_of_frames(n_samples, n_frames):
    assert mel.LogMel()(torch.zeros(2, n_samples)).shape == (2, 96, n_frames)


def test_a_window_with_nothing_to_reflect_is_refused():
    with pytest.raises(ValueError, match=r"\(1, 256\).* 257 samples"):
        mel.LogMel()(torch.zeros(1, 256))


def test_twice_the_amplitude_is_6_decibels_more():
    samples = signal(12_000)
    layer = mel.LogMel()
    louder = through(layer, 2 * samples) - through(layer, samples)
    np.testing.assert_allclose(louder, 6.0206, atol=2e-3)


def test_level_of_a_full_sine_is_right():
    """|STFT| of a sine at its own bin: amplitude * sum(window) / 2."""
    hz = 12_000 / 512 * 43  # bin 43
    frames = 10 ** (through(mel.LogMel(), tone(hz, 1, 12_000)) / 10)[:, 10:-10]
    filters = mel.mel_filters(12_000, 512, 96)
    window = torch.hann_window(512).numpy()
    bins = np.zeros(257)
    for offset, share in ((-1, 0.5), (0, 1), (1, 0.5)):  # the main lobe of hann
        bins[43 + offset] = (0.5 * window.sum() / 2 * share) ** 2
    np.testing.assert_allclose(
        frames.mean(axis=1)[40:60], (filters @ bins)[40:60], rtol=1e-3, atol=1e-3
    )


def test_silence_is_the_floor_and_no_infinity():
    assert (mel.LogMel()(torch.zeros(1, 12_000)) == -100).all()
    for log in ("log1p", "log10"):
        assert (mel.LogMel(log=log)(torch.zeros(1, 12_000)) == 0).all()


def test_clip_does_not_depend_on_its_neighbours_in_the_batch():
    quiet, loud = signal(12_000, seed=1) * 1e-3, signal(12_000, seed=2) * 3
    layer = mel.LogMel()
    both = layer(torch.from_numpy(np.stack([quiet, loud])))
    np.testing.assert_allclose(both[0].numpy(), through(layer, quiet), atol=1e-4)


def test_filters_travel_with_the_device_but_not_into_checkpoints():
    layer = mel.LogMel()
    assert dict(layer.state_dict()) == {}
    assert {name for name, _ in layer.named_buffers()} == {"filters", "window"}
    assert layer.double()(torch.zeros(1, 1024).double()).dtype == torch.float64


def test_other_log_is_refused():
    with pytest.raises(ValueError, match="'ln'.*db, log1p or log10"):
        mel.LogMel(log="ln")
    with pytest.raises(ValueError, match="mel_scale"):
        mel.LogMel(mel_scale="bark")
    with pytest.raises(ValueError, match="norm"):
        mel.LogMel(norm="area")


def plainly(layer, samples):
    """The definition in a line each, the whole batch at once, edges as torch.stft."""
    spectrum = torch.stft(
        samples, layer.n_fft, layer.hop, window=layer.window, return_complex=True
    )
    power = spectrum.abs().square()
    return 10 * (layer.filters[::2].T @ power).clamp(min=1e-10).log10()


@pytest.mark.parametrize(("n", "n_samples"), [(1, 34_950), (23, 34_950), (3, 349_488)])
def test_batch_in_pieces_is_the_whole_batch(n, n_samples, monkeypatch):
    samples = 0.1 * torch.randn(
        n, n_samples, generator=torch.Generator().manual_seed(n)
    )
    layer = mel.LogMel()
    bands = layer(samples)
    assert bands.shape[0] == n
    torch.testing.assert_close(bands, plainly(layer, samples), rtol=0, atol=1e-4)
    monkeypatch.setattr(mel, "CACHED", 10**9)  # all at once
    torch.testing.assert_close(bands, layer(samples), rtol=0, atol=1e-4)


def test_gradient_goes_back_to_the_samples(monkeypatch):
    monkeypatch.setattr(mel, "CACHED", 600)  # two pieces
    layer = mel.LogMel(12_000, n_fft=64, hop=32, n_mels=8).double()
    samples = 0.1 * torch.randn(2, 200, dtype=torch.float64)
    samples.requires_grad_()
    assert torch.autograd.gradcheck(layer, samples)
    (mine,) = torch.autograd.grad(layer(samples).sum(), samples)
    (theirs,) = torch.autograd.grad(plainly(layer, samples).sum(), samples)
    torch.testing.assert_close(mine, theirs)


def test_autocast_leaves_it_in_float32():
    layer, samples = mel.LogMel(), torch.from_numpy(signal(12_000))[None]
    with torch.autocast("cpu", torch.bfloat16):
        bands = layer(samples)
        halves = layer(samples.half())
    assert bands.dtype == halves.dtype == torch.float32
    assert torch.equal(bands, layer(samples))
    assert (halves - bands).abs().max() < 0.5  # dB
