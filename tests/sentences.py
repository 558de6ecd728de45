"""Real sentences that are at hand wherever the project is: what libraries say of themselves."""

import inspect
import pkgutil
from functools import cache
from importlib import import_module

import numpy as np
import pyarrow as pa

LIBRARIES = ("numpy", "pandas", "scipy", "sklearn")
_LEFT_OUT = ("tests", "testing", "conftest", "setup", "f2py", "distutils", "externals")


def sentences(count: int, *, first: int = 0) -> pa.Table:
    """So many of all sentences, in an order by lot, with the number of their library."""
    found = _all()[first : first + count]
    assert len(found) == count
    return pa.table(
        {"text": [text for text, _ in found], "label": [label for _, label in found]},
    )


@cache
def _all() -> list[tuple[str, int]]:
    found = {text: number for number, name in enumerate(LIBRARIES) for text in _said(name)}
    pairs = sorted(found.items())
    return [pairs[place] for place in np.random.default_rng(0).permutation(len(pairs))]


def _said(name: str) -> set[str]:
    package = import_module(name)
    names = [one.name for one in pkgutil.iter_modules(package.__path__)]
    wanted = [one for one in names if not one.startswith("_") and one not in _LEFT_OUT]
    modules = [package, *(import_module(f"{name}.{one}") for one in wanted)]
    texts = (
        inspect.getdoc(vars(module)[one]) or ""
        for module in modules
        for one in vars(module)
        if not one.startswith("_")
    )
    first = (text.strip().split("\n\n")[0].replace("\n", " ") for text in texts)
    return {text for text in first if 30 < len(text) < 120 and "==" not in text}
