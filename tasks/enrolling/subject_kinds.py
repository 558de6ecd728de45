"""Whose ids stand in the tables of a model: said once, since an id alone does not say."""

from collections.abc import Iterator

from tasks.journal.events.enrollment import DatasetSpec, Enrollment
from tasks.journal.journal import Journal
from tasks.journal.reading import ever_enrolled
from unlearning.errors import DataError, SettingsError
from unlearning.policy.subject_kinds import PERSON, is_kind


def settled_kind(journal: Journal, spec: DatasetSpec, holdout: str) -> str:
    """The kind of the subjects in a model's tables: what was said, or the one that is possible.

    Tables that were enrolled before keep their kind: erasures and the suppression list rest on it.
    The first model of all may leave it out. Otherwise somebody must say whether the ids of a new
    table are those of one that is known: a request would erase whoever has the same one.

    Raises:
        SettingsError: nobody said, or what was said is no name of a kind.
        DataError: the table's kind is another one.
    """
    known = list(ever_enrolled(journal))
    mine = {uri.rstrip("/"): uri for uri in (spec.uri, holdout)}
    said, tied = spec.subject_kind, dict(_kinds(known, spec.subject, mine))
    if said and not is_kind(said):
        raise SettingsError(
            "A --subject-kind is 1 to 32 small letters, digits, dashes or underscores and begins "
            "with a letter, such as employee."
        )
    for uri, kind in tied.items():
        if said and said != kind:
            raise DataError(
                f"{uri} was enrolled with subjects of the kind {kind}, on which erasures rest; "
                f"give --subject-kind {kind}.",
                line=f"--subject-kind {kind}",
            )
    if said or not known:
        return said or PERSON
    new = [uri for uri in mine.values() if uri not in tied]
    if new or len(set(tied.values())) > 1:
        said = _unsaid(known, spec.subject, (new or list(tied))[0])
        raise SettingsError(said, line="--subject-kind KIND")
    return next(iter(tied.values()))


def _kinds(known: list[Enrollment], column: str, mine: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Which of these tables were enrolled before with this subject column, and with which kind."""
    for enrollment in known:
        if enrollment.dataset.subject == column:
            for uri in enrollment.tables:
                if uri.rstrip("/") in mine:
                    yield mine[uri.rstrip("/")], enrollment.dataset.subject_kind


def _unsaid(known: list[Enrollment], column: str, new: str) -> str:
    kinds = sorted({enrollment.dataset.subject_kind for enrollment in known})
    return (
        f"Nobody said whose ids stand in column {column!r} of {new}; add --subject-kind "
        f"{' or '.join(kinds)} if the same id there names the same one as in the tables of that "
        "kind, or --subject-kind with a name of its own, such as employee, if it does not."
    )
