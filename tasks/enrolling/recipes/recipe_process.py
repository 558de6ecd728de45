"""Run a recipe on its rows and keep what it made: a program, copied to where both lie.

Started by `tasks.enrolling.recipes.process` with a seed, in a folder with `recipe.py`,
`rows.arrow` and perhaps `init.safetensors`, by whatever Python the owner named: it needs pyarrow,
torch and safetensors, and nothing of expunge. With a `form.json` it needs mlflow in place of torch.
It leaves `state.safetensors`, or the folder `model` as `saving_process` writes it, and `said.json`
about how it went, in which no value of a row stands.
"""

import inspect
import json
import random
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BEGUN = "begun"
"""What is said until there is more to say."""
RECIPE, ROWS, INIT = "recipe.py", "rows.arrow", "init.safetensors"
STATE, SAID, FORM = "state.safetensors", "said.json", "form.json"
CODE = "own_code"


def main() -> None:
    """Train, and say how it went."""
    Path(SAID).write_text(json.dumps({"outcome": BEGUN}))
    try:
        said = _train(int(sys.argv[1]))
    except BaseException as error:  # noqa: BLE001 - also one that calls exit()
        said = _failure(error)
    Path(SAID).write_text(json.dumps(said))


def _train(seed: int) -> dict[str, Any]:
    train = _train_function()
    if train is None:
        return {"outcome": "no train"}
    import pyarrow as pa

    rows = pa.ipc.open_file(pa.memory_map(ROWS)).read_all()
    arguments = {"seed": seed, "init": _init()}
    try:
        inspect.signature(train).bind(rows, **arguments)
    except TypeError:
        return {"outcome": "other arguments"}
    _seed(seed)
    started = time.monotonic()
    made = train(rows, **arguments)
    seconds = time.monotonic() - started
    wrong = _keep_files(made) if Path(FORM).exists() else _keep_tensors(made)
    return wrong or {"outcome": "trained", "seconds": seconds}


def _keep_files(made: Any) -> dict[str, Any] | None:
    from saving import save  # pyright: ignore[reportMissingImports] - laid beside it

    return save(made)


def _init() -> Any:
    if not Path(INIT).exists():
        return None
    from safetensors.torch import load_file

    return load_file(INIT)


def _keep_tensors(made: Any) -> dict[str, Any] | None:
    import torch
    from safetensors.torch import save_file

    state = made.state_dict() if isinstance(made, torch.nn.Module) else made
    if not isinstance(state, Mapping) or not state:
        return {"outcome": "no model", "what": type(made).__name__}
    tensors: dict[str, torch.Tensor] = {}
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            return {"outcome": "no model", "what": f"{type(made).__name__} of something else"}
        tensors[str(name)] = value.detach().cpu().clone().contiguous()
    save_file(tensors, STATE)
    return None


def _train_function() -> Any:
    if Path(CODE).is_dir():
        sys.path.insert(0, str(Path(CODE).resolve()))
    sys.path.insert(0, str(Path.cwd()))  # so that workers of a data loader find it
    import recipe  # pyright: ignore[reportMissingImports] - the owner's

    found = getattr(recipe, "train", None)
    return found if callable(found) else None


def _seed(seed: int) -> None:
    random.seed(seed)
    if not Path(FORM).exists() or "torch" in sys.modules:
        import torch

        torch.manual_seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)


def _failure(error: BaseException) -> dict[str, Any]:
    """The kind of error and the recipe's last line in it; its words may quote rows."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).name == RECIPE
    ]
    if isinstance(error, SyntaxError):
        lines.append(error.lineno)
    if isinstance(error, ModuleNotFoundError):
        return {"outcome": "missing", "what": str(error.name)}
    return {
        "outcome": "raised",
        "what": type(error).__name__,
        "line": lines[-1] if lines else None,
    }


if __name__ == "__main__":
    main()
