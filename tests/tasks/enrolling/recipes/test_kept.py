"""What ran is on record: a recipe lies in the store under its digest, or it is not run."""

import factories
import pytest

from tasks.enrolling.recipes.kept import (
    Recipe,
    keep,
    kept_recipe,
    read_file,
    recipe_digest,
    stated_recipe,
)
from unlearning.errors import ConflictError, SettingsError


def enrolled(key):
    return factories.enrollment(recipe=key, recipe_python="/usr/bin/python3")


def test_a_recipe_comes_back_as_it_was_kept(services):
    recipe = Recipe(b"def train", "/usr/bin/python3")
    assert kept_recipe(services.store, enrolled(keep(services.store, recipe))) == recipe
    assert len(recipe_digest(recipe.key)) == 64


def test_a_model_without_one_has_none(services):
    assert kept_recipe(services.store, factories.enrollment()) is None
    assert read_file("", "") is None
    assert stated_recipe("") == {}


def test_another_file_in_its_place_is_never_run(services):
    key = keep(services.store, Recipe(b"def train"))
    services.store.put(key, b"import os")
    with pytest.raises(ConflictError, match="another file than was enrolled"):
        kept_recipe(services.store, enrolled(key))
    services.store.delete(key)
    with pytest.raises(ConflictError, match="gone from the store"):
        kept_recipe(services.store, enrolled(key))


def test_a_file_that_cannot_be_read_is_a_setting_to_mend(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        read_file(str(tmp_path / "none.py"), "")
    with pytest.raises(SettingsError, match="--recipe FILE"):
        read_file("", "/usr/bin/python3")
