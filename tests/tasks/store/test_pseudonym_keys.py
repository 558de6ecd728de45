import json

import pytest

from tasks.store.pseudonym_keys import MAP, UNDER_WAY, check_of, refuse_other_key, rotation_key
from unlearning.errors import SettingsError

FIRST, SECOND, THIRD = (one * 32 for one in (b"1", b"2", b"3"))


def use(store, *keys):
    refuse_other_key(store, lambda: b"".join(keys))


def end(store, *keys):
    store.put(rotation_key(len(keys)), json.dumps({"check": check_of(b"".join(keys))}).encode())


def test_a_store_whose_key_was_never_rotated_asks_for_none(store):
    refuse_other_key(store, lambda: pytest.fail("a key would be made"))


def test_only_the_keys_of_the_latest_rotation_are_let_in(store):
    end(store, FIRST, SECOND)
    end(store, FIRST, SECOND, THIRD)
    use(store, FIRST, SECOND, THIRD)
    for keys in [(FIRST,), (FIRST, SECOND), (THIRD,), (SECOND, FIRST, THIRD)]:
        with pytest.raises(SettingsError, match="oldest first"):
            use(store, *keys)


def test_nobody_is_let_in_while_a_key_is_rotated(store):
    end(store, FIRST, SECOND)
    store.put(MAP, b"{}")
    use(store, FIRST, SECOND)
    store.put(UNDER_WAY, b"{}")
    with pytest.raises(SettingsError, match="expunge rotate-key"):
        use(store, FIRST, SECOND)
