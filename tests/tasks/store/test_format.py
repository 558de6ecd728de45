import pytest

from tasks.store.format import FORMAT, KEY, check_format, write_format
from unlearning.errors import SettingsError


def test_a_new_store_says_nothing_until_it_is_written_to(store):
    assert not check_format(store)
    write_format(store)
    assert check_format(store)
    write_format(store)
    assert FORMAT == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [(b'{"format": 2}', "format 2"), (b"[]", "unreadable"), (b"", "unreadable"), (b"{}", "None")],
)
def test_any_other_form_is_refused_with_what_to_do(store, body, said):
    store.put(KEY, body)
    with pytest.raises(SettingsError, match=f"{said}.*EXPUNGE_STORE"):
        check_format(store)


def test_a_journal_without_a_form_was_written_by_another_release(store):
    store.put("journal/batches/b-1/000001.json", b"{}")
    with pytest.raises(SettingsError, match="format none"):
        check_format(store)
