"""Errors of a worker say whose they are and what to do, and quote nothing that it says."""

import pytest

from tasks.registry.confined.role import Role
from unlearning.errors import OutOfMemoryError, RecipeError, SettingsError

ROLE = Role("The hook of income", "mend it", RecipeError)


def test_kinds_of_errors_are_named_and_other_words_are_not():
    assert str(ROLE.failed("raised", "KeyError", 3)) == (
        "The hook of income raises KeyError in line 3; mend it."
    )
    said = ROLE.failed("raised", "Ada Lovelace, London", "a row")
    assert str(said) == "The hook of income raises an error; mend it."


@pytest.mark.parametrize("what", ["Error.Ada Lovelace, London", "Error.1815", "Error\n", ""])
def test_a_kind_is_a_name_and_nothing_behind_it(what):
    said = ROLE.failed("raised", what, None)
    assert str(said) == "The hook of income raises an error; mend it."


def test_a_missing_package_is_named_only_if_the_code_or_everybody_knows_it():
    for code, named in ((b"import lovelace", "the package lovelace"), (b"lovelaces", "a package")):
        said = str(ROLE.failed("missing", "lovelace.london", None, [b"", code]))
        assert f" needs {named}, which its Python does not have;" in said


def test_memory_and_missing_packages_are_no_fault_of_the_code():
    assert isinstance(ROLE.failed("raised", "MemoryError", None), OutOfMemoryError)
    missing = ROLE.failed("missing", "sklearn.tree", None)
    assert isinstance(missing, SettingsError)
    assert "the package sklearn," in str(missing)
