import os
import time

import pytest

from tasks.store.files import FileStore
from tasks.store.objects import MissingObjectError
from unlearning.errors import ExpungeError, SettingsError


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/passwd", ""])
def test_a_key_cannot_leave_the_directory(store, key):
    with pytest.raises(MissingObjectError):
        store.get(key)


def test_a_directory_is_made_and_one_that_cannot_be_is_refused(tmp_path):
    FileStore(str(tmp_path / "a/b")).check()
    assert (tmp_path / "a/b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="EXPUNGE_STORE"):
        FileStore(str(tmp_path / "file/store")).check()


def test_what_dead_writers_left_is_swept_and_what_others_write_is_not(store):
    store.put("requests/a", b"1")
    scratch = store.root / "requests/.scratch"
    (old := scratch / ("0" * 32)).touch()
    (new := scratch / ("1" * 32)).touch()
    two_days_ago = time.time() - 2 * 86_400
    os.utime(old, (two_days_ago, two_days_ago))
    store.check()
    assert (old.exists(), new.exists()) == (False, True)
    assert [info.key for info in store.list_objects("")] == ["requests/a"]


def test_whatever_else_lies_among_scratch_files_is_listed(store):
    (store.root / ".scratch" / "deep").mkdir(parents=True)
    for name in ("export.csv", "deep/1", "0" * 32):
        (store.root / ".scratch" / name).touch()
    assert [i.key for i in store.list_objects("")] == [".scratch/deep/1", ".scratch/export.csv"]


def test_a_write_that_fails_leaves_nothing_behind(store, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ExpungeError):
            store.put("requests/a", b"1")
    assert not any(path.is_file() for path in store.root.rglob("*"))


def test_a_link_is_listed_as_one_and_never_followed(store, tmp_path):
    (elsewhere := tmp_path / "elsewhere").write_bytes(b"secret")
    (store.root / "link").symlink_to(elsewhere)
    (info,) = store.list_objects("")
    assert info.is_link
    with pytest.raises(MissingObjectError, match="link"):
        store.get("link")
    os.mkfifo(store.root / "pipe")
    with pytest.raises(MissingObjectError, match="no file"):
        store.get("pipe")
    store.delete("absent")
    store.put("file", b"1")
    store.delete("file/below")


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_nobody_else_can_read_what_is_stored(store, umask):
    before = os.umask(umask)
    try:
        store.put("requests/files/a", b"1")
        store.put_if_absent("journal/b/c", b"1")
    finally:
        os.umask(before)
    found = [path for name in ("requests", "journal") for path in (store.root / name).rglob("*")]
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in found}
    assert modes == {(True, 0o700), (False, 0o600)}


def test_the_home_that_is_made_belongs_to_its_user_alone(tmp_path):
    FileStore(str(tmp_path / "home/store")).check()
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_made_keeps_its_mode(store):
    (incoming := store.root / "requests/incoming").mkdir(parents=True, mode=0o775)
    incoming.chmod(0o775)
    store.put("requests/incoming/a", b"1")
    assert incoming.stat().st_mode & 0o777 == 0o775
