"""Which files of a version are its own, and lie in its folder."""

import pytest

from tasks.registry.hugging_face.own_files import place_within, within
from unlearning.errors import UnsupportedModelError


def test_a_link_out_of_the_folder_does_not_count_as_within(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "version").mkdir()
    (tmp_path / "version" / "peft").symlink_to(tmp_path / "other")
    with pytest.raises(UnsupportedModelError, match="mails version 2 names files outside"):
        place_within(tmp_path / "version", "peft", "mails version 2")


def test_what_is_to_be_read_must_be_there_and_what_is_to_be_written_need_not(tmp_path):
    with pytest.raises(UnsupportedModelError, match="or that are not there"):
        within(tmp_path, "peft", "mails version 2")
    assert place_within(tmp_path, "peft", "mails version 2") == (tmp_path / "peft").resolve()
