"""A recipe's process: started without secrets, waited for, and ended with all that it started."""

import json
import logging
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.enrolling.recipes.kept import Recipe
from tasks.enrolling.recipes.recipe_process import CODE, FORM, INIT, RECIPE, ROWS, SAID, STATE
from tasks.enrolling.recipes.saving_process import MODEL
from tasks.environment.settings import Settings, harmless_environment
from tasks.foreign_errors import translated
from tasks.registry import downloads
from tasks.registry.confined.launching import Process, end, launch, missing_barriers
from tasks.registry.confined.left_files import TooLargeError, read_left
from tasks.registry.confined.places import allowed_places, interpreter
from tasks.registry.opaque.archive import packed
from unlearning.errors import RecipeError, SettingsError, UnfitRowsError

log = logging.getLogger("expunge.recipes")

_PROGRAM, _SAVING = "run_recipe.py", "saving.py"
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
class Given:
    """What a recipe is given besides its rows."""

    init: bytes = b""
    """Tensors to start from as safetensors; empty if there are none."""
    form: bytes = b""
    """How a model of another library is saved, as JSON; empty if it trains tensors."""
    code: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """Its owner's own code that lies with such a model, by paths."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a recipe's process."""

    status: int
    """Its exit status; the number of a signal below 0."""
    said: dict[str, Any]
    """What it said of its training; empty if it could not say anything."""
    state: bytes
    """The weights as safetensors; empty if there are none."""
    files: bytes = b""
    """Of a model of another library its files, packed; empty if there are none."""


def run_recipe(
    settings: Settings,
    recipe: Recipe,
    rows: Iterable[pa.RecordBatch],
    *,
    name: str,
    seed: int,
    private: Sequence[Path],
    limits: Limits,
    given: Given = Given(),
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
        given: What it is given besides.

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
        _lay_out_given(folder, given)
        program = [interpreter(recipe.python), "-B", str(folder / _PROGRAM), str(seed)]
        with _started(program, folder, environment, allowed) as process:
            _tell_barriers(process, name)
            status = _ended(process, name, limits.seconds)
        return _left(folder, status, limits.most_bytes, has_form=bool(given.form))


def _lay_out_given(folder: Path, given: Given) -> None:
    if given.init:
        (folder / INIT).write_bytes(given.init)
    if given.form:
        (folder / FORM).write_bytes(given.form)
        source = Path(__file__).with_name("saving_process.py")
        (folder / _SAVING).write_bytes(source.read_bytes())
    for path, data in given.code.items():
        file = folder / CODE / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def _left(folder: Path, status: int, most_bytes: int, *, has_form: bool) -> Ran:
    """What it left in its folder."""
    try:
        said = _understood(read_left(folder / SAID, _MOST_SAID))
        if not has_form:
            return Ran(status, said, read_left(folder / STATE, most_bytes))
        model = folder / MODEL
        is_there = model.is_dir() and not model.is_symlink()
        return Ran(status, said, b"", packed(model, most_bytes) if is_there else b"")
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
            "see that it is a Python with pyarrow, torch and safetensors, or, beside pyarrow, with "
            "mlflow and the model's own library."
        )
