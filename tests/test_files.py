"""Places on the disk: locks that are not there, folders that cannot be written."""

import errno
import fcntl
import warnings

import pytest

from conftest import as_a_user, tone
from tagkit import cli, files
from tagkit.data import audio, corpus


@pytest.mark.parametrize("number", ["ENOSYS", "ENOLCK", "EOPNOTSUPP", "EINVAL", "EIO"])
def test_where_nothing_can_be_locked_the_work_goes_on(tmp_path, monkeypatch, number):
    def flock(file, operation):
        raise OSError(getattr(errno, number), "as the file system says")

    monkeypatch.setattr(fcntl, "flock", flock)
    for wait in (True, False):
        with pytest.warns(UserWarning, match=r"lock cannot be locked .*as the file"):
            with files.locked(tmp_path / "lock", wait=wait):
                pass
    monkeypatch.setattr(corpus, "DATA", tmp_path / "data")
    (tmp_path / "m").mkdir()
    audio.write(tmp_path / "m/a.wav", tone(300, 1))
    assert cli.main(["prepare", str(tmp_path / "m"), "--sample-rate", "8000"]) == 0


def test_a_lock_that_is_held_is_waited_for_or_refused(tmp_path):
    path = tmp_path / "lock"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with files.locked(path):
            with pytest.raises(BlockingIOError, match="lock is held"):
                with files.locked(path, wait=False):
                    pass
        with files.locked(path, wait=False):
            pass
    with pytest.raises(OSError), files.locked(tmp_path / "no folder" / "lock"):
        pass


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch, capsys):
    """A file stands where the folder is to be; root may write to any folder."""
    (tmp_path / "data").write_text("in the way")
    (tmp_path / "m").mkdir()
    audio.write(tmp_path / "m/a.wav", tone(300, 1))
    audio.write(tmp_path / "m/b.wav", tone(500, 1))
    monkeypatch.setattr(corpus, "DATA", tmp_path / "data")
    music, network = str(tmp_path / "m"), ["--network", "mini/DielemanRaw"]
    said = f"nothing can be written to {tmp_path / 'data'}"
    for command in (
        ["prepare", music],
        ["similar", f"{music}/a.wav", music, *network],
        ["doctor"],
    ):
        assert cli.main(command) == 1
        out = "".join(capsys.readouterr())
        assert said in out and "TAGKIT_DATA" in out, command
    assert cli.main(["tag", music, *network]) == 0  # needs no such folder


def test_a_read_only_data_folder_is_named(tmp_path):
    (tmp_path / "data").mkdir(mode=0o555)
    code = "from tagkit import doctor; print(doctor._disk(p := []), *p)"
    done = as_a_user("-c", code, TAGKIT_DATA=str(tmp_path / "data"))
    assert "nothing can be written" in done.stdout, done.stderr
    assert "Permission denied" in done.stdout and "TAGKIT_DATA" in done.stdout
