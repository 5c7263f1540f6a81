"""Networks as ONNX files: onnxruntime gives what PyTorch gives."""

import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from tagkit import cli, models
from tagkit.data import audio, corpus
from tagkit.evaluation import export, predict
from tagkit.training import checkpoints

SONG = corpus.SHIPPED / "recorded/cc-by-sa-3.0/blu-electricity.mp3"


def windows_of(model):
    """Seven windows that differ: of a song, loud and soft, noise and silence.

    No pure tone: what lies 80 dB below it is rounding, in PyTorch too.
    """
    n = model.n_samples
    song = audio.load(SONG, model.sample_rate)
    starts = np.linspace(0, len(song) - n, 4).astype(int)
    windows = [song[s : s + n] for s in starts]
    noise = 0.1 * np.random.default_rng(0).standard_normal(n)
    windows += [windows[0] * 0.01, noise, np.zeros(n)]
    return np.stack(windows).astype(np.float32)


def scores_of(path, windows):
    session = onnxruntime.InferenceSession(path)
    return session.run(["scores"], {"samples": windows})[0]


def check(model, path):
    windows = windows_of(model)
    with torch.inference_mode():
        expected = model(torch.from_numpy(windows)).sigmoid().numpy()
    assert np.ptp(expected, axis=0).max() > 1e-3, "all windows score the same"
    for n in (1, 7):
        np.testing.assert_allclose(
            scores_of(path, windows[:n]), expected[:n], rtol=0, atol=1e-4
        )


def narrow(name):
    """A small model whose norms know the sound, so that its scores tell it apart."""
    torch.manual_seed(0)
    model = models.build(name, n_tags=5, width=0.1)
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.momentum = None  # the means of all that it has seen
    with torch.inference_mode():
        model(torch.from_numpy(windows_of(model)))
        model.output.weight.mul_(10)
    return model.eval()


SHIPPED = checkpoints.shipped()
OTHERS = [name for name in models.MODELS if f"mini/{name}" not in SHIPPED]


@pytest.mark.parametrize("name", [*SHIPPED, *OTHERS])
def test_every_network_scores_the_same(name, tmp_path):
    model = checkpoints.load(name)[0] if name in SHIPPED else narrow(name)
    tags = [f"tag {n}" for n in range(model.output.out_features)]
    export.write(model, tmp_path / "a.onnx", tags=tags)
    check(model, tmp_path / "a.onnx")


def test_a_file_says_what_it_takes_and_gives(tmp_path):
    model = models.RoyBase(n_tags=3).train()
    path = tmp_path / "new folder" / "a.onnx"
    export.write(model, path, tags=["slow", "drum & bass, loud", "été"])
    assert model.training, "the model is as it was"
    session = onnxruntime.InferenceSession(path)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about.pop("tags")) == ["slow", "drum & bass, loud", "été"]
    assert about == {"sample_rate": "12000", "n_samples": "34950", "model": "RoyBase"}
    (samples,), (scores,) = session.get_inputs(), session.get_outputs()
    assert (samples.name, samples.shape) == ("samples", ["batch", 34_950])
    assert (scores.name, scores.shape) == ("scores", ["batch", 3])


def test_other_tags_than_outputs_are_refused(tmp_path):
    with pytest.raises(ValueError, match="3 outputs, you gave 2 tags"):
        export.write(models.RoyBase(n_tags=3), tmp_path / "a.onnx", tags=["a", "b"])
    assert not list(tmp_path.iterdir())


def test_the_page_serves_a_song_as_tagkit_tags_it(tmp_path, monkeypatch, capsys):
    assert cli.main(["export", "mini/K2C2", str(tmp_path / "mine.onnx")]) == 0
    assert "K2C2, 50 tags, windows of 349488 samples at 12000 Hz" in (
        capsys.readouterr().out
    )
    page = Path(__file__).parents[1].joinpath("course", "own_music.md").read_text()
    code = next(c for c in page.split("```python")[1:] if "onnxruntime" in c)
    (tmp_path / "song.mp3").symlink_to(SONG)
    monkeypatch.chdir(tmp_path)
    scope = {}
    exec(code.split("```")[0], scope)
    model, made = checkpoints.load("mini/K2C2")
    expected = predict.tag_file(model, SONG, made["tags"])[made["tags"]]
    np.testing.assert_allclose(scope["scores"], expected, rtol=0, atol=1e-4)


def test_a_missing_package_is_named(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "onnx", None)
        with pytest.raises(ImportError, match=r"pip install -e '\.\[export\]'"):
            importlib.reload(export)


def test_only_a_network_is_written_over(tmp_path, capsys):
    song, old = tmp_path / "song.mp3", tmp_path / "old.onnx"
    song.write_bytes(b"sound")
    old.write_text("file,tags\n")
    for file in (song, old, tmp_path, song / "mine.onnx"):
        assert cli.main(["export", "mini/DielemanRaw", str(file)]) == 2
        assert "needed is" in capsys.readouterr().err
    assert song.read_bytes() == b"sound" and old.read_text() == "file,tags\n"
    for _ in range(2):
        assert cli.main(["export", "mini/DielemanRaw", f"{tmp_path}/mine.onnx"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "mine.onnx",
        "old.onnx",
        "song.mp3",
    ]


def test_no_text_installs_a_package_of_the_same_name_from_elsewhere():
    root = Path(__file__).parents[1]
    files = [*root.glob("*.md"), *root.glob("course/**/*.md")]
    files += [*root.glob("course/*.ipynb"), *root.glob("tagkit/**/*.py")]
    for file in files:
        assert not re.search(r"install \S?tagkit", file.read_text()), file
