import pytest
from durable import durable

from tasks.environment.settings import load_settings
from tasks.registry.services import Services
from tasks.store.pseudonym_keys import UNDER_WAY

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


OTHERS = (
    ("status",),
    ("run",),
    ("retire",),
    ("replay",),
    ("ledger", "income"),
    ("trace", "--model", "income", "--version", "1"),
    ("approve", "b-1", "--by", "Ada"),
    ("reject", "b-1", "--by", "Ada", "--reason", "no"),
    ("settle", "R-1", "--exact", "--by", "Ada", "--reason", "so"),
    ("reinstate", "5f" * 16, "--by", "Ada", "--reason", "so"),
    ("erase-again", "5f" * 16, "--by", "Ada", "--reason", "so"),
    ("close-table", "tables/train", "--by", "Ada", "--reason", "so"),
    ("submit", "requests.csv"),
    ("hold", "requests.csv", "--force"),
    ("hold", "--release", "requests.csv"),
)


@pytest.mark.parametrize("words", OTHERS, ids=lambda words: " ".join(words[:2]))
def test_until_a_rotation_ends_nobody_else_does_anything(expunge, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    text = "request_id,subject_id,received_at\nR-1,anna,2026-01-02T03:04:05Z\n"
    (tmp_path / "requests.csv").write_text(text)
    store = Services.open(load_settings()).store
    store.put(UNDER_WAY, b"{}")
    before = durable(store)
    told = expunge(*words)
    assert told.status == 2
    assert "is being rotated" in told.sentence
    assert durable(store) == before
