import stat

import pytest

from tasks.environment import key_files
from unlearning.errors import SettingsError


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path):
    path = tmp_path / "new" / "a.key"
    made = key_files.read_or_make(path)
    assert key_files.read_or_make(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_several_keys_are_written_and_read_in_their_order(tmp_path):
    path = tmp_path / "a.key"
    key_files.write(path, b"a" * 32 + b"b" * 32)
    assert key_files.read_or_make(path) == b"a" * 32 + b"b" * 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key_files.keys_from_hex(f" {'61' * 32} , {'62' * 32}\n") == b"a" * 32 + b"b" * 32


@pytest.mark.parametrize("text", ["", ",", f"{'61' * 32},", f"{'61' * 32},62", "61" * 64])
def test_what_is_no_row_of_keys_is_refused(text):
    with pytest.raises(SettingsError, match="64 hexadecimal"):
        key_files.keys_from_hex(text)
