"""The commands that a page tells its readers to type.

Two marks before a block, which no reader sees: `<!-- world: NAME -->` puts that world back before
the block is run, and `<!-- not run: WHY -->` says that it is not run. Blocks of the languages bash
and console hold commands, of console only after `$ `; blocks of python are run as they are.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from docs.prose import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>world|not run): (?P<said>[^>]*) -->\n+)?"
    r"^```(?P<language>bash|console|python|sh|shell)\b[^\n]*\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One block of a page."""

    page: str
    language: str
    body: str
    world: str
    not_run: str

    def lines(self) -> list[str]:
        """Its commands, one a line."""
        if self.language == "python":
            return [self.body]
        lines = self.body.replace("\\\n", " ").splitlines()
        if self.language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        return [line for line in lines if line.strip()]


def blocks(page: Path) -> list[Block]:
    """Every block of a page, in order."""
    name = str(page.relative_to(ROOT))
    return [
        Block(
            name,
            found["language"],
            found["body"],
            world=found["said"] if found["mark"] == "world" else "",
            not_run=found["said"] if found["mark"] == "not run" else "",
        )
        for found in _BLOCK.finditer(page.read_text())
    ]


def recipe(page: str, library: str) -> str:
    """The one block of a page that imports this library and defines `train`."""
    imports = re.compile(rf"^(?:import|from) {library}\b", re.MULTILINE)
    bodies = [one.body for one in blocks(ROOT / page)]
    (found,) = [body for body in bodies if "def train(" in body and imports.search(body)]
    return found


def scenes(page: Path) -> list[tuple[str, list[str]]]:
    """(world, what is typed in it) for each stretch of a page that begins with a world."""
    found: list[tuple[str, list[str]]] = []
    for block in blocks(page):
        if block.not_run:
            continue
        if block.world:
            found.append((block.world, []))
        if not found:
            raise ValueError(f"{block.page}: say in which world this is typed: {block.body}")
        found[-1][1].extend(block.lines())
    return found


@dataclass(frozen=True)
class Typed:
    """A line as a shell would understand it, as far as the pages go."""

    words: list[str]
    given: str = ""
    """What comes through a pipe from `echo`."""
    into: str = ""
    """File that the output goes to."""


def typed(line: str) -> Typed:
    """Read a line: `echo TEXT | COMMAND`, `COMMAND > FILE`, or a command alone."""
    given, _, command = line.rpartition(" | ")
    command, _, into = command.partition(" > ")
    echoed = shlex.split(given)
    if echoed and echoed[0] != "echo":
        raise ValueError(f"Only echo may stand before a pipe: {line}")
    words = shlex.split(command, comments=True)
    return Typed(words, given=" ".join(echoed[1:]), into=into.strip())
