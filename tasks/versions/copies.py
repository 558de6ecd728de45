"""Versions that expunge does not look after: copies of what remembers, and versions unknown here.

A copy is found by its source, which MLflow keeps, by the digest in its tag, or by the bytes of its
files (`tasks.versions.same_files`). It may bear another model's name. Nothing is done to it, for it
is not ours: people are called.
"""

from collections.abc import Iterator
from typing import Literal

from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.ids import other_versions
from tasks.journal.events.statements import CopySeen, OtherVersionsStated, VersionSeen
from tasks.journal.reading import enrolled_models, read_batch, read_model
from tasks.registry import all_versions
from tasks.registry.all_versions import Listed, files_key, version_key
from tasks.registry.model_versions import Registered, registered_versions
from tasks.registry.services import Services
from tasks.versions.old_versions import VersionHistory, read_version_history
from tasks.versions.same_files import examine, same_files


def copies(services: Services, model: str) -> list[CopySeen]:
    """Versions of any name that hold weights of the model which remember erased people.

    Not those that are retired with the model, or with the other model that they belong to. Costs
    one search of every registered version.
    """
    versions = read_version_history(services, model)
    return _copies(services, versions, _listed(services, versions))


def state_other_versions(services: Services, batch: str, model: str) -> OtherVersionsStated:
    """What certificates of the batch say of such versions: as of the first call, for ever.

    Files of those that nobody knows are looked into once (`tasks.versions.same_files`).
    """
    before = read_batch(services.journal, batch).stated.other_versions.get(model)
    if before is not None:
        return before
    examine(services, model)
    versions = read_version_history(services, model)
    found = OtherVersionsStated(
        model=model,
        copies=tuple(_copies(services, versions, _listed(services, versions))),
        unknown=tuple(_unknown(versions)),
    )
    services.journal.append(batch_stream(batch), other_versions(model), found)
    return found


def alarms(services: Services, model: str) -> list[str]:
    """A sentence for each copy under an alias, by which somebody may serve it."""
    return [
        f"{one.model} version {one.version} has the alias {', '.join(one.aliases)} and holds the "
        f"weights of {model} version {one.original}, which remember erased people; move the alias "
        "to a version that forgot them, and delete the copy."
        for one in copies(services, model)
        if one.aliases
    ]


def notes(services: Services, model: str) -> list[str]:
    """A sentence for each version that nobody can vouch for, and each copy without an alias."""
    found = [
        f"{one.model} version {one.version} holds the weights of {model} version {one.original}, "
        "which remember erased people; delete it."
        for one in copies(services, model)
        if not one.aliases
    ]
    return found + [
        f"{model} version {one.version}{_under(one)} was neither enrolled nor made by expunge: "
        "nobody knows whether it learned from people who were erased, and nobody asks it to forget."
        for one in unknown_versions(services, model)
    ]


def unknown_versions(services: Services, model: str) -> list[VersionSeen]:
    """Versions under the model's name that were neither enrolled nor made by expunge."""
    return list(_unknown(read_version_history(services, model)))


def unasked(services: Services, model: str, version: int) -> Iterator[str]:
    """A sentence if other versions of the name are asked by nobody once this one is enrolled."""
    registered = registered_versions(services.registry, model)
    known = {version, *read_model(services.journal, model).weights.attempts}
    files = {files_key(registered[one].source) for one in known if one in registered}
    found = [
        number
        for number, one in sorted(registered.items())
        if number not in known and not one.effect and files_key(one.source) not in files
    ]
    if found:
        numbers = f"version{'s' if len(found) > 1 else ''} {', '.join(map(str, found))}"
        yield (
            f"Nobody enrolled {numbers} of {model}: what it learned from people who are erased "
            "stays in it, and certificates will name it; delete what nobody needs."
        )


def looked_after(services: Services, model: str) -> list[Registered]:
    """Versions in MLflow that were enrolled or made by expunge, or hold such weights."""
    versions = read_version_history(services, model)
    unknown = {one.version for one in _unknown(versions)}
    return [one for number, one in sorted(versions.registered.items()) if number not in unknown]


def _under(one: VersionSeen) -> str:
    return f", under the alias {', '.join(one.aliases)}," if one.aliases else ""


def _listed(services: Services, versions: VersionHistory) -> list[Listed]:
    return all_versions.listed_versions(services.registry) if versions.remembered else []


def _copies(services: Services, versions: VersionHistory, listed: list[Listed]) -> list[CopySeen]:
    model, found = versions.enrollment.model, dict[tuple[str, int], CopySeen]()
    aliases: dict[str, dict[int, tuple[str, ...]]] = {}
    after = {model: set(versions.remembered)}
    for one, original, by in _held(services, versions, listed):
        if one.version in after.setdefault(one.model, _looked_after(services, one.model)):
            continue
        if one.model not in aliases:
            aliases[one.model] = all_versions.aliases_of(services.registry, one.model)
        seen = CopySeen(
            model=one.model,
            version=one.version,
            aliases=aliases[one.model].get(one.version, ()),
            original=original,
            is_by_source=by == "source",
            is_by_files=by == "files",
        )
        found.setdefault((one.model, one.version), seen)
    return [found[place] for place in sorted(found)]


def _held(
    services: Services, versions: VersionHistory, listed: list[Listed]
) -> Iterator[tuple[Listed, int, Literal["source", "tag", "files"]]]:
    """Versions that hold weights which remember: which, whose, and what tells so."""
    for number, remembered in versions.remembered.items():
        keys = _keys(versions, number)
        held = all_versions.alike(services.registry, listed, keys, remembered.digest)
        for one, is_by_source in held.items():
            yield one, number, "source" if is_by_source else "tag"
    for one, number in same_files(versions, listed).items():
        yield one, number, "files"


def _keys(versions: VersionHistory, number: int) -> set[str]:
    """What the version and its files are known by, also when MLflow has it no more."""
    keys = {version_key(versions.enrollment.model, number)}
    if number in versions.registered:
        keys.add(files_key(versions.registered[number].source))
    if retired := versions.model.retired.get(number):
        keys |= {files_key(retired.source), *retired.logged_models}
        keys |= {files_key(place.uri) for place in retired.places}
    return keys - {""}


def _looked_after(services: Services, model: str) -> set[int]:
    """Versions that are retired with another enrolled model, as they remember there."""
    if model not in {e.model for e in enrolled_models(services.journal)}:
        return set()
    return set(read_version_history(services, model).remembered)


def _unknown(versions: VersionHistory) -> Iterator[VersionSeen]:
    known = versions.known | versions.remembered.keys()
    sources = {
        key
        for number in known
        for key in (
            version_key(versions.enrollment.model, number),
            files_key(versions.registered[number].source) if number in versions.registered else "",
        )
    }
    for number, found in sorted(versions.registered.items()):
        if number not in known and not found.effect and files_key(found.source) not in sources:
            yield VersionSeen(
                model=versions.enrollment.model, version=number, aliases=found.aliases
            )
