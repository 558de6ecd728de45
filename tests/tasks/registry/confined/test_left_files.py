"""What a confined process left is read if it is a plain file of a fitting size."""

import os

import pytest

from tasks.registry.confined.left_files import TooLargeError, read_left


def test_a_file_is_read(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert read_left(tmp_path / "a", 3) == b"abc"


def test_one_that_is_too_large_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    with pytest.raises(TooLargeError):
        read_left(tmp_path / "a", 2)


def test_links_pipes_folders_and_nothing_read_as_nothing(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "nothing", "."):
        assert read_left(tmp_path / name, 3) == b""
