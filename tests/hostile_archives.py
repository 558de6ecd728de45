"""Archives of exported models with something in them that torch would run."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from zipfile import ZipFile


def rewrite(
    sound: Path, file: Path, change: Callable[[dict[str, Any]], object], more: Iterable[str] = ()
) -> None:
    """The archive with its program changed, and with further records."""
    with ZipFile(sound) as before, ZipFile(file, "w") as after:
        for name in before.namelist():
            data = before.read(name)
            if name.endswith("models/model.json"):
                program = json.loads(data)
                change(program)
                data = json.dumps(program).encode()
            after.writestr(name, data)
        for name in more:
            after.writestr(name, b"data")


def with_size(sound: Path, file: Path, code: str) -> None:
    """The archive with code for the size of its first input."""

    def change(program: dict[str, Any]) -> None:
        values = program["graph_module"]["graph"]["tensor_values"]
        size = values["input"]["sizes"][0]["as_expr"]
        size["expr_str"] = f"{code}*0 + {size['expr_str']}"

    rewrite(sound, file, change)
