"""The networks of musicnn against the outputs of their authors' own code.

musicnn_reference.npz holds what the authors' TensorFlow graph makes, in float32
(TensorFlow 2.21), of a real clip of MagnaTagATune and three of mini, nine windows of
187 frames side by side: scores of both networks, embedding of the first window, and
every sixth frame of its log-mel spectrogram.
"""

import hashlib
import os
import socket
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import MTT
from tagkit import models, widgets
from tagkit.data import audio, corpus, tags
from tagkit.evaluation import predict
from tagkit.models import mel
from tagkit.training import checkpoints

sys.path.insert(0, str(corpus.SHIPPED))

import convert_musicnn  # noqa: E402

REFERENCE = np.load(Path(__file__).parent / "musicnn_reference.npz")
REAL = "solipsism"
CLIPS = {
    REAL: MTT / "clips/e/joram-moments_of_clarity-08-solipsism-59-88.mp3",
    "voltage_dairy": 233,
    "saffron_causeway": "saffron_causeway-second_field-02-gat_vi-0-29",
    "great_fen": "great_fen_philharmonic-sunken_kettle-01-crooked_signal-0-29",
}
NETWORKS = {"magnatagatune": "MTT_musicnn", "lastfm50": "MSD_musicnn"}
HOP = 187 * 256  # from a window of the authors' to the next


def path_of(clip, mini):
    place = CLIPS[clip]
    if isinstance(place, int):
        return mini.path(place)
    if isinstance(place, str):
        return mini.root / "d" / f"{place}.mp3"
    if not place.exists():
        pytest.skip(
            f"no clip of MagnaTagATune at {place}; set TAGKIT_MTT to its folder"
        )
    return place


def side_by_side(path):
    """Cut nine windows as the authors do, each with its context.

    Their frames are centred, and zeros lie before the first sample.
    """
    samples = np.pad(audio.load(path, 16_000), (256, 0))
    windows = [samples[n * HOP : n * HOP + 48_128] for n in range(9)]
    return torch.from_numpy(np.stack(windows))


@pytest.fixture(scope="module")
def networks():
    return {name: checkpoints.load(name)[0] for name in NETWORKS}


def differences(model, windows, clip, name):
    """Give the largest differences of log-mel, embedding and scores."""
    with torch.inference_mode():
        vectors = model.embed(windows)
        pairs = {
            "logmel_first_window": model.mel(windows[:1])[0].T[::6],
            f"{name}__penultimate_first_window": vectors[:1],
            f"{name}__taggram": model.output(vectors).sigmoid(),
        }
    return [
        np.abs(v.numpy() - REFERENCE[f"{clip}__{k}"]).max() for k, v in pairs.items()
    ]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("clip", CLIPS)
def test_equals_the_authors_outputs(clip, name, mini, networks):
    windows = side_by_side(path_of(clip, mini))
    bands, vector, scores = differences(networks[name], windows, clip, NETWORKS[name])
    assert bands < 1e-3 and vector < 1e-3 and scores < 2e-3


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("clip", CLIPS)
def test_a_file_is_tagged_nearly_as_the_authors_do(clip, name, mini, networks):
    """Ten windows evenly spaced, theirs are nine and leave out the end."""
    path = path_of(clip, mini)
    list_of_tags = tags.RAW50 if name == "magnatagatune" else tags.LASTFM50
    ours = predict.tag_file(networks[name], path, list_of_tags)[list_of_tags]
    theirs = REFERENCE[f"{clip}__{NETWORKS[name]}__taggram"].mean(axis=0)
    assert np.abs(ours - theirs).max() < 0.06


def test_the_real_clip_gets_the_tags_of_the_authors_readme(mini, networks):
    windows = side_by_side(path_of(REAL, mini))
    with torch.inference_mode():
        scores = networks["magnatagatune"](windows).sigmoid().mean(dim=0)
    best = [tags.RAW50[i] for i in scores.argsort(descending=True)[:10]]
    assert ", ".join(best) == (
        "techno, electronic, synth, fast, beat, drums, no vocals, no vocal, dance, "
        "ambient"
    )


