"""Versions of any registered model whose files lie in, at or around the files of another one."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from tasks.registry.all_versions import VERSION, Listed, files_key, files_of, version_key
from tasks.registry.mlflow_registry import Registry

_ROOT = re.compile(r"/([0-9a-f]{32})/artifacts/?$")
"""How the folder of everything that a run logged ends."""


@dataclass(frozen=True, slots=True, order=True)
class Sharer:
    """A version that loses files if those of the other one are removed."""

    model: str
    version: int
    is_same: bool
    """Whether it has the very same files; else they lie in each other."""

    @property
    def place(self) -> tuple[str, int]:
        """Model and number."""
        return self.model, self.version

    @property
    def why(self) -> str:
        """Why the files of the other one must stay, and what to do."""
        name = f"{self.model} version {self.version}"
        if self.is_same:
            return f"{name} lies in the same files; delete it"
        return f"{name} lies in a folder in or around its own; register it from another folder"


def sharers(
    registry: Registry,
    listed: Iterable[Listed],
    model: str,
    number: int,
    addresses: Iterable[str],
) -> list[Sharer]:
    """Other versions whose files lie in, at or around these addresses, and copies of such versions.

    Cost: none, but for a question to MLflow for each copy whose original is deleted.

    Args:
        registry: Asked for the files of such a copy.
        listed: Every version there is.
        model: Name of the version's model.
        number: Its number.
        addresses: Where the version's files lie: its source, and the folder behind it.
    """
    own, others = version_key(model, number), [*listed]
    places = {form for one in addresses for form in _forms(one)}
    same = {own, *map(files_key, addresses)} - {""}
    around, there = set[str](), {one.key for one in others}
    found, before = dict[Listed, bool](), -1
    while before != len(found):
        before = len(found)
        for one in others:
            if one in found or one.key == own:
                continue
            key, forms = one.source, _forms(one.address)
            if VERSION.fullmatch(key) and key not in there:
                key = files_of(registry, one)
                forms |= _forms(key)
            if key in same:
                found[one] = True
                same.add(one.key)
            elif key in around or any(_meet(a, b) for a in forms for b in places):
                found[one] = False
                around.add(one.key)
    return sorted(Sharer(one.model, one.version, is_same) for one, is_same in found.items())


def _forms(address: str) -> set[str]:
    """An address as MLflow wrote it, and in the form in which others may have written it."""
    if not address:
        return set()
    parts, found = urlsplit(address), {files_key(address), address.rstrip("/")}
    if root := _ROOT.search(address):
        found.add(f"runs:/{root[1]}")
    if parts.scheme in ("", "file") and parts.path.startswith("/"):
        found.add(Path(url2pathname(parts.path)).resolve().as_uri())
    return found


def _meet(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")
