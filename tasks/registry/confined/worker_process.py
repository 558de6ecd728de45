"""Answer questions, one a line, by a function that lies beside it: a program of its own.

Started by `tasks.registry.confined.worker` in a folder with `answers.py`, whose `answer(question)`
it calls, by whatever Python the owner named. It knows the standard library alone. Each answer is
one line: what the function gave, or how it failed, in which no value of a row stands.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

ANSWERS, ENDING = "answers", ".py"
DONE, RAISED, MISSING = "done", "raised", "missing"


def main() -> None:
    """Answer until nobody asks any more."""
    asked, told = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # what libraries print is no answer
        os.dup2(nothing, stream)
    sys.path.insert(0, str(Path.cwd()))
    for line in asked:
        told.write(json.dumps(_answered(json.loads(line))) + "\n")
        told.flush()


def _answered(question: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"outcome": DONE, "said": _answer()(question)}
    except ModuleNotFoundError as error:
        return {"outcome": MISSING, "what": str(error.name)}
    except BaseException as error:  # noqa: BLE001 - also one that calls exit()
        return failure(error, str(question.get("source", "")))


def _answer() -> Callable[[dict[str, Any]], Any]:
    import answers  # pyright: ignore[reportMissingImports] - laid beside it

    return answers.answer


def failure(error: BaseException, source: str) -> dict[str, Any]:
    """The kind of error and its last line in the file of this name; its words may quote rows."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).name == source
    ]
    if isinstance(error, SyntaxError) and Path(error.filename or "").name == source:
        lines.append(error.lineno)
    kind = type(error).__name__
    return {"outcome": RAISED, "what": kind, "line": lines[-1] if lines else None}


if __name__ == "__main__":
    main()
