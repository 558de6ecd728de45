"""From which version of its table a model can have learned, by what MLflow and the table's log say.

A version that was written after the model existed cannot be it. Models that expunge made or knows
already are not asked: their rows are on record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tasks.enrolling.source import ModelSource
from tasks.journal.reading import read_model
from tasks.registry.origins import Origin, origin_of
from tasks.registry.services import Services
from tasks.store.address import address_of, canonical
from tasks.subjects import suppression_list
from tasks.tables.commits import Commit, commits
from tasks.tables.delta import is_readable, open_table, used_files
from unlearning.errors import ConflictError, DataError

_SKEW = timedelta(seconds=60)
"""By so much the clocks of table and registry may differ without a word."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """The version of its table that a model is enrolled with."""

    version: int | None
    """None stands for the newest."""
    said: str = ""
    """Why it is another than the newest, or why nobody can be sure; one sentence."""


def lineage(services: Services, source: ModelSource, number: int) -> Lineage:
    """The table version that a registered version learned from: named, logged, or told by time.

    The newest one that was written before the model's run began. A table that is younger than the
    model, for it was adopted or copied later, counts as it was first. Cost: the table's log.

    Raises:
        DataError: the version that is named cannot be it, or several can and none is named.
        ConflictError: rows of the table were erased after the model was made.
    """
    given = Lineage(source.dataset_version)
    origin = origin_of(services.registry, source.model, number)
    if origin is None or origin.is_ours or _is_on_record(services, source.model, number):
        return given
    _refuse_erased_since(services, source, number, origin)
    known = commits(open_table(services.settings, source.dataset.uri))
    if not known:
        return given
    if source.dataset_version is not None:
        _refuse_impossible(services, source, number, origin, known)
        return given
    return _logged(source, origin) or _by_time(services, source, number, origin, known)


def _is_on_record(services: Services, model: str, number: int) -> bool:
    return number in read_model(services.journal, model).weights.attempts


def _refuse_erased_since(
    services: Services, source: ModelSource, number: int, origin: Origin
) -> None:
    erased = suppression_list.last_erasure(services, source.dataset.uri)
    if erased is not None and origin.made_at < datetime.fromisoformat(erased[0]):
        raise ConflictError(
            f"Version {number} of {source.model} was made on {_said(origin.made_at)}, and rows of "
            f"{source.dataset.uri} were erased on "
            f"{_said(datetime.fromisoformat(erased[0]))}, so that it remembers them; enrol a "
            "version that was trained without them."
        )


def _logged(source: ModelSource, origin: Origin) -> Lineage | None:
    """What the run logged as its input, if that was a version of this table."""
    versions = {
        one.version
        for one in origin.tables
        if one.version is not None and canonical(address_of(one.path)) == source.dataset.uri
    }
    if len(versions) != 1:
        return None
    version = versions.pop()
    return Lineage(version, f"{source.model} learned from version {version}, as its run logged.")


def _refuse_impossible(
    services: Services,
    source: ModelSource,
    number: int,
    origin: Origin,
    known: Sequence[Commit],
) -> None:
    """A version with rows that came after the model, where one from before can still be read."""
    base = _newest(known, origin.made_at + _SKEW) or known[0]
    changes = [c for c in _after(known, base) if c.version <= (source.dataset_version or 0)]
    if not changes or not is_readable(services.settings, source.dataset.uri, base.version):
        return
    raise DataError(
        f"Version {source.dataset_version} of {source.dataset.uri} holds rows of "
        f"{_said(changes[-1].at)}, but version {number} of {source.model} was made on "
        f"{_said(origin.made_at)} and cannot have learned from them; name the version that it "
        f"learned from, at most {base.version}, with --table-version.",
        line=f"--table-version {base.version}",
    )


def _by_time(
    services: Services, source: ModelSource, number: int, origin: Origin, known: Sequence[Commit]
) -> Lineage:
    uri, settings = source.dataset.uri, services.settings
    made, began = (_newest(known, moment) for moment in (origin.made_at, origin.began_at))
    if made is not None and began is not None:
        _refuse_unclear(source, number, made, began, known)
    base = made or known[0]
    later = _after(known, base)
    newest = open_table(settings, uri)
    if not later or used_files(newest) == used_files(open_table(settings, uri, base.version)):
        return Lineage(None, "" if made else _adopted(source, number, origin, base))
    when = f"{uri} changed on {_said(later[0].at)}"
    if made is None:
        when = f"{uri} begins on {_said(base.at)}, changed since"
    readable = next(
        one
        for one in (*(c for c in known if c.version >= base.version), known[-1])
        if one is known[-1] or is_readable(settings, uri, one.version)
    )
    gone = "" if readable is base else ", whose rows are gone: the next that is left is taken"
    return Lineage(
        readable.version,
        f"Version {number} of {source.model} was made on {_said(origin.made_at)}, and {when}: it "
        f"counts as trained on version {base.version}{gone}; if it was another, name it with "
        "--table-version.",
    )


def _adopted(source: ModelSource, number: int, origin: Origin, first: Commit) -> str:
    return (
        f"{source.dataset.uri} begins on {_said(first.at)}, after version {number} of "
        f"{source.model} was made on {_said(origin.made_at)}; it counts as trained on the table as "
        "it is now."
    )


def _refuse_unclear(
    source: ModelSource, number: int, made: Commit, began: Commit, known: Sequence[Commit]
) -> None:
    changes = [c for c in _after(known, began) if c.version <= made.version]
    if changes:
        raise DataError(
            f"{source.dataset.uri} changed on {_said(changes[-1].at)}, while the run of version "
            f"{number} of {source.model} was under way; name the version that it learned from, "
            f"{began.version} to {made.version}, with --table-version.",
            line=f"--table-version {made.version}",
        )


def _newest(known: Sequence[Commit], moment: datetime) -> Commit | None:
    """The newest commit that was there at a moment."""
    return max((c for c in known if c.at <= moment), key=lambda c: c.version, default=None)


def _after(known: Sequence[Commit], base: Commit) -> list[Commit]:
    """Commits after one that may have changed rows."""
    return [c for c in known if c.version > base.version and c.changes_rows]


def _said(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
