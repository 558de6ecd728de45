"""Models and batches as their histories say they stand, read from the journal."""

from collections.abc import Iterator
from dataclasses import asdict
from urllib.parse import unquote

from tasks.journal.events import ids
from tasks.journal.events.catalog import batch_stream, model_stream
from tasks.journal.events.enrollment import Enrollment, ObjectColumn
from tasks.journal.events.models import ModelEnrolled, TableClosed
from tasks.journal.histories.batch import BatchHistory, batch_history
from tasks.journal.histories.model import ModelHistory, model_history
from tasks.journal.journal import Journal
from unlearning.errors import DataError
from unlearning.policy.digests import facts_digest
from unlearning.policy.subject_kinds import SubjectColumn


def read_batch(journal: Journal, batch: str) -> BatchHistory:
    """The batch's history; that of an unknown one is empty."""
    return batch_history(journal.read(batch_stream(batch)))


def read_model(journal: Journal, model: str) -> ModelHistory:
    """The model's history; that of an unknown one is empty."""
    return model_history(journal.read(model_stream(model)))


def read_enrollment(journal: Journal, model: str) -> Enrollment:
    """The model as it stands after everything that happened to it.

    Raises:
        DataError: it was never enrolled.
    """
    found = read_model(journal, model).enrollment
    if found is None:
        raise DataError(f"Model {model!r} is not enrolled; run `expunge enroll {model} …` first.")
    return found


def record_enrollment(journal: Journal, enrollment: Enrollment) -> None:
    """Record a model, or record it anew."""
    stream = model_stream(enrollment.model)
    number = len(journal.read(stream)) + 1
    facts = ModelEnrolled(enrollment=enrollment, config_digest=config_digest(enrollment))
    journal.append(stream, ids.enrolled(number), facts)


def config_digest(enrollment: Enrollment) -> str:
    """Digest of everything that decides how a model is unlearned and judged."""
    parts = (enrollment.unlearning, enrollment.policy, enrollment.budget)
    names = ("unlearning", "policy", "budget")
    rules: dict[str, object] = {n: asdict(one) for n, one in zip(names, parts, strict=True)}
    if enrollment.recipe:
        rules["recipe"] = [enrollment.recipe, enrollment.recipe_python]
    return facts_digest(rules)


def enrolled_models(journal: Journal) -> Iterator[Enrollment]:
    """Every enrolled model, in name order."""
    for name in journal.models():
        found = read_model(journal, unquote(name)).enrollment
        if found is not None:
            yield found


def tolerated_folders(journal: Journal, uri: str) -> tuple[str, ...]:
    """Folders below a table that its models leave alone, each as it was last enrolled on it."""
    last = {e.model: e.tolerated for e in ever_enrolled(journal) if uri in e.tables}
    return tuple(sorted({folder for folders in last.values() for folder in folders}))


def object_columns(journal: Journal, uri: str) -> tuple[ObjectColumn, ...]:
    """Columns of a table with addresses of objects, as each of its models was last enrolled."""
    last = {e.model: e.dataset.objects for e in ever_enrolled(journal) if uri in e.tables}
    return tuple(sorted({one for columns in last.values() for one in columns}))


def ever_object_columns(journal: Journal) -> dict[str, tuple[ObjectColumn, ...]]:
    """Columns with addresses of objects that any enrolment ever declared, by the table's URI."""
    found: dict[str, set[ObjectColumn]] = {}
    for one in ever_enrolled(journal):
        for uri in one.tables if one.dataset.objects else ():
            found.setdefault(uri, set()).update(one.dataset.objects)
    return {uri: tuple(sorted(columns)) for uri, columns in found.items()}


def subject_columns(journal: Journal) -> dict[str, SubjectColumn]:
    """The subject column of every table of every enrolled model, by the table's URI.

    Tables of models that were taken out alone are like those of former enrolments.
    """
    return {
        uri: e.dataset.who
        for e in enrolled_models(journal)
        if read_model(journal, e.model).taken_out is None
        for uri in e.tables
    }


def searched_columns(journal: Journal) -> dict[str, SubjectColumn]:
    """The subject column of every table to search: of every enrolment there ever was.

    Only somebody who closes a table by name takes it out.
    """
    return former_columns(journal) | subject_columns(journal)


def ever_kinds(journal: Journal) -> set[str]:
    """Kinds of subjects in all tables that models were ever enrolled with, also in closed ones."""
    histories = [read_model(journal, unquote(name)) for name in journal.models()]
    return {kind for history in histories for kind in history.ties.kinds}


def ever_columns(journal: Journal) -> dict[str, SubjectColumn]:
    """The subject column of every table that a model was ever enrolled with, also if closed."""
    histories = [read_model(journal, unquote(name)) for name in journal.models()]
    return {uri: one for history in histories for uri, one in history.ties.columns.items()}


def columns_on_record(journal: Journal) -> dict[str, set[SubjectColumn]]:
    """Every subject column that each table was ever enrolled by, until somebody closes it."""
    found: dict[str, set[SubjectColumn]] = {}
    for name in journal.models():
        for uri, columns in read_model(journal, unquote(name)).ties.on_record.items():
            found.setdefault(uri, set()).update(columns)
    return found


def ever_enrolled(journal: Journal) -> Iterator[Enrollment]:
    """Every enrolment that was ever recorded, as it was then, in name order of the models."""
    for name in journal.models():
        for event in journal.read(model_stream(unquote(name))):
            if isinstance(event.facts, ModelEnrolled):
                yield event.facts.enrollment.canonical()


def former_columns(journal: Journal) -> dict[str, SubjectColumn]:
    """The same of tables that models were enrolled with before, until somebody closes them."""
    histories = [read_model(journal, unquote(name)) for name in journal.models()]
    ever = {uri: c for history in histories for uri, c in history.ties.open_columns.items()}
    now = subject_columns(journal)
    return {uri: column for uri, column in ever.items() if uri not in now}


def closed_tables(journal: Journal) -> dict[str, TableClosed]:
    """Tables that somebody closed and that no model is tied to any more, with the last word."""
    histories = [read_model(journal, unquote(name)) for name in journal.models()]
    still = {uri for history in histories for uri in history.ties.open_columns}
    closed = {uri: one for history in histories for uri, one in history.ties.closed.items()}
    return {uri: one for uri, one in sorted(closed.items()) if uri not in still}
