"""The libraries that only models of transformers need, imported when one is met."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from unlearning.errors import SettingsError


def library(name: str, needed_by: str) -> Any:
    """The library of this name.

    Raises:
        SettingsError: it is not installed here, or does not go with what is.
    """
    try:
        return import_module(name)
    except (ImportError, RuntimeError) as error:
        raise SettingsError(
            f"{needed_by} needs the package {name}, which cannot be imported here "
            f"({type(error).__name__}); install it beside expunge, as in the model's "
            "requirements.txt, and run again."
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """A block in which transformers, if it was imported, prints neither bars nor reports."""
    if "transformers" not in sys.modules:
        yield
        return
    speech: Any = sys.modules["transformers"].utils.logging
    level, showed = speech.get_verbosity(), speech.is_progress_bar_enabled()
    speech.set_verbosity_error()
    speech.disable_progress_bar()
    try:
        yield
    finally:
        speech.set_verbosity(level)
        if showed:
            speech.enable_progress_bar()
