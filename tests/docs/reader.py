"""A reader who types every command of every page: one process that imports once, then only forks.

Called by test_commands.py with a folder, a place for the results, and the pages.
"""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docs.commands import Typed, scenes, typed
from docs.prose import ROOT
from matrix import zygote

from docs import worlds


def expunge(*words: str, given: str = "") -> int:
    """Type one command of expunge in this process; its exit status."""
    from flows.cli import main

    before, sys.argv, sys.stdin = sys.argv, ["expunge", *words], io.StringIO(given + "\n")
    try:
        main()
    except SystemExit as status:
        return status.code if isinstance(status.code, int) else int(status.code is not None)
    finally:
        sys.argv, sys.stdin = before, sys.__stdin__
    return 0


def perform(lines: list[str]) -> list[dict[str, Any]]:
    """Type every line; gives each with its status."""
    found: list[dict[str, Any]] = []
    for line in lines:
        for name, value in worlds.placeholders().items():
            line = line.replace(name, value)  # noqa: PLW2901
        found.append({"line": line, **_type(line)})
    return found


def _type(line: str) -> dict[str, Any]:
    if "\n" in line:
        sys.path.insert(0, str(Path.cwd()))  # as for who types it after `python`
        exec(line, {name: worlds.example(name) for name in ("model", "rows")})  # noqa: S102
        del sys.path[0]
        return {"kind": "python", "status": 0}
    said = typed(line)
    program, *words = said.words
    if program == "export":
        name, _, value = words[0].partition("=")
        os.environ[name] = value
        return {"kind": "export", "status": 0}  # the next command reads it, or refuses it
    if program == "expunge":
        with _output(said):
            return {"kind": "expunge", "status": expunge(*words, given=said.given)}
    if program == "torchrun":
        return {"kind": "parsed", "status": _parsed(words)}
    if program == "prefect":
        command = [str(Path(sys.executable).parent / "prefect"), *words]
        return {"kind": "prefect", "status": subprocess.call(command, cwd=ROOT)}
    return {"kind": "unknown", "status": 127}


@contextlib.contextmanager
def _output(said: Typed) -> Iterator[None]:
    if not said.into:
        yield
        return
    with Path(said.into).open("w") as file, contextlib.redirect_stdout(file):
        yield


def _parsed(words: list[str]) -> int:
    """Whether the command line understands what several processes are started with."""
    from flows.cli import command_line

    command_line().parse_args(words[words.index("flows.cli") + 1 :])
    return 0


def prepare(live: Path, kept: Path, pages: list[Path]) -> None:
    """Make every world that the pages need, each in a process of its own."""
    wanted = {world for page in pages for world, _ in scenes(page)} | {"tables"}
    while more := {worlds.WORLDS[name][0] for name in wanted} - wanted - {""}:
        wanted |= more
    for name, (parent, make) in worlds.WORLDS.items():
        if name not in wanted:
            continue
        _put_back(live, kept / parent if parent else None)

        def work(make: Any = make) -> list[str]:
            os.chdir(live)
            make(expunge)
            return sorted(sys.modules)

        status, modules = zygote.child(work, live.parent / "log")
        if status:
            raise RuntimeError(f"The world {name!r} could not be made.")
        # What commands import on their way, every later one would import again.
        zygote.import_all([one for one in modules if one not in sys.modules])
        shutil.copytree(live, kept / name)


def _put_back(live: Path, world: Path | None) -> None:
    shutil.rmtree(live, ignore_errors=True)
    if world:
        shutil.copytree(world, live)
        return
    (live / ".expunge").mkdir(parents=True)
    shutil.copy(os.environ["TEST_MLFLOW"], live / ".expunge/mlflow.db")


def read_all(base: Path, pages: list[Path]) -> list[dict[str, Any]]:
    """Every scene of the pages with what came of its commands.

    Where an earlier page types the same from the same world on, nothing else can come of it.
    """
    live, kept = base / "live", base / "kept"
    prepare(live, kept, pages)
    found: list[dict[str, Any]] = []
    for page in pages:
        for world, lines in scenes(page):
            if before := next((one for one in found if _begins_with(one, world, lines)), None):
                same = {"page": str(page.relative_to(ROOT)), "lines": lines}
                found.append({**before, **same, "typed": before["typed"][: len(lines)]})
                continue
            _put_back(live, kept / world)

            def work(lines: list[str] = lines) -> list[dict[str, Any]]:
                os.chdir(live)
                return perform(lines)

            log = base / "log"
            before = log.stat().st_size if log.exists() else 0
            status, typed_lines = zygote.child(work, log)
            said = log.read_text(errors="replace")[before:]
            name = str(page.relative_to(ROOT))
            scene = {"page": name, "world": world, "status": status, "lines": lines}
            found.append(scene | {"typed": typed_lines or [], "said": said})
    return found


def _begins_with(scene: dict[str, Any], world: str, lines: list[str]) -> bool:
    """Whether a scene begins with these commands, whatever is said beside them."""
    if scene["world"] != world or len(scene["typed"]) < len(lines):
        return False
    pairs = zip(scene["lines"], lines, strict=False)
    return all("\n" not in one + other and typed(one) == typed(other) for one, other in pairs)


if __name__ == "__main__":
    zygote.import_everything()
    read = read_all(Path(sys.argv[1]), [ROOT / name for name in sys.argv[3:]])
    Path(sys.argv[2]).write_text(json.dumps(read, default=str))