def without_interleaving(model):
    """Take theirs for 753 maxima and then 753 means: undo what the converter did."""
    theirs = np.argsort(convert_musicnn.POOLED)  # their place of each of ours
    dense = model.dense
    channels = convert_musicnn.CHANNELS
    wrong = np.r_[channels, 753 + channels]
    for tensor in (dense[0].weight, dense[0].bias):
        tensor.data = tensor[theirs][wrong]
    dense[0].running_mean = dense[0].running_mean[theirs][wrong]
    dense[0].running_var = dense[0].running_var[theirs][wrong]
    dense[2].weight.data = dense[2].weight[:, theirs][:, wrong]


def with_the_front_end_swapped(model):
    first = model.middle[0][0].weight
    first.data = torch.cat([first[:, 204:408], first[:, :204], first[:, 408:]], dim=1)


def with_other_bands(**options):
    options = {"mel_scale": "slaney", "norm": "slaney", "center": False} | options

    def plant(model):
        model.mel = mel.LogMel(16_000, 512, 256, 96, log="log10", **options)

    return plant


def with_an_eps_of_1e_5(model):
    for layer in model.modules():
        if hasattr(layer, "eps"):
            layer.eps = 1e-5


def with_an_even_kernel_padded_before(model):
    for tall in model.frontend:
        tall.conv.zeros = tall.conv.zeros[::-1]


FAULTS = {
    "interleaving": without_interleaving,
    "front-end": with_the_front_end_swapped,
    "HTK scale": with_other_bands(mel_scale="htk"),
    "height of 1": with_other_bands(norm=None),
    "eps": with_an_eps_of_1e_5,
    "even kernel": with_an_even_kernel_padded_before,
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault, name, mini):
    model = checkpoints.load(name)[0]
    FAULTS[fault](model)
    windows = side_by_side(path_of("voltage_dairy", mini))
    bands, vector, scores = differences(model, windows, "voltage_dairy", NETWORKS[name])
    print(fault, bands, vector, scores)
    assert (bands > 1e-3) == (fault in ("HTK scale", "height of 1"))
    assert vector > 1e-3 and scores > 2e-3


def test_no_frame_is_made_of_reflected_sound(mini):
    """The first frame of a window is that of the whole sound."""
    model = models.Musicnn(width=0.05, bands="slaney").eval()
    assert model.n_samples == 48_128
    samples = torch.from_numpy(mini.load(233))[None]
    whole = model.mel(samples)  # frame i begins at sample 256 i
    part = model.mel(samples[:, 256 * 50 :][:, : model.n_samples])
    torch.testing.assert_close(part, whole[:, :, 50 : 50 + 187])
    assert models.Musicnn().mel(samples[:, :47_616]).shape == part.shape


def test_the_arguments_of_older_checkpoints_are_the_default():
    model = models.Musicnn(n_tags=5, width=0.25)
    assert model.arguments == {"n_tags": 5, "width": 0.25} and model.n_samples == 47_616
    with pytest.raises(ValueError, match="'mel'.*htk or slaney"):
        models.Musicnn(bands="mel")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_says_what_it_is_and_whose(name):
    made = checkpoints.read_checkpoint(checkpoints.find(name))
    assert made["tags"] == (tags.RAW50 if name == "magnatagatune" else tags.LASTFM50)
    assert NETWORKS[name] in made["about"]["source"]
    assert made["about"]["licence"].startswith("ISC")
    notice = (corpus.SHIPPED / "checkpoints" / "LICENSE-musicnn").read_text()
    assert "Universitat Pompeu Fabra" in notice and "this permission notice" in notice


def test_files_have_the_digests_that_were_recorded():
    home = corpus.SHIPPED / "checkpoints"
    lines = (home / "SHA256SUMS").read_text().splitlines()
    recorded = dict(reversed(line.split("  ")) for line in lines)
    there = {f"{name}/Musicnn.safetensors" for name in NETWORKS} | {"LICENSE-musicnn"}
    assert recorded.keys() == there
    for path, digest in recorded.items():
        assert hashlib.sha256((home / path).read_bytes()).hexdigest() == digest, path


