"""The sentences of a Markdown page, without code, tables and headings."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    ROOT / "benchmarks/RESULTS.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
_NOT_PROSE = (
    r"\A---\n.*?\n---\n",  # front matter
    r"^```.*?^```$",
    r"<!--.*?-->",
    r"^(?:#|\||::: )[^\n]*$",
    r"^    options:\n(?:      .*\n)*",
    r"!\[[^\]]*\]\([^)]*\)(?:\{[^}]*\})?",
)


def sentences(markdown: str) -> list[str]:
    """Every sentence; an item of a list is one at least."""
    for pattern in _NOT_PROSE:
        markdown = re.sub(pattern, "\n\n", markdown, flags=re.MULTILINE | re.DOTALL)
    markdown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    blocks = re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", markdown)
    found = [s for block in blocks for s in re.split(r"(?<=[.!?])\W*\s+", block.strip())]
    return [s for s in found if words(s)]


def words(sentence: str) -> int:
    """How many words a sentence has."""
    return len(re.findall(r"[^\s]*\w[^\s]*", re.sub(r"^\s*(?:[-*]|\d+\.) ", "", sentence)))
