"""Every version of every registered model, and which of them hold the same weights."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from tasks.foreign_errors import translated
from tasks.registry.mlflow_registry import DIGEST_TAG, Registry
from tasks.registry.model_versions import LOGGED, search
from unlearning.errors import MissingDataError

VERSION = re.compile(r"models:/(.+)/(\d+)")
"""How the source of a copy names its original."""
_RUN = re.compile(r"(?:^runs:/|/)([0-9a-f]{32})/(?:artifacts/)?(.+)")


@dataclass(frozen=True, slots=True)
class Listed:
    """A version of any registered model, and what tells which weights it holds."""

    model: str
    version: int
    source: str
    """Where its files come from, in the one form of `files_key`."""
    digest: str
    """Digest of its weights by its own tag; empty without one."""
    address: str = ""
    """The same as `source`, as MLflow has it."""

    @property
    def key(self) -> str:
        """How a copy of it names its source."""
        return version_key(self.model, self.version)


def version_key(model: str, version: int) -> str:
    """How a copy of this version names its source."""
    return f"models:/{model}/{version}"


def files_key(source: str) -> str:
    """One form for all the addresses that MLflow knows the same files by.

    The id of the logged model if the address holds one, else the version that was copied, or the
    run and the path in it; any other address stays as it is, without a password or a signature.
    Nothing after `#` or `?` is part of the place: MLflow reads no address further than that.
    """
    source = _as_read(without_secrets(source)).rstrip("/")
    for part in urlsplit(source).path.split("/"):
        if LOGGED.fullmatch(part):
            return part
    if VERSION.fullmatch(source):
        return source
    if found := _RUN.search(source):
        return f"runs:/{found[1]}/{found[2]}"
    return source


def _as_read(source: str) -> str:
    """An address of files as MLflow reads it; a path, or a model's name, may hold any sign."""
    parts = urlsplit(source)
    return source if parts.scheme != "file" else parts._replace(query="", fragment="").geturl()


def without_secrets(address: str) -> str:
    """The address without user, password and signature, as it may be kept and shown."""
    parts = urlsplit(address)
    if not parts.netloc:
        return address
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()


def listed_versions(registry: Registry) -> list[Listed]:
    """Every version of every registered model, in one search, a page at a time."""
    return [
        Listed(
            v.name, int(v.version), files_key(v.source or ""), v.tags.get(DIGEST_TAG, ""), v.source
        )
        for v in search(registry, "")
    ]


def alike(
    registry: Registry, listed: Iterable[Listed], keys: Iterable[str], digest: str
) -> dict[Listed, bool]:
    """The versions that hold these weights, copies of copies among them.

    Each says whether its source tells; otherwise only its tag does, which may be wrong.

    Args:
        registry: Asked for the files of a copy whose original is deleted.
        listed: Every version there is.
        keys: What the weights' own version and files are known by.
        digest: Digest of the weights.
    """
    versions = list(listed)
    there = {one.key for one in versions}
    known, found = set(keys) - {""}, dict[Listed, bool]()
    before = -1
    while before != len(found):
        before = len(found)
        for one in versions:
            source = one.source
            if VERSION.fullmatch(source) and source not in there | known:
                source = files_of(registry, one)
            by_source = source in known
            if one not in found and (by_source or (digest and one.digest == digest)):
                found[one] = by_source
                known |= {one.key, source} - {""}
    return found


def aliases_of(registry: Registry, model: str) -> dict[int, tuple[str, ...]]:
    """Aliases of the versions of a registered model, by number."""
    with translated("MLflow"):
        aliases = registry.client.get_registered_model(model).aliases
    numbers = {int(n) for n in aliases.values()}
    return {n: tuple(sorted(a for a, v in aliases.items() if int(v) == n)) for n in numbers}


def files_of(registry: Registry, one: Listed) -> str:
    """Where MLflow finds the files of a version, in the form of `files_key`; empty if nowhere."""
    try:
        with translated("MLflow"):
            place = registry.client.get_model_version_download_uri(one.model, str(one.version))
    except MissingDataError:
        return ""
    return files_key(place or "")
