"""A recipe's process: started without secrets, waited for, and ended with all that it started."""

import json
import logging
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.enrolling.recipes.kept import Recipe
from tasks.enrolling.recipes.recipe_process import INIT, RECIPE, ROWS, SAID, STATE
from tasks.environment.settings import Settings, harmless_environment
from tasks.foreign_errors import translated
from tasks.registry import downloads
from tasks.registry.confined.launching import Process, end, launch, missing_barriers
from tasks.registry.confined.left_files import TooLargeError, read_left
from tasks.registry.confined.places import allowed_places, interpreter
from unlearning.errors import RecipeError, SettingsError, UnfitRowsError

log = logging.getLogger("expunge.recipes")

_PROGRAM = "run_recipe.py"
_STILL_S = 60.0
_MOST_SAID = 1 << 16


@dataclass(frozen=True, slots=True)
class Limits:
    """What a recipe may use."""

    device: str
    """Where expunge itself computes: on `cpu` the recipe sees no GPU."""
    seconds: float
    """How long it may take."""
    most_bytes: int
    """Of the weights: more are not read."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a recipe's process."""

    status: int
    """Its exit status; the number of a signal below 0."""
    said: dict[str, Any]
    """What it said of its training; empty if it could not say anything."""
    state: bytes
    """The weights as safetensors; empty if there are none."""


def run_recipe(
    settings: Settings,
    recipe: Recipe,
    rows: Iterable[pa.RecordBatch],
    *,
    name: str,
    seed: int,
    private: Sequence[Path],
    limits: Limits,
    init: bytes = b"",
) -> Ran:
    """Let the recipe train on these rows, at least one, in a process of its own.

    It can read Python's own folders, its rows and nothing else; it has no network and none of the
    environment. The rows are gone from the disk when it ends, whatever happens; those of a run
    that is killed go when the next one starts.

    Args:
        settings: Below whose home the process works.
        recipe: What is run.
        rows: What it learns from.
        name: Whose recipe it is, for messages.
        seed: For its random numbers.
        private: Places that it must not read, even where Python's folders lie around them.
        limits: How long it may take, and how much it may leave.
        init: Tensors to start from as safetensors; empty if there are none.

    Raises:
        RecipeError: it takes too long, or its weights are far larger than they should be.
        SettingsError: its interpreter does not start.
    """
    with downloads.scratch(settings) as scratch:
        folder = scratch.resolve()
        environment = harmless_environment(limits.device) | {
            "HOME": str(folder),
            "TMPDIR": str(folder),
        }
        allowed = allowed_places(recipe.python, folder, private, environment)
        _lay_out(folder, recipe, rows)
        if init:
            (folder / INIT).write_bytes(init)
        program = [interpreter(recipe.python), "-B", str(folder / _PROGRAM), str(seed)]
        with _started(program, folder, environment, allowed) as process:
            _tell_barriers(process, name)
            status = _ended(process, name, limits.seconds)
        try:
            said = read_left(folder / SAID, _MOST_SAID)
            return Ran(status, _understood(said), read_left(folder / STATE, limits.most_bytes))
        except TooLargeError as error:
            raise RecipeError(
                "The recipe returned far more weights than the served model has; return the model "
                "alone."
            ) from error


def _lay_out(folder: Path, recipe: Recipe, rows: Iterable[pa.RecordBatch]) -> None:
    (folder / RECIPE).write_bytes(recipe.code)
    source = Path(__file__).with_name("recipe_process.py")
    (folder / _PROGRAM).write_bytes(source.read_bytes())
    with translated("disk", str(folder)):
        batches = iter(rows)
        first = next(batches, None)
        if first is None:
            raise UnfitRowsError("No rows are left for the recipe to learn from; see the table.")
        with (
            pa.OSFile(str(folder / ROWS), "wb") as file,
            pa.ipc.new_file(file, first.schema) as writer,
        ):
            for batch in chain([first], batches):
                writer.write_batch(batch)


@contextmanager
def _started(
    program: list[str], folder: Path, environment: dict[str, str], allowed: dict[str, int]
) -> Iterator[Process]:
    """The process, as the leader of a group that ends with the block."""
    process = launch(program, folder, environment, allowed)
    try:
        yield process
    finally:
        end(process)


def _tell_barriers(process: Process, name: str) -> None:
    assert process.stdout is not None
    missing = missing_barriers(process.stdout.read(1 << 10))
    if missing:
        log.warning(
            "This machine confines the recipe of %s less: no barrier before %s",
            name,
            " and ".join(missing),
        )


def _ended(process: Process, name: str, seconds: float) -> int:
    started = time.monotonic()
    while True:
        passed = time.monotonic() - started
        if passed >= seconds:
            raise RecipeError(
                f"The recipe of {name} did not end within {seconds / 3600:.2g} hours; make it "
                f"quicker and enrol {name} with it again, or set EXPUNGE_RECIPE_HOURS."
            )
        try:
            return process.wait(min(_STILL_S, seconds - passed))
        except subprocess.TimeoutExpired:
            log.info("%s: its recipe trains since %.0f minutes", name, (passed + _STILL_S) / 60)


def _understood(said: bytes) -> dict[str, Any]:
    try:
        found = json.loads(said)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def refuse_unstarted(ran: Ran, recipe: Recipe) -> None:
    """Refuse a process that never came to run the recipe.

    Raises:
        SettingsError: it did not.
    """
    if ran.status > 0 and not ran.said:
        raise SettingsError(
            f"{interpreter(recipe.python)} could not run a recipe here (exit status {ran.status}); "
            "see that it is a Python with pyarrow, torch and safetensors."
        )
