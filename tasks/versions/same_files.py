"""Files of versions that nobody knows, compared with the weights of versions that remember.

Whoever downloads a version and logs it anew, in another run and without its tags, makes a copy that
no source and no tag tells of. Its bytes do.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tasks.journal.events import ids
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.versions import VersionExamined
from tasks.journal.reading import enrolled_models, read_model
from tasks.registry import all_versions, artifacts, recorded_files
from tasks.registry.all_versions import Listed
from tasks.registry.services import Services
from tasks.versions.old_versions import VersionHistory, read_version_history
from unlearning.errors import ExpungeError

log = logging.getLogger("expunge.versions")

_WEIGHTS = (
    *(".bin", ".ckpt", ".joblib", ".lgb", ".onnx", ".pkl", ".pt", ".pt2", ".pth"),
    *(".safetensors", ".skops", ".ubj", ".xgb"),
)
"""How files end that hold weights of torch; others may be alike in many models."""
_DESCRIBES = ("MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt")
"""What MLflow itself writes about a model."""
_BESIDE = ("code/", "extra_files/")
"""Where MLflow puts what comes with a model, such as a scaler that several models share."""

Place = tuple[str, int, str]


def examine(services: Services, model: str) -> None:
    """Look into the files of every version, of any name, that is not known here; each once.

    Those of a version under an alias are listed in every call, for others may add to them, and what
    is served matters most. Of a file that keeps its size, new bytes are not seen.

    Cost: once for each version a listing of its files, and a download of each that is as large as
    weights that remember erased people; a request for each model's aliases, and a listing for each
    version that has one. It is written down, so that a later call looks only at what is new.
    """
    versions = read_version_history(services, model)
    remembered = _remembered_files(versions)
    if not remembered:
        return
    listed = all_versions.listed_versions(services.registry)
    for one in listed:  # their sizes, as long as they can be listed
        if one.model == model and one.version in versions.remembered:
            _look(services, model, one, set())
    sizes = _sizes_of(services, versions, remembered)
    strangers = list(_strangers(services, listed, model, versions))
    served = {one: _served(services, one) for one in {o.model: o for o in strangers}.values()}
    with_alias = {(one.model, number) for one, numbers in served.items() for number in numbers}
    for one in strangers:
        _look(services, model, one, sizes, anew=(one.model, one.version) in with_alias)


def _served(services: Services, one: Listed) -> Iterable[int]:
    """Versions of its model that have an alias; none if the model was deleted meanwhile."""
    return _read(one, lambda: all_versions.aliases_of(services.registry, one.model)) or ()


def same_files(versions: VersionHistory, listed: list[Listed]) -> dict[Listed, int]:
    """Versions found to hold a file of weights that remember, each with whose weights it holds."""
    remembered, examined = _remembered_files(versions), versions.model.examined
    return {
        one: remembered[digest]
        for one in listed
        if _place(one) in examined
        for digest in examined[_place(one)].digests.values()
        if digest in remembered
    }


def _remembered_files(versions: VersionHistory) -> dict[str, int]:
    """Digests of files of weights that remember, each with its version.

    Not those that a version has, too, which remembers nobody. Other libraries than torch give their
    weights any name.
    """
    is_ours = _may_hold_weights if versions.enrollment.dataset.types else _is_weights
    files = versions.model.weights.files
    clean = {
        digest
        for number, of in files.items()
        if number not in versions.remembered
        for digest in of.values()
    }
    return {
        digest: number
        for number in sorted(versions.remembered)
        for path, digest in files.get(number, {}).items()
        if is_ours(path) and not path.startswith(_BESIDE) and digest not in clean
    }


def _is_weights(path: str) -> bool:
    return path.endswith(_WEIGHTS)


def _may_hold_weights(path: str) -> bool:
    """Whoever copies a file may give it any name, and put it anywhere."""
    name = path.rpartition("/")[2]
    return name not in _DESCRIBES and not recorded_files.is_left_out(name)


def _sizes_of(
    services: Services, versions: VersionHistory, remembered: Mapping[str, int]
) -> set[int]:
    """Sizes of the files of weights that remember, as they were listed once."""
    name, files = versions.enrollment.model, versions.model.weights.files
    return {
        size
        for (of, number, _), one in read_model(services.journal, name).examined.items()
        if of == name and number in versions.remembered
        for path, size in one.sizes.items()
        if files.get(number, {}).get(path) in remembered
    }


def _strangers(
    services: Services, listed: list[Listed], model: str, versions: VersionHistory
) -> Iterator[Listed]:
    """Versions that are no enrolled model's own: what becomes of those is known."""
    known = {model: versions.known | versions.remembered.keys()}
    enrolled = {one.model for one in enrolled_models(services.journal)}
    for one in listed:
        if one.model in enrolled and one.model not in known:
            others = read_version_history(services, one.model)
            known[one.model] = others.known | others.remembered.keys()
        if one.version not in known.get(one.model, ()):
            yield one


def _look(
    services: Services, model: str, one: Listed, sizes: set[int], *, anew: bool = False
) -> None:
    """List its files, and read those of these sizes; what cannot be read is tried again later."""
    registry, found = services.registry, _listed(services, model, one, anew=anew)
    if found is None:
        return
    asked = [p for p, size in found.sizes.items() if size in sizes and p not in found.digests]
    new = _read(
        one, lambda: {p: artifacts.digest(registry, one.model, one.version, p) for p in asked}
    )
    if new:
        _note(services, model, one, found.sizes, found.digests | new)


def _listed(services: Services, model: str, one: Listed, *, anew: bool) -> VersionExamined | None:
    """Its files that may be weights with their sizes, listed once or anew; None if they cannot be.

    A file that is gone, or has another size, is known no more.
    """
    known = read_model(services.journal, model).examined.get(_place(one))
    is_listed = known is not None and known.has_every_name
    if is_listed and not anew:
        return known
    sizes = _read(one, lambda: artifacts.sizes(services.registry, one.model, one.version))
    if sizes is None:
        return known if is_listed else None
    found = {path: size for path, size in sizes.items() if _may_hold_weights(path)}
    if is_listed and known is not None and known.sizes == found:
        return known
    read = known.digests.items() if known else ()
    kept = {path: digest for path, digest in read if known and _is_same(path, known.sizes, found)}
    return _note(services, model, one, found, kept)


def _is_same(path: str, before: Mapping[str, int], now: Mapping[str, int]) -> bool:
    return path in now and before.get(path) == now[path]


def _read(one: Listed, reading: Callable[[], dict[Any, Any]]) -> dict[Any, Any] | None:
    """What is read of a version; None if it was deleted, or lies where nobody here can look."""
    try:
        return reading()
    except Exception as error:  # noqa: BLE001 - by a library of its place, which may not be here
        why = error if isinstance(error, ExpungeError) else f"({type(error).__name__})"
        log.warning("%s version %d could not be looked into. %s", one.model, one.version, why)
        return None


def _note(
    services: Services, model: str, one: Listed, sizes: dict[str, int], digests: dict[str, str]
) -> VersionExamined:
    name, number, source = _place(one)
    facts = VersionExamined(
        model=name,
        version=number,
        source=source,
        sizes=sizes,
        digests=digests,
        has_every_name=True,
    )
    count = read_model(services.journal, model).event_count
    services.journal.append(
        model_stream(model), ids.examined(name, number, source, count + 1), facts
    )
    return facts


def _place(one: Listed) -> Place:
    """A version deleted and made anew by hand may have the number of another one."""
    return one.model, one.version, one.source
