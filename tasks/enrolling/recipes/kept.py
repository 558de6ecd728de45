"""Recipes in the store: what a model's owner gave to train it with, kept under its digest."""

from dataclasses import dataclass
from pathlib import Path

from tasks.journal.events.enrollment import Enrollment
from tasks.store.objects import MissingObjectError, ObjectStore
from unlearning.errors import ConflictError, SettingsError
from unlearning.policy.digests import bytes_digest

_FOLDER, _ENDING = "recipes/", ".py"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A file of Python that trains a model, and the Python that runs it."""

    code: bytes
    python: str = ""
    """The interpreter; the one that runs expunge if empty."""

    @property
    def key(self) -> str:
        """Where it lies in the store."""
        return f"{_FOLDER}{bytes_digest(self.code)}{_ENDING}"


def read_file(path: str, python: str) -> Recipe | None:
    """The recipe in a file; None if no file is named.

    Raises:
        SettingsError: the file cannot be read, or an interpreter is named for no recipe.
    """
    if not path:
        if python:
            raise SettingsError("--recipe-python runs a recipe; name one with --recipe FILE.")
        return None
    try:
        return Recipe(Path(path).read_bytes(), python)
    except OSError as error:
        raise SettingsError(
            f"The recipe {path} cannot be read ({error.strerror}); check the path."
        ) from error


def keep(store: ObjectStore, recipe: Recipe) -> str:
    """Keep a recipe; returns its key."""
    store.put_if_absent(recipe.key, recipe.code)
    return recipe.key


def kept_recipe(store: ObjectStore, enrollment: Enrollment) -> Recipe | None:
    """The recipe that the model was enrolled with; None if there is none.

    Raises:
        ConflictError: it is gone, or another file lies in its place.
    """
    if not enrollment.recipe:
        return None
    remedy = f"enrol {enrollment.model} again with --recipe"
    try:
        recipe = Recipe(store.get(enrollment.recipe), enrollment.recipe_python)
    except MissingObjectError as error:
        raise ConflictError(f"{enrollment.recipe} is gone from the store; {remedy}.") from error
    if recipe.key != enrollment.recipe:
        raise ConflictError(
            f"{enrollment.recipe} holds another file than was enrolled; see who writes there, "
            f"delete it, and {remedy}."
        )
    return recipe


def recipe_digest(key: str) -> str:
    """SHA-256 of the recipe under this key."""
    return key.removeprefix(_FOLDER).removesuffix(_ENDING)


def stated_recipe(key: str) -> dict[str, str]:
    """What a certificate says of the recipe under this key; nothing if there is none."""
    if not key:
        return {}
    return {"trained_by": f"the owner's recipe, SHA-256 {recipe_digest(key)}"}
