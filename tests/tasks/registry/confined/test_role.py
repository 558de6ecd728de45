"""Errors of a worker say whose they are and what to do, and quote nothing that it says."""

from tasks.registry.confined.role import Role
from unlearning.errors import OutOfMemoryError, RecipeError, SettingsError

ROLE = Role("The hook of income", "mend it", RecipeError)


def test_kinds_of_errors_are_named_and_other_words_are_not():
    assert str(ROLE.failed("raised", "KeyError", 3)) == (
        "The hook of income raises KeyError in line 3; mend it."
    )
    said = ROLE.failed("raised", "Ada Lovelace, London", "a row")
    assert str(said) == "The hook of income raises an error; mend it."


def test_memory_and_missing_packages_are_no_fault_of_the_code():
    assert isinstance(ROLE.failed("raised", "MemoryError", None), OutOfMemoryError)
    missing = ROLE.failed("missing", "sklearn.tree", None)
    assert isinstance(missing, SettingsError)
    assert "the package sklearn," in str(missing)
