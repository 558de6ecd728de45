"""Tables and versions of them that models are tied to, by any enrolment, and may hold subjects."""

from dataclasses import dataclass
from urllib.parse import unquote

from deltalake import DeltaTable

from tasks.journal import reading
from tasks.journal.events import ids
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.models import TableClosed
from tasks.journal.histories.ties import Tie, tie_of
from tasks.journal.reading import enrolled_models, former_columns, read_model, subject_columns
from tasks.registry.services import Services
from tasks.tables.delta import is_readable, open_table
from unlearning.errors import ConflictError, DataError, SettingsError
from unlearning.policy.subject_kinds import SubjectColumn


@dataclass(frozen=True, slots=True)
class Learned:
    """Weights of a model that somebody could still serve, and one snapshot that they learned."""

    model: str
    digest: str
    tie: Tie


def searched_columns(services: Services) -> dict[str, SubjectColumn]:
    """The subject column of every table to search: see `tasks.journal.reading`."""
    return reading.searched_columns(services.journal)


def open_searched(services: Services, uri: str) -> DeltaTable | None:
    """The table at its newest; None if only former enrolments name it and it cannot be opened.

    Raises:
        DataError: a model is enrolled on it, and it cannot be opened.
    """
    if uri in subject_columns(services.journal):
        return open_table(services.settings, uri)
    try:
        return open_table(services.settings, uri)
    except DataError:
        return None


def why_unsearched(services: Services) -> list[str]:
    """A sentence for each table of a former enrolment that cannot be searched."""
    return [
        f"{uri}, which a model was enrolled with before, cannot be opened, so that nobody knows "
        "whose rows it holds; bring it back, or say that it is no more with `expunge close-table "
        f"{uri} --by NAME --reason TEXT`."
        for uri in sorted(former_columns(services.journal))
        if open_searched(services, uri) is None
    ]


def close_table(services: Services, uri: str, *, name: str, reason: str) -> None:
    """Record, for every model that was ever enrolled with the table, that it is not searched.

    Raises:
        SettingsError: there is no name, or no reason.
        ConflictError: a model is enrolled with it.
        DataError: no model ever was.
    """
    name, reason = name.strip(), reason.strip()
    if not (name and reason):
        raise SettingsError(
            "A table is closed by somebody for a reason; give --by NAME and --reason TEXT."
        )
    if uri in subject_columns(services.journal):
        raise ConflictError(
            f"A model is enrolled with {uri}; enrol it on another table first, then close this one."
        )
    names = [unquote(one) for one in services.journal.models()]
    histories = {one: read_model(services.journal, one) for one in names}
    tied = {m: history for m, history in histories.items() if uri in history.ties.columns}
    if not tied:
        raise DataError(
            f"No model was ever enrolled with {uri}; give its address as `expunge status --json` "
            "writes it."
        )
    for model, history in tied.items():
        event_id = ids.table_closed(history.event_count + 1)
        if uri not in history.ties.closed:
            facts = TableClosed(table=uri, name=name, reason=reason)
            services.journal.append(model_stream(model), event_id, facts)


def learned(services: Services) -> list[Learned]:
    """Every snapshot that weights learned from which are not retired."""
    retired = {
        model: {one.digest for one in read_model(services.journal, model).retired.values()}
        for model in map(unquote, services.journal.models())
    }
    return [one for one in ever_learned(services) if one.digest not in retired[one.model]]


def ever_learned(services: Services) -> list[Learned]:
    """Every snapshot that any weights learned from, in tables that were closed too."""
    return [
        Learned(model, digest, tie)
        for model in map(unquote, services.journal.models())
        for digest, ties in sorted(read_model(services.journal, model).ties.by_digest.items())
        for tie in ties
    ]


def learned_by(services: Services, model: str) -> list[Tie]:
    """Every snapshot that the model's present weights learned from."""
    history = read_model(services.journal, model)
    return history.ties.of(history.weights.digest)


def readable_versions(
    services: Services, known: list[Learned], uri: str, version: int, kind: str
) -> dict[int, str]:
    """Readable versions of the table, other than this one, that models are tied to.

    Each with its subject column, if that names subjects of the kind.
    """
    ties = [one.tie for one in known] + [tie_of(e) for e in enrolled_models(services.journal)]
    others = {
        tie.version: tie.dataset.subject
        for tie in ties
        if tie.dataset.uri == uri and tie.version != version and tie.dataset.subject_kind == kind
    }
    return {
        older: column
        for older, column in others.items()
        if is_readable(services.settings, uri, older)
    }
