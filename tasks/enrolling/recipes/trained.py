"""Weights that an owner's recipe makes of rows, if they fit the model that is served."""

import logging
import re
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from tasks.enrolling.recipes.kept import Recipe
from tasks.enrolling.recipes.process import Given, Limits, Ran, refuse_unstarted, run_recipe
from tasks.enrolling.recipes.recipe_process import BEGUN
from tasks.enrolling.recipes.saved_form import saved_code, saved_form
from tasks.environment.device import pick_device
from tasks.registry.confined.places import private_places
from tasks.registry.confined.role import package_in
from tasks.registry.services import Services
from unlearning.errors import DivergenceError, OutOfMemoryError, RecipeError, SettingsError
from unlearning.model.opaque import FILES, opaque_in

log = logging.getLogger("expunge.recipes")

_HOUR = 3600
_SPARE_BYTES = 1 << 20
_FILES_MORE, _FILES_SPARE = 8, 1 << 26
_IDENTIFIER = re.compile(r"[A-Za-z_]\w{0,60}", re.ASCII)
_TENSOR = re.compile(r"[\w.]{1,120}", re.ASCII)
_SILENT = ("", BEGUN)
_OUT_OF_MEMORY = ("MemoryError", "OutOfMemoryError", "ArrowMemoryError")


@dataclass(frozen=True, slots=True, eq=False)
class TrainedByRecipe:
    """What a recipe made."""

    state: dict[str, Tensor]
    """Weights by the names of the served model."""
    seconds: float
    """How long its `train` took."""


def train_by_recipe(
    services: Services,
    recipe: Recipe,
    rows: Iterable[pa.RecordBatch],
    *,
    name: str,
    tables: Sequence[str],
    like: nn.Module,
    seed: int,
    most_seconds: float | None = None,
) -> TrainedByRecipe:
    """Weights of the form of `like`, which the recipe makes of these rows alone.

    What is frozen in `like` is handed to it as `init`: whoever froze that knows that it never
    learned from the rows.

    Cost: a training, after some seconds until the process has imported torch; a copy of the rows
    on the disk below the home while it runs.

    Args:
        services: Where it runs.
        recipe: What is run.
        rows: What it learns from.
        name: Of the model, for messages.
        tables: Addresses of the model's tables and of their rows' objects, which it must not read
            itself.
        like: The served model.
        seed: Of its random numbers.
        most_seconds: How long it may take; as the settings say if omitted.

    Raises:
        RecipeError: it fails, takes too long, or makes another form.
        DivergenceError: it makes weights that are not finite.
        SettingsError: a package that it needs is not installed, or its interpreter does not start.
        OutOfMemoryError: memory ran out.
    """
    wanted = like.state_dict()
    frozen = {
        one: value.detach().cpu().contiguous()
        for one, value in like.named_parameters()
        if not value.requires_grad
    }
    limit, opaque = services.settings.recipe_hours * _HOUR, opaque_in(like)
    ran = run_recipe(
        services.settings,
        recipe,
        rows,
        name=name,
        seed=seed,
        private=private_places(services.settings, tables),
        limits=Limits(
            device=pick_device(services.settings),
            seconds=limit if most_seconds is None else min(limit, most_seconds),
            most_bytes=_most_bytes(wanted, is_opaque=opaque is not None),
        ),
        given=Given(
            init=save(frozen) if frozen else b"",
            form=saved_form(opaque) if opaque is not None else b"",
            code=saved_code(opaque) if opaque is not None else {},
        ),
    )
    refuse_unstarted(ran, recipe)
    _refuse_failed(ran, recipe, name, opaque.library if opaque is not None else "")
    try:
        state = load(ran.state) if opaque is None else _files(ran)
        seconds = float(ran.said.get("seconds", 0.0))
    except (SafetensorError, TypeError, ValueError) as error:
        raise RecipeError(
            f"What the recipe of {name} left cannot be read ({type(error).__name__}); let it write "
            "no files of its own in its folder."
        ) from error
    if opaque is not None:
        return TrainedByRecipe(state, seconds)
    _refuse_other_form(state, wanted, name)
    return TrainedByRecipe({one: state[one] for one in wanted}, seconds)


def _most_bytes(wanted: dict[str, Tensor], *, is_opaque: bool) -> int:
    """Files of a model grow with its rows and with chance, tensors do not."""
    bytes_now = sum(value.nbytes for value in wanted.values())
    return _FILES_MORE * bytes_now + _FILES_SPARE if is_opaque else 2 * bytes_now + _SPARE_BYTES


def _files(ran: Ran) -> dict[str, Tensor]:
    if not ran.files:
        raise ValueError
    return {FILES: torch.frombuffer(bytearray(ran.files), dtype=torch.uint8)}


def _refuse_failed(ran: Ran, recipe: Recipe, name: str, library: str) -> None:
    outcome, what = str(ran.said.get("outcome", "")), str(ran.said.get("what", ""))
    if outcome == "trained":
        return
    if outcome == "missing":
        raise SettingsError(
            f"The recipe of {name} needs {package_in(what, [recipe.code])}, which its Python does "
            "not have; install it there, or name another interpreter with --recipe-python."
        )
    if what in _OUT_OF_MEMORY or (ran.status == -signal.SIGKILL and outcome in _SILENT):
        raise OutOfMemoryError(
            f"Memory ran out while the recipe of {name} trained; free some, or run on a larger "
            "machine."
        )
    if outcome in _SILENT:
        raise RecipeError(
            f"The process of {name}'s recipe ended with status {ran.status} and no word; run the "
            f"recipe by itself to see why, mend it, and enrol {name} with it again."
        )
    raise RecipeError(
        f"{_why(ran, outcome, what, library)}; mend it, and enrol {name} with it again."
    )


def _why(ran: Ran, outcome: str, what: str, library: str) -> str:
    kind = what if _IDENTIFIER.fullmatch(what) else "an error"
    line = ran.said.get("line")
    where = f" in line {line}" if isinstance(line, int) else ""
    return {
        "no train": "The recipe defines no function `train`",
        "other arguments": "The recipe's `train` does not take (rows, *, seed, init)",
        "no model": "The recipe's `train` returns neither a torch module nor its tensors by name, "
        f"but {kind}",
        "other library": f"The recipe's `train` returns no model of {library}, but {kind}",
    }.get(outcome, f"The recipe raises {kind}{where}")


def _refuse_other_form(state: dict[str, Tensor], wanted: dict[str, Tensor], name: str) -> None:
    remedy = f"return the architecture of the version that is enrolled of {name}"
    for one in (*wanted, *state):
        if one not in state or one not in wanted:
            which = "lacks" if one not in state else "has besides"
            raise RecipeError(
                f"What the recipe returns {which} the tensor {_said(one)}, unlike the served "
                f"model; {remedy}."
            )
    for one, value in wanted.items():
        mine = state[one]
        if mine.shape != value.shape or mine.dtype != value.dtype:
            raise RecipeError(
                f"What the recipe returns has {_form(mine)} as {_said(one)}, where the served "
                f"model has {_form(value)}; {remedy}."
            )
        if mine.is_floating_point() and not bool(mine.isfinite().all()):
            raise DivergenceError(
                f"The recipe of {name} returns weights that are not finite in {_said(one)}; lower "
                "its learning rate, or look for rows that it does not take."
            )


def _said(tensor: str) -> str:
    """The tensor's name, where it is one: a recipe may name them as it likes."""
    return repr(tensor) if _TENSOR.fullmatch(tensor) else "of another name"


def _form(value: Tensor) -> str:
    return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