# -- the converter --------------------------------------------------------------------


def test_the_converter_writes_what_is_shipped():
    wheel = Path(os.environ.get("TAGKIT_MUSICNN") or "/none")
    if not wheel.is_file():
        pytest.skip("set TAGKIT_MUSICNN to the wheel of musicnn 0.1.0")
    for path, data in convert_musicnn.files(wheel).items():
        assert (corpus.SHIPPED / path).read_bytes() == data, path


def test_another_wheel_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "musicnn.whl", "w") as archive:
        archive.writestr("musicnn/__init__.py", "")
    with pytest.raises(ValueError, match="SHA-256"):
        convert_musicnn.files(tmp_path / "musicnn.whl")


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def message(**fields):
    """A protocol buffer: f2=b"ab" is a field 2 of bytes, f4=7 a field 4, a number."""
    out = b""
    for name, value in fields.items():
        is_bytes = isinstance(value, bytes)
        out += varint(int(name[1:]) << 3 | 2 * is_bytes)
        out += varint(len(value)) + value if is_bytes else varint(value)
    return out


def block(entries):
    """A block of a LevelDB table, each key after what it shares with the one before."""
    out, last = b"", b""
    for key, value in entries.items():
        shared = len(os.path.commonprefix([key, last]))
        out += varint(shared) + varint(len(key) - shared) + varint(len(value))
        out += key[shared:] + value
        last = key
    return out + bytes(4) + (1).to_bytes(4, "little")


def test_a_checkpoint_made_by_hand_is_read():
    """Keys with a common beginning, numbers of two bytes, a matrix, another type."""
    long, matrix = np.arange(200, dtype="<f4"), np.arange(6, dtype="<f4").reshape(2, 3)
    two_axes = message(f2=message(f1=2)) + message(f2=message(f1=3))
    entries = {
        b"": message(f1=1),  # the head
        b"dense/bias": message(f1=1, f2=message(f2=message(f1=200)), f5=800),
        b"dense/kernel": message(f1=1, f2=two_axes, f4=800, f5=24) + b"\x35abcd",
        b"dense/steps": message(f1=9, f4=824, f5=8),  # int64
    }
    table = block(entries)
    handle = varint(0) + varint(len(table))
    table += bytes(5)  # how it is compressed, and its checksum
    start, index = len(table), block({b"z": handle})
    footer = varint(7) + varint(7) + varint(start) + varint(len(index))
    table += index + bytes(5) + footer.ljust(48, b"\0")
    found = convert_musicnn.read_arrays(table, long.tobytes() + matrix.tobytes())
    assert list(found) == ["dense/bias", "dense/kernel"]
    np.testing.assert_array_equal(found["dense/bias"], long)
    np.testing.assert_array_equal(found["dense/kernel"], matrix)


def test_the_logs_are_whole():
    epochs = {"magnatagatune": 600, "lastfm50": 1004}
    for name, n in epochs.items():
        path = corpus.SHIPPED / "results" / "logs" / f"musicnn-{name}.csv"
        table = pd.read_csv(path)
        assert table["epoch"].tolist() == list(range(1, n + 1))
        assert table["valid_loss"].min() < 0.14 and table["loss"].isna().sum() == 1


def test_nothing_is_fetched(monkeypatch, tmp_path):
    """Load, tag and show without a network, wherever one's own data are."""

    def refuse(*address):
        raise OSError("the network is cut")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(corpus, "DATA", tmp_path)
    recorded = corpus.open("recorded")
    for name in NETWORKS:
        model, made = checkpoints.load(name)
        scores = predict.tag_file(model, recorded.path(1), made["tags"])
        assert len(scores) == 50
        view = widgets.taggram(recorded.path(1), model, made["tags"])
        assert scores.index[0] in view.html
