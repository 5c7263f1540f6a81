"""Augmentation: what each one changes, and that a resumed run draws the same."""

import numpy as np
import pytest
import torch
from made import noise

from tagkit.data import feed
from tagkit.machine import processes
from tagkit.models import mel
from tagkit.training import augment


def windows(n=64, n_samples=4096):
    return torch.from_numpy(noise(n, n_samples)).float()


def drawn(name, samples, labels=None, seed=0):
    labels = torch.eye(len(samples)) if labels is None else labels
    return augment.AUGMENTATIONS[name](samples, labels, np.random.default_rng(seed))


@pytest.mark.parametrize("name", augment.AUGMENTATIONS)
def test_shapes_stay_and_the_input_is_not_changed(name):
    samples, labels = windows(5), torch.eye(5)
    before = samples.clone()
    changed, others = drawn(name, samples, labels)
    assert changed.shape == samples.shape and others.shape == labels.shape
    assert changed.dtype == others.dtype == torch.float32
    assert torch.equal(samples, before) and not torch.equal(changed, before)
    assert torch.isfinite(changed).all()
    if name != "mix":
        assert torch.equal(others, labels)


@pytest.mark.parametrize("name", augment.AUGMENTATIONS)
def test_silence_stays_silence_even_in_a_batch_of_one(name):
    for n in (1, 2):
        changed, _ = drawn(name, torch.zeros(n, 100))
        assert torch.equal(changed.abs(), torch.zeros(n, 100))


def test_gain_is_one_factor_a_window_from_a_quarter_to_one():
    samples = windows()
    factors = drawn("gain", samples)[0] / samples
    assert (factors.std(dim=1) < 1e-4).all()
    first = factors[:, 0]
    assert 0.25 <= first.min() < 0.3 and 0.9 < first.max() <= 1
    decibels = 20 * first.log10()
    assert decibels.mean() == pytest.approx(-6, abs=1)  # even in decibels


def test_polarity_turns_about_half():
    samples = windows()
    changed, _ = drawn("polarity", samples)
    turned = (changed == -samples).all(dim=1)
    assert ((changed == samples).all(dim=1) | turned).all()
    assert 20 < turned.sum() < 44


def test_noise_is_white_and_as_loud_as_it_says():
    samples = 0.3 * torch.sin(torch.arange(4096) / 7.0).repeat(64, 1)
    added = drawn("noise", samples)[0] - samples
    below = 10 * (added.square().mean(1) / samples.square().mean(1)).log10()
    assert -60.5 < below.min() < -55 and -25 < below.max() < -19.5
    power = torch.fft.rfft(added / added.std(dim=1, keepdim=True)).abs().square()
    low, high = power[:, 1:1024].mean(), power[:, 1024:-1].mean()
    assert low / high == pytest.approx(1, abs=0.05)
    assert abs((added[0] * added[1]).sum()) < 0.1 * added[0].norm() * added[1].norm()


def test_time_mask_is_one_stretch_of_at_most_a_fifth():
    changed, _ = drawn("time_mask", torch.ones(200, 1000))
    hidden = changed == 0
    assert hidden.sum(dim=1).max() <= 200 and hidden.sum(dim=1).max() > 180
    edges = hidden.int().diff(dim=1).abs().sum(dim=1)
    assert edges.max() <= 2
    share = hidden.float().mean(dim=0)  # no place is spared
    assert (share[100:900] > 0.02).all()


def test_frequency_mask_takes_out_one_band_of_at_most_a_third_of_the_mel_scale():
    samples = windows(200, 4096)
    before = torch.fft.rfft(samples)
    after = torch.fft.rfft(drawn("frequency_mask", samples)[0])
    kept = (after - before).abs() < 1e-3
    gone = after.abs() < 1e-3 * before.abs()
    assert (kept | gone).float().mean() > 0.999
    hz = np.linspace(0, 8000, gone.shape[1])
    for row in gone.numpy():
        places = np.flatnonzero(row)
        if len(places) > 1:
            assert (np.diff(places) == 1).all()
            width = mel.hz_to_mel(hz[places[-1]]) - mel.hz_to_mel(hz[places[0]])
            assert width <= 27 / 80 * mel.hz_to_mel(8000) + 1
    assert 0.1 < gone.float().mean() < 0.3


def test_frequency_mask_silences_bands_of_a_mel_layer():
    samples = windows(8, 8192)
    layer = mel.LogMel(16_000, n_mels=40)
    fallen = layer(samples) - layer(drawn("frequency_mask", samples)[0])
    assert (fallen.mean(dim=2).max(dim=1).values > 30).sum() >= 4  # dB
    assert (fallen.mean(dim=2).abs().min(dim=1).values < 1).all()


def test_mix_mixes_labels_in_the_shares_of_the_sounds():
    samples = torch.eye(16)
    mixed, labels = drawn("mix", samples, 2 * torch.eye(16))
    torch.testing.assert_close(2 * mixed, labels)
    torch.testing.assert_close(mixed.sum(dim=1), torch.ones(16))
    assert 10 <= ((mixed > 0).sum(dim=1) == 2).sum() <= 16
    shares = np.concatenate(
        [drawn("mix", samples, seed=s)[0].diagonal().numpy() for s in range(50)]
    )
    # 1/2, and a little more, as some windows are mixed with themselves.
    assert shares.mean() == pytest.approx(0.53, abs=0.05)


def batch(n=6):
    return feed.Batch(windows(n), torch.eye(n), n, 1.0)


ALL = tuple(augment.AUGMENTATIONS)


def test_the_same_seed_epoch_and_number_give_the_same():
    torch.manual_seed(0)
    first = augment.Augment(ALL, 3)(batch(), 2, 5)
    torch.rand(7), np.random.rand(3)
    again = augment.Augment(ALL, 3)(batch(), 2, 5)
    assert torch.equal(first.samples, again.samples)
    assert torch.equal(first.labels, again.labels)
    for other in ((4, 2, 5), (3, 1, 5), (3, 2, 4)):
        changed = augment.Augment(ALL, other[0])(batch(), *other[1:])
        assert not torch.equal(first.labels, changed.labels)
        assert not torch.equal(first.samples, changed.samples)


def test_global_random_numbers_are_left_alone():
    torch.manual_seed(0)
    augment.Augment(ALL, 3)(batch(), 2, 5)
    mine = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(mine, torch.rand(3))


def test_augmentations_are_drawn_apart_and_their_order_does_not_count():
    one = augment.Augment(("polarity",), 0)(batch(), 1, 0).samples.sign()
    both = augment.Augment(("gain", "polarity"), 0)(batch(), 1, 0).samples.sign()
    assert torch.equal(one, both)
    turned = augment.Augment(("polarity", "gain"), 0)(batch(), 1, 0).samples.sign()
    assert torch.equal(both, turned)


def test_processes_draw_each_for_itself(monkeypatch):
    first = augment.Augment(ALL, 0)(batch(), 1, 0)
    monkeypatch.setattr(processes, "place", lambda: (1, 2))
    second = augment.Augment(ALL, 0)(batch(), 1, 0)
    assert not torch.equal(first.labels, second.labels)


def test_none_changes_nothing_and_an_unknown_name_is_refused():
    for none in (None, ()):
        same = batch()
        assert augment.Augment(none, 0)(same, 1, 0) == same
    with pytest.raises(ValueError, match=r"'mixup'.* mix,"):
        augment.Augment(("mixup",))
