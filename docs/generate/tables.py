"""Markdown tables, and what the docstrings under a class's fields say."""

import ast
import inspect
from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise
from textwrap import dedent


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a cell's line breaks and bars are made harmless."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def code(text: object) -> str:
    """A value as it is typed."""
    return f"`{text}`"


def field_docs(cls: type) -> dict[str, str]:
    """Field name → the string below it in the class's source, on one line."""
    tree = ast.parse(dedent(inspect.getsource(cls)))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
    found: dict[str, str] = {}
    for field, below in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = _string(below)
            if text:
                found[field.target.id] = text
    return found


def first_sentence(text: str | None) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(inspect.cleandoc(text or "").partition("\n\n")[0].split())


def _string(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        value = node.value.value
        return " ".join(value.split()) if isinstance(value, str) else ""
    return ""


def _cell(text: str) -> str:
    """On one line; outside of code nothing looks like a tag."""
    parts = " ".join(text.split()).replace("|", "\\|").split("`")
    parts[::2] = [escape(part, quote=False) for part in parts[::2]]
    return "`".join(parts)
