"""The command line: what it prints, writes and returns."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
from made import made_examples, made_store, noise

from conftest import tone
from tagkit import cli, models
from tagkit.data import audio, corpus, tags
from tagkit.evaluation import features, results
from tagkit.training import checkpoints, train


@pytest.fixture
def small(tones, tmp_path, monkeypatch):
    """The tones as a corpus with the folders of all three parts."""
    for old, new in (("5", "c"), ("6", "d"), ("7", "e")):
        (tones.root / old).rename(tones.root / new)
        for name in ("annotations_final.csv", "clip_info_final.csv"):
            path = tones.root / name
            path.write_text(path.read_text().replace(f'"{old}/', f'"{new}/'))
    monkeypatch.setattr(corpus, "DATA", tmp_path / "data")
    return str(tones.root)


def test_prepare_train_record_and_evaluate(small, tmp_path, capsys):
    assert cli.main(["prepare", small, "--sample-rate", "12000"]) == 0
    printed = capsys.readouterr().out
    assert "8 clips of 349488 samples at 12000 Hz, 0 left out" in printed

    run, record = tmp_path / "run", tmp_path / "results" / "raw-0.json"
    command = ["train", small, "DielemanRaw", "epochs=2", "width=0.5", "seed=3"]
    command += ["--tags", "all", "--run", str(run), "--record", str(record)]
    assert cli.main(command) == 0
    printed = capsys.readouterr().out
    assert "epoch  2/2" in printed and "macro ROC-AUC" in printed
    written = json.loads(record.read_text())
    assert written["config"]["seed"] == 3 and written["arguments"]["width"] == 0.5
    assert len(written["history"]) == 2 and written["about"]["part"] == "test"
    assert len(results.leaderboard(results.read_runs(record.parent))) == 1

    before = record.stat().st_mtime_ns
    assert cli.main(command) == 0  # what is recorded is not trained again
    assert record.stat().st_mtime_ns == before

    best = run / "best.safetensors"
    assert checkpoints.read_checkpoint(best)["tags"] == ["high", "low"]
    capsys.readouterr()
    assert cli.main(["evaluate", str(best), "--corpus", small]) == 0
    printed = capsys.readouterr().out
    assert f"macro ROC-AUC {written['macro']['roc_auc']:.3f}" in printed


def test_stages_of_a_recipe_and_baselines_are_recorded_alike(small, tmp_path, capsys):
    folder = tmp_path / "results"
    for model, *more in (
        ("DielemanRaw", "epochs=1", "width=0.5", "--recipe", "won"),
        ("ConstantPrior",),
        ("BoostedTrees", "max_iter=2", "seed=4"),
    ):
        record = ["--record", str(folder / f"{model}.json")]
        assert cli.main(["train", small, model, *more, *record, "--tags", "all"]) == 0
    board = results.leaderboard(results.read_runs(folder))
    assert set(board.index) == {
        "DielemanRaw (width=0.5)",
        "ConstantPrior",
        "BoostedTrees (max_iter=2)",
    }
    assert board.epochs["DielemanRaw (width=0.5)"] == 4  # one in each stage
    written = json.loads((folder / "ConstantPrior.json").read_text())
    assert written["loss"] == written["prior_loss"]
    assert board.parameters["ConstantPrior"] == 2
    trees = json.loads((folder / "BoostedTrees.json").read_text())
    assert trees["config"]["seed"] == 4
    # Describing a clip takes longer than looking it up.
    assert trees["tag_seconds"] > 10 * written["tag_seconds"]


@pytest.mark.parametrize("model", ["DielemanRaw", "BoostedTrees"])
def test_a_share_of_the_training_clips(small, tmp_path, model, capsys):
    """Of clips 10 to 22 half is drawn by the seed; the test clips stay all."""
    more = ["epochs=1", "width=0.5"] if model == "DielemanRaw" else ["max_iter=2"]
    for share, n_train in ((0.4, 2), (1, 5)):
        record = tmp_path / f"{share}.json"
        command = ["train", small, model, *more, "seed=3", "--tags", "all"]
        command += ["--share", str(share), "--record", str(record)]
        assert cli.main(command) == 0
        run = json.loads(record.read_text())
        assert run["n_train"] == n_train and run["about"]["n_clips"] == 2
    assert cli.main([*command[:-1], str(tmp_path / "none"), "--share", "2"]) == 1
    assert "above 0 and at most 1" in capsys.readouterr().err


def test_tag_files_and_folders(small, tmp_path, capsys):
    run = tmp_path / "run"
    command = ["train", small, "DielemanRaw", "epochs=30", "width=0.5"]
    command += ["crops_per_clip=10", "learning_rate=0.003", "--tags", "all"]
    command += ["--run", str(run)]
    assert cli.main(command) == 0
    music = tmp_path / "music"
    (music / "deep").mkdir(parents=True)
    audio.write(music / "deep" / "high.wav", tone(3050, 7, 44_100), 44_100)
    audio.write(music / "low.flac", tone(400, 4, 8_000), 8_000)
    (music / "notes.txt").write_text("not a sound file, and not looked at")
    capsys.readouterr()
    best = ["--network", str(run / "best.safetensors")]
    assert cli.main(["tag", str(music), *best, "--format", "json"]) == 0
    out, err = capsys.readouterr()
    high, low = json.loads(out)
    assert high["file"].endswith("high.wav") and low["file"].endswith("low.flac")
    assert high["high"] > high["low"] and low["low"] > low["high"]
    assert "no sound: 1\n" in err  # the notes
    assert f"2 of 2 files tagged by {best[1]}: DielemanRaw, trained on" in err

    assert cli.main(["tag", str(music / "low.flac"), *best, "--top", "1"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r".*low\.flac: low [01]\.\d\d", line)

    command = ["tag", str(music), *best, "--timeline", "--format", "csv"]
    assert cli.main(command) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "file,seconds,high,low"
    assert len(rows) == 1 + 3 + 2  # windows of 2.9 s
    assert cli.main([*command, "--overlap", "0.5"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 4 + 2  # a hop of 1.45 s

    (music / "broken.mp3").write_bytes(b"no sound at all" * 99)
    assert cli.main(["tag", str(music), *best]) == 1  # the others are tagged still
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2 and "broken.mp3 is not audio" in err
    assert cli.main(["tag", str(tmp_path / "nothing.wav"), *best]) == 1


def test_tag_works_at_once(mini, capsys):
    """With the networks that are shipped."""
    file = str(mini.path(mini.clips.index[0]))
    assert cli.main(["tag", file]) == 0
    assert cli.main(["tag", file, "--network", "mini/DielemanMel", "--timeline"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1 + 10
    first, second = err.splitlines()
    assert "magnatagatune: Musicnn, trained on MagnaTagATune" in first
    assert "mini/DielemanMel: DielemanMel, trained on mini, 360 clips" in second


def test_networks_says_what_each_knows(capsys):
    assert cli.main(["networks"]) == 0
    head, *rows = (
        re.split("  +", line) for line in capsys.readouterr().out.splitlines()
    )
    assert head == ["name", "model", "parameters", "tags", "trained on", "weights"]
    assert [row[0] for row in rows] == checkpoints.shipped()
    (real,) = [row for row in rows if row[0] == "magnatagatune"]
    assert real[1:4] == ["Musicnn", "787,159", "50"] and "ISC" in real[5]
    assert cli.main(["networks", "lastfm50"]) == 0
    assert capsys.readouterr().out.strip() == ", ".join(tags.LASTFM50)


def test_a_network_on_other_music_is_scored_only_where_a_corpus_is_named(capsys):
    assert cli.main(["evaluate", str(checkpoints.find("lastfm50"))]) == 1
    assert "--corpus" in capsys.readouterr().err


def test_version_is_that_of_the_package(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"tagkit {metadata.version('tagkit')}\n"


@pytest.mark.parametrize(
    "command, message",
    [
        ("prepare mimi", "'mini'"),
        ("download mini", "needed is magnatagatune"),
        ("train mini k2c3", "K2C2"),
        ("train mini K2C2 widht=1", "width"),
        ("train mini K2C2 --tags guitar,pianno", "'piano'"),
        ("tag HERE", "no sound in "),
        ("tag x --network mini/k2", "magnatagatune, mini/CRNN"),
        ("tag x --device gpu", "is not on this machine"),
        ("train mini K2C2 --version dirty", "'clean'"),
        ("train mini K2C2 --recipe wonn", "won"),
        ("train mini K2C2 learning_rate=1 --recipe won", "differ in learning_rate"),
        ("train mini ConstantPrior epochs=2", "'epochs' is unknown; try seed"),
        ("train mini BoostedTrees max_iter=2.5", "max_iter is 2.5; needed"),
        ("train mini K2C2 n_tags=40", "'n_tags' is unknown"),
        ("train mini BoostedTrees --recipe won", "has no recipe"),
        ("train mini K2C2 optimizer=adm", "'adam' or 'sgd'"),
        ("evaluate HERE/test_cli.py", "is not a checkpoint"),
        ("train mini xyz", "'xyz' is unknown; try DielemanRaw, "),
    ],
)
def test_a_mistake_is_explained_and_gives_exit_code_1(command, message, capsys):
    here = str(Path(__file__).parent)
    assert cli.main([word.replace("HERE", here) for word in command.split()]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "setting, needed",
    [
        ("patience=abc", "patience is 'abc'; needed is a whole number or null"),
        ("epochs=true", "epochs is True; needed is a whole number"),
        ("augment=3", "augment is 3; needed is names with commas or null"),
        ("seed=-1", "seed is -1; needed is 0 or more"),
        ("width=0", "width is 0; needed is more than 0"),
        ("compile=1", "compile is 1; needed is true or false"),
        ("optimizer=null", "optimizer is None; needed is a name"),
        ("channels=[16,0]", "channels is [16, 0]; needed is a list such as [64,128,"),
        ("channels=64", "channels is 64; needed is a list such as [64,128,128,128]"),
    ],
)
def test_a_value_that_no_training_can_have_is_refused_at_once(
    setting, needed, capsys, monkeypatch
):
    monkeypatch.setattr(corpus, "open", None)  # nothing is done before
    model = "CRNN" if "channels" in setting else "DielemanRaw"
    assert cli.main(["train", "mini", model, setting]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"tagkit train: {needed}") and error.count("\n") == 1


def test_values_that_a_training_can_have_are_taken():
    """The defaults of every model and of train.Config, as a shell would give them."""
    for name, entry in models.MODELS.items():
        kinds = get_type_hints(entry.cls.__init__) | get_type_hints(train.Config)
        assert set(kinds.values()) <= set(cli.KINDS)
        defaults = entry.cls().arguments | vars(train.Config())
        del defaults["n_tags"]
        cli._check_settings(name, defaults)
    cli._check_settings("BoostedTrees", features.TREES | {"l2_regularization": 0})
    words = ["width=1", "augment=gain,mix", 'augment=["gain"]', "patience=3"]
    words += ["channels=[16,32,32,32]", "momentum=0", "device=cpu"]
    cli._check_settings("CRNN", dict(map(cli._setting, words)))


@pytest.mark.parametrize(
    "command, message",
    [
        ("trian", "'trian'. Did you mean 'train'"),
        ("train mini", "'model'"),
        ("train mini K2C2 --rnu x epochs=1", "--rnu"),
        ("train mini K2C2 --run x y", "'y' is not NAME=VALUE"),
        ("train mini K2C2 --share half", "--share"),
        ("evaluate x --part test epochs=1", "(epochs=1)"),
        ("evaluate x --part all", "'train', 'valid', 'test'"),
        ("tag x --timeline --merge max", "--timeline"),
        ("tag x --top 0", "--top"),
        ("tag x --dry-run", "--dry-run: needs --write or --remove"),
        ("tag x --out tags.txt", "needed is csv, json or jsonl"),
        ("tag x --out tags.csv --format table", "needed is csv, json or jsonl"),
        ("tag x --format xml", "jsonl"),
    ],
)
def test_a_mistyped_command_gives_exit_code_2(command, message, capsys):
    assert cli.main(command.split()) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert ("Usage: tagkit train" in error) == command.startswith("train")


def test_settings_stand_anywhere_and_decoding_is_printed_once(
    small, tmp_path, capsys, monkeypatch
):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)  # of nbval
    records = [tmp_path / "0.json", tmp_path / "1.json"]
    for record in records:
        command = ["train", small, "DielemanRaw", "width=0.5", "--tags", "all"]
        command += ["epochs=1", "--recipe", "roy_base", "seed=3"]
        assert cli.main([*command, "--record", str(record), "n_filters=4"]) == 0
        error = capsys.readouterr().err
        assert ("decoding 8 clips" in error) == (record == records[0])
    run = json.loads(record.read_text())
    assert (run["config"]["epochs"], run["config"]["seed"]) == (1, 3)
    assert (run["arguments"]["width"], run["arguments"]["n_filters"]) == (0.5, 4)


class Mine(models.DielemanRaw):
    """A model that tagkit does not know."""


@pytest.mark.parametrize(
    "cls, version, message",
    [
        (models.DielemanRaw, "own", "predict.clip_scores"),
        (Mine, "full", "checkpoints.load_weights"),
    ],
)
def test_what_only_python_can_score_is_told_so(tmp_path, cls, version, message, capsys):
    made = made_examples(tmp_path / "s", noise(2, 100), [[0], [1]])
    made = replace(made, about=made.about | {"version": version})
    model, best = cls(n_tags=1), tmp_path / "best.safetensors"
    weights = model.state_dict()
    checkpoints.save_weights(
        best, model, weights, config=train.Config(), train=made, epoch={}
    )
    assert cli.main(["evaluate", str(best), "--corpus", "mini"]) == 1
    assert message in capsys.readouterr().err


def test_a_folder_of_ones_own_is_trained_on_and_says_how_it_is_split(
    small, tmp_path, capsys
):
    root = Path(small)
    for old in [path for path in root.iterdir() if path.is_dir()]:
        old.rename(root / f"band {old.name}")
        for table in root.glob("*.csv"):
            text = table.read_text()
            table.write_text(text.replace(f'"{old.name}/', f'"band {old.name}/'))
    run = str(tmp_path / "run")
    train = ["train", small, "DielemanRaw", "epochs=1", "width=0.5", "--run", run]
    assert cli.main([*train, "--tags", "low,high"]) == 0
    assert f"{root.name}, test part of the artist split: " in capsys.readouterr().out
    best = f"{run}/best.safetensors"
    assert checkpoints.read_checkpoint(best)["tags"] == ["low", "high"]
    assert cli.main(["evaluate", best]) == 1
    assert "say where it is: --corpus FOLDER or TABLE" in capsys.readouterr().err
    assert cli.main(["evaluate", best, "--corpus", small]) == 0
    assert "test part of the artist split: " in capsys.readouterr().out


def test_training_starts_from_a_network(small, tmp_path, capsys):
    command = ["train", small, "DielemanRaw", "epochs=1", "--tags", "low"]
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    assert cli.main([*command, "width=0.5", "--run", first]) == 0
    start = ["--from", first]
    assert cli.main([*command, *start, "--freeze", "--run", second]) == 0
    made = [checkpoints.load(folder) for folder in (first, second)]
    assert made[1][1]["start"] == first and made[1][1]["arguments"]["width"] == 0.5
    for old, new in zip(*(model.parameters() for model, _ in made), strict=True):
        assert (old is made[0][0].output.weight) or len(old) == 1 or old.equal(new)
    capsys.readouterr()
    for words, message in (
        ([*command, "width=1", *start], "width is as in"),
        (["train", small, "K2C2", *start], "holds DielemanRaw, not K2C2"),
    ):
        assert cli.main(words) == 1
        assert message in capsys.readouterr().err
    assert cli.main([*command, "--freeze"]) == 2
    assert "needs --from" in capsys.readouterr().err


def test_bad_clips_are_named(small, capsys):
    first = corpus.open(small)
    (first.root / first.clips["mp3_path"].iloc[0]).write_bytes(b"")
    assert cli.main(["prepare", small]) == 1
    assert "left out: clip 10: 0/tone-0-0-29.mp3 is empty" in capsys.readouterr().err


@pytest.mark.parametrize("command", [None, *cli.app.registered_commands])
def test_every_command_explains_itself_without_heavy_imports(command):
    code = "import sys; from tagkit import cli; code = cli.main(sys.argv[1:]); "
    code += "sys.exit(code or any(m in sys.modules for m in ('torch', 'pandas')))"
    name = [command.callback.__name__] if command else []
    words = [sys.executable, "-c", code, *name, "--help"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    if command:
        assert f"example: tagkit {name[0]}" in done.stdout


def test_a_reader_that_leaves_ends_the_command_quietly(mini):
    """As in `tagkit tag ... | head -n 1`."""
    files = [str(mini.path(clip_id)) for clip_id in mini.clips.index[:3]]
    command = [sys.executable, "-m", "tagkit", "tag", *files]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_an_interrupted_command_gives_exit_code_130(monkeypatch, capsys):
    def stop(name, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(corpus, "open", stop)
    for command in (["prepare", "mini"], ["train", "mini", "K2C2"]):
        assert cli.main(command) == 130
        assert "go on when called again" in capsys.readouterr().err


def test_doctor_says_what_is_wrong_and_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(corpus, "DATA", tmp_path)
    monkeypatch.setattr(corpus, "SHIPPED", tmp_path)
    (tmp_path / "cache" / "mini-12000").mkdir(parents=True)
    damaged = tmp_path / "cache" / "mini-16000"
    made_store(damaged, np.ones((2, 100)))
    (damaged / "samples.int16").write_bytes(bytes(400))
    (tmp_path / "checkpoints" / "mini").mkdir(parents=True)
    (tmp_path / "checkpoints" / "mini" / "K2C2.safetensors").write_bytes(b"not so")
    (tmp_path / "magnatagatune").mkdir()
    (tmp_path / "magnatagatune" / "mp3.zip.001.part").write_bytes(bytes(1000))
    assert cli.main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "does not hold what was written for clip 100" in printed
    assert "checkpoints trained on mini: K2C2.safetensors (cannot be used)" in printed
    assert "K2C2.safetensors is not a checkpoint of tagkit" in printed
    assert "0.0 of 3.0 GB are there; `tagkit download" in printed
    assert "get the whole repository again" in printed
    assert "tagkit prepare mini --sample-rate 12000" in printed


def test_doctor_is_content_with_a_whole_project(capsys):
    assert cli.main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "mini: 480 of 480 clips" in printed
    names = sorted(p.stem for p in (corpus.SHIPPED / "checkpoints/mini").iterdir())
    assert f"checkpoints trained on mini: {', '.join(names)}\n" in printed
