import pytest

from tasks.environment.settings import load_settings

pytestmark = pytest.mark.usefixtures("home")
NEW = "5a" * 32


def test_a_key_in_a_file_is_rotated_in_place(expunge):
    assert "--by NAME" in expunge("rotate-key", "--by", "").sentence
    said = expunge("rotate-key", "--by", "Ada")
    assert "back up pseudonym.key" in " ".join(said.out.split())
    (path,) = load_settings().home.glob("pseudonym.*")
    assert path.read_text().count(",") == 1
    assert expunge("status").status == 0


def test_keys_in_variables_are_named_and_never_shown(expunge, monkeypatch):
    monkeypatch.setenv("EXPUNGE_PSEUDONYM_KEY", "11" * 32)
    assert "EXPUNGE_NEXT_PSEUDONYM_KEY" in expunge("rotate-key", "--by", "Ada").sentence
    monkeypatch.setenv("EXPUNGE_NEXT_PSEUDONYM_KEY", NEW)
    said = expunge("rotate-key", "--by", "Ada")
    assert "what it was, a comma, and EXPUNGE_NEXT_PSEUDONYM_KEY" in " ".join(said.out.split())
    assert NEW not in said.out + said.err
    assert "oldest first" in expunge("status").sentence
    monkeypatch.setenv("EXPUNGE_PSEUDONYM_KEY", f"{'11' * 32},{NEW}")
    assert expunge("status").status == 0
