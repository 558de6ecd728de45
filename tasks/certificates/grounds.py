"""What the certificates of a batch rest on, as it was recorded."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.certificates.certified_models import CertifiedModel, certified_models
from tasks.certificates.certified_spellings import Spellings, spellings_of
from tasks.certificates.certified_tables import besides, erasure_of, gone
from tasks.certificates.outcomes import limits_of
from tasks.intake import batches
from tasks.journal.events.batches import ModelUntouched, NothingLeftToForget
from tasks.journal.events.models import TableClosed
from tasks.journal.histories.batch import BatchHistory
from tasks.journal.reading import (
    closed_tables,
    enrolled_models,
    ever_columns,
    ever_object_columns,
    read_batch,
)
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError
from tasks.subjects.matches import TableMatches, matches
from tasks.subjects.suppression_list import earlier_requests, load
from unlearning.errors import DataError


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier requests of a subject came to."""

    certificates: list[str] = field(default_factory=list)
    """Where their certificates lie, in the order of their batches."""
    erased_by: str = ""
    """The first of these by which rows were erased; empty if there is none."""
    left: dict[str, str] = field(default_factory=dict)
    """Tables where nothing was erased for the latest of them, each with its certificate."""

    def unsearched(self, found: Sequence[TableMatches]) -> dict[str, str]:
        """Those of the tables that the present search did not open either."""
        searched = {m.uri for m in found if m.is_searched}
        return {uri: key for uri, key in self.left.items() if uri not in searched}


@dataclass(frozen=True, slots=True)
class Grounds:
    """Tables and models of a batch, and what was recorded of each."""

    found: list[TableMatches]
    limits: dict[str, Any]
    """What was not searched, and why."""
    closed: dict[str, TableClosed]
    """Tables that somebody closed, and that are not searched."""
    kinds: dict[str, str]
    """Kind of the subjects in each table that was ever enrolled with."""
    tables: dict[str, dict[str, Any]]
    """What was done in each table, by its URI."""
    pointing: frozenset[str]
    """Tables of which a column was ever declared to hold addresses of objects."""
    models: list[CertifiedModel]
    trained_on: dict[str, str]
    """Table of each enrolled model, by its name."""
    untouched: frozenset[str]
    """Models that have none of the batch's rows in them."""
    nothing_left: frozenset[str]
    """Models that had forgotten all of the batch's rows before."""
    earlier: dict[str, Earlier]
    """What earlier requests of the same subjects came to, by pseudonym."""
    erased_meanwhile: frozenset[str]
    """Subjects whom another batch erased that was at work since this one was frozen."""
    spellings: Spellings
    approver: str
    decided_at: str
    code_version: str

    def closed_by(self, uri: str) -> str:
        """Who closed a table; empty if nobody did."""
        return self.closed[uri].name if uri in self.closed else ""

    def done_in(self, uri: str, rows: int) -> dict[str, Any]:
        """What was done in a table that had so many rows of a request, or that nothing was.

        Others may have deleted rows after the search: no request had more than were erased of all.
        """
        done: dict[str, Any] = self.tables.get(uri) or gone(uri, self.closed_by(uri))
        return {**done, "rows_of_this_request": min(rows, done.get("rows_matched", rows))}

    def left(self, subject: str) -> dict[str, str]:
        """Tables where nothing was erased for an earlier request, and nobody looked since."""
        return self.earlier.get(subject, Earlier()).unsearched(self.found)

    def closed_of(self, kind: str) -> dict[str, str]:
        """Who closed which tables of this kind of subjects."""
        return {uri: one.name for uri, one in self.closed.items() if self.kinds.get(uri) == kind}


def grounds_of(services: Services, batch: str) -> Grounds:
    """Tables and models of the batch as their outcomes were recorded.

    Raises:
        DataError: the batch was never validated.
    """
    history = read_batch(services.journal, batch)
    if history.validated is None:
        raise DataError(f"Batch {batch} was never validated, so it answers nobody; run again.")
    found = matches(services, batch)
    named = frozenset(d.subject for d in batches.accepted(services, batch))
    return Grounds(
        found=found,
        limits=limits_of(services, found),
        closed=closed_tables(services.journal),
        kinds={uri: column.kind for uri, column in ever_columns(services.journal).items()},
        tables={
            uri: erasure_of(uri, one) | besides(uri, history)
            for uri, one in history.tables.items()
            if one.purged
        },
        pointing=frozenset(ever_object_columns(services.journal)),
        models=certified_models(services, batch),
        trained_on={e.model: e.dataset.uri for e in enrolled_models(services.journal)},
        untouched=_noted(history, ModelUntouched),
        nothing_left=_noted(history, NothingLeftToForget),
        earlier=dict(_earlier(services, batch)),
        erased_meanwhile=_erased_since(services, history.began_at, named, but=batch),
        spellings=spellings_of(services, history),
        approver=history.approver,
        decided_at=history.decided_at,
        code_version=history.validated.code_version,
    )


def certificate_key(request_id: str) -> str:
    """Where the certificate of a request lies."""
    return f"certificates/{request_id}.json"


def _noted(
    history: BatchHistory, kind: type[ModelUntouched | NothingLeftToForget]
) -> frozenset[str]:
    return frozenset(e.facts.model for e in history.untouched if isinstance(e.facts, kind))


def _earlier(services: Services, batch: str) -> Iterator[tuple[str, Earlier]]:
    """Cost: a read for each earlier request of somebody who is named again."""
    for who, requests in earlier_requests(services, batch).items():
        erased_by, left = "", dict[str, str]()
        for request in requests:
            body, key = _told(services, request), certificate_key(request)
            if body.get("outcome") == "erased":
                erased_by = erased_by or key
            for table in body.get("tables", []):
                left.pop(table["table"], None)
                if table.get("outcome") == "gone":
                    left[table["table"]] = key
        yield who, Earlier([certificate_key(r) for r in requests], erased_by, left)


def _erased_since(
    services: Services, began: str, among: frozenset[str], *, but: str
) -> frozenset[str]:
    """Those of the pseudonyms whom other batches erased that began since then, or were at it.

    Not those of whom a batch found only rows that it could not reach. Cost: the suppression list,
    and a read of every batch that ever erased one of them, with their certificates.
    """
    found = frozenset[str]()
    for batch, who in load(services).by_batch.items():
        named = among & who.keys()
        if batch != but and named and read_batch(services.journal, batch).last_at > began:
            told = {one: _told(services, who[one]).get("outcome") for one in named}
            found |= {one for one in named if told[one] != "cannot_tell"}
    return found


def _told(services: Services, request: str) -> dict[str, Any]:
    """The certificate of a request; nothing if it has none yet."""
    try:
        return json.loads(services.store.get(certificate_key(request)))
    except MissingObjectError:
        return {}
