"""The table of rooms in CONTRIBUTING.md; `python -m docs.generate.rooms` writes it anew."""

import ast
import re
from pathlib import Path

from docs.generate.tables import code, first_sentence, table

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "CONTRIBUTING.md"
_TABLE = re.compile(r"^\| room \|.*?(?=\n\n)", re.MULTILINE | re.DOTALL)


def rooms() -> str:
    """Every room with the first paragraph of what its package says of itself."""
    files = [
        file
        for top in ("tasks", "unlearning")
        for file in sorted((ROOT / top).glob("*/__init__.py"))
    ]
    said = ((code(file.parent.relative_to(ROOT)), _docstring(file)) for file in files)
    return table(("room", "what it is for"), said)


def with_rooms(page: str) -> str:
    """The page with the table as it is now."""
    return _TABLE.sub(lambda _: rooms(), page)


def _docstring(file: Path) -> str:
    return first_sentence(ast.get_docstring(ast.parse(file.read_text())))


if __name__ == "__main__":
    PAGE.write_text(with_rooms(PAGE.read_text()))
