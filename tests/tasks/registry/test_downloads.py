"""Files of models lie on this machine's disk only while they are used, whatever is killed."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tasks.environment.settings import load_settings
from tasks.registry import downloads
from tasks.registry.services import Services


def left(home):
    place = home / "downloads"
    return sorted(place.iterdir()) if place.exists() else []


def test_a_folder_is_ours_alone_and_gone_after_the_block_also_when_it_fails(home):
    def fail():
        with downloads.scratch(load_settings()) as folder:
            assert folder.stat().st_mode & 0o777 == 0o700
            assert (home / "downloads").stat().st_mode & 0o777 == 0o700
            (folder / "data").mkdir()
            (folder / "data" / "model.pt2").write_bytes(b"weights")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert left(home) == []


def test_files_that_lie_on_this_machine_are_copied_and_stay_where_they_are(home, tmp_path):
    (tmp_path / "model").mkdir()
    kept = tmp_path / "model" / "model.pt2"
    kept.write_bytes(b"weights")
    with downloads.downloaded(load_settings(), kept.parent.as_uri()) as folder:
        assert folder.is_relative_to(home / "downloads")
        assert (folder / "model.pt2").read_bytes() == b"weights"
    assert kept.exists()
    assert left(home) == []


def test_temporary_files_of_others_lie_there_too(home):
    before = tempfile.gettempdir()
    with downloads.temporary_files_here(load_settings()):
        made = Path(tempfile.mkdtemp())
        assert made.is_relative_to(home / "downloads")
    assert not made.exists()
    assert tempfile.gettempdir() == before


@pytest.fixture
def other(home):
    """Another process in the middle of a download."""
    code = """
from tasks.environment.settings import load_settings
from tasks.registry import downloads
with downloads.scratch(load_settings()) as folder:
    (folder / "model.pt2").write_bytes(b"weights")
    print("ready", flush=True)
    input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.kill()


def test_a_start_removes_what_a_killed_process_left_and_not_what_a_living_one_uses(home, other):
    def files():
        return list((home / "downloads").rglob("model.pt2"))

    assert downloads.remove_leftovers(load_settings()) == 0
    assert len(files()) == 1
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert len(files()) == 1
    Services.open(load_settings())
    assert left(home) == []


def test_what_cannot_be_removed_is_an_alarm_and_is_tried_again(home, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        patch.setattr(downloads.shutil, "rmtree", lambda *_, **__: None)
        with downloads.scratch(load_settings()) as folder:
            pass
    assert "ALARM" in caplog.text
    assert folder.exists()
    assert downloads.remove_leftovers(load_settings()) == 1
    assert left(home) == []
