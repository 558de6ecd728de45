"""The suppression list: who was erased, by keyed hash, so that nobody learns from them again.

One create-only object per batch, suppression/<batch>.json, written before its rows are erased. A
restored backup, a row that is delivered again, or one that was out of reach, is recognised by it.

What changes between that moment and the deletion is in create-only objects of its own: whom a hold
took out of the batch, or another batch took over from it, in suppression/without/<batch>/; which
table was new by then, and whose rows were in it, in suppression/also/<batch>/.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tasks.intake import batches
from tasks.journal import journal
from tasks.journal.effects import once
from tasks.journal.events import ids
from tasks.journal.events.batches import SubjectsSuppressed, SuppressionIntended
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.packs import read_packed
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError
from tasks.store.pseudonym_keys import check_of, refuse_other_key
from tasks.subjects.matches import located_records, matches
from tasks.tables.delta import is_table, open_table
from unlearning.errors import SettingsError
from unlearning.policy.deletion import Disposition
from unlearning.policy.digests import SHORT, facts_digest

log = logging.getLogger("expunge.suppression")

_PREFIX = "suppression/"
WITHOUT = f"{_PREFIX}without/"
REINSTATED = "reinstated-"
_ALSO = f"{_PREFIX}also/"


@dataclass(frozen=True)
class SuppressionList:
    """Pseudonyms of everybody erased, by batch, each with the request that asked for it first."""

    by_batch: dict[str, dict[str, str]]
    """Oldest batch first."""
    changes: tuple[str, ...] = ()
    """Names of the objects by which people were taken off it again, or put on it later."""
    times: dict[str, str] = field(default_factory=dict)
    """When each batch put its subjects there, ISO 8601 in UTC."""

    @cached_property
    def subjects(self) -> frozenset[str]:
        """Every pseudonym once."""
        return frozenset().union(*self.by_batch.values())

    @property
    def digest(self) -> str:
        """Changes when somebody is added or taken off."""
        names = (name for name, who in self.by_batch.items() if who)
        return facts_digest({"batches": sorted([*names, *self.changes])})

    def requests_of(self, subject: str) -> list[str]:
        """The ids of the requests by which a subject was erased, in the order of their batches."""
        return [who[subject] for who in self.by_batch.values() if subject in who]


def suppress(services: Services, batch: str) -> int:
    """Put the subjects that the batch erases on the list, once; returns how many.

    Whoever is on it already and is named again stays on it under this batch too.
    """
    key = _key(batch)

    def find(_: SuppressionIntended) -> SubjectsSuppressed | None:
        try:
            return SubjectsSuppressed(list=key, count=len(_read(services, key)["subjects"]))
        except MissingObjectError:
            return None

    def make(_: SuppressionIntended) -> None:
        services.store.put_if_absent(key, json.dumps(_record(services, batch), indent=1).encode())

    facts = once(
        services.journal,
        batch_stream(batch),
        key=ids.SUPPRESSED,
        plan=SuppressionIntended(list=key),
        find=find,
        make=make,
    )
    return facts.count


def suppress_found_later(services: Services, batch: str) -> int:
    """Put on the list those whose rows were found after the batch wrote it; returns how many.

    Tables are stated once: by now the batch may have erased its rows in those of before.
    """
    listed, record = load(services).by_batch.get(batch, {}), _record(services, batch)
    stated = {uri for one in _records(services) if one["batch"] == batch for uri in one["tables"]}
    late = {
        "subjects": {who: name for who, name in record["subjects"].items() if who not in listed},
        "tables": {uri: now for uri, now in record["tables"].items() if uri not in stated},
    }
    if any(late.values()):
        name = facts_digest({kind: sorted(found) for kind, found in late.items()})[:SHORT]
        data = json.dumps({**record, **late}, indent=1).encode()
        services.store.put_if_absent(f"{_ALSO}{batch}/{name}.json", data)
    return len(late["subjects"])


def lift_withheld(services: Services, batch: str) -> int:
    """Take off the list whom the batch put there and was then told to keep; returns how many."""
    listed = load(services).by_batch.get(batch, {})
    kept = {d.subject for d in batches.accepted(services, batch)} if listed else set()
    out = {"batch": batch, "subjects": sorted(set(listed) - kept)}
    if out["subjects"]:
        key = f"{WITHOUT}{batch}/{facts_digest(out)[:SHORT]}.json"
        services.store.put_if_absent(key, json.dumps(out).encode())
    return len(out["subjects"])


def lift_superseded(services: Services, batch: str) -> None:
    """Take off the list whomever the batch put there: it erased nobody, and another one will."""
    subjects = sorted(load(services).by_batch.get(batch, {}))
    if subjects:
        key = f"{WITHOUT}{batch}/{facts_digest({'superseded': subjects})[:SHORT]}.json"
        body = json.dumps({"batch": batch, "subjects": subjects})
        services.store.put_if_absent(key, body.encode())


def load(services: Services, *, ever: bool = False) -> SuppressionList:
    """The list as it stands; or `ever`, with those whom somebody reinstated since.

    Raises:
        SettingsError: it was written under another pseudonym key, so that it recognises nobody.
    """
    found = _objects(services)
    records = [record for key, record in found.items() if not key.startswith(WITHOUT)]
    records.sort(key=lambda record: (record["at"], record["batch"]))
    if any(record["key"] != _key_check(services) for record in records):
        raise SettingsError(
            "The suppression list was made under another EXPUNGE_PSEUDONYM_KEY and recognises "
            "nobody under this one; set the key it was made with."
        )
    by_batch: dict[str, dict[str, str]] = {}
    for record in records:
        by_batch.setdefault(record["batch"], {}).update(record["subjects"])
    kept = f"/{REINSTATED}" if ever else "\0"
    for lifted in (o for k, o in found.items() if k.startswith(WITHOUT) and kept not in k):
        for subject in lifted["subjects"]:
            by_batch[lifted["batch"]].pop(subject, None)
    changes = tuple(k for k in found if k.startswith((WITHOUT, _ALSO)))
    return SuppressionList(by_batch, changes, {r["batch"]: r["at"] for r in reversed(records)})


def earlier_requests(services: Services, batch: str) -> dict[str, list[str]]:
    """By pseudonym, the requests that put subjects of the batch on the list before it did."""
    mine = [record["earlier"] for record in _records(services) if record["batch"] == batch]
    return {who: names for earlier in mine for who, names in earlier.items()}


def last_erasure(services: Services, uri: str) -> tuple[str, int] | None:
    """When a batch last erased rows of a table, and its newest version that still had them.

    A batch that runs after a restore counts for more than one before it: it is the table's present.
    """
    found = [record for record in _records(services) if uri in record["tables"]]
    return max(((one["at"], one["tables"][uri]) for one in found), default=None)


def never_learned_by(
    services: Services, enrollment: Enrollment, *, before: str = ""
) -> frozenset[str]:
    """Pseudonyms of erased subjects whose rows, wherever they turn up, the model never learned.

    That is everybody on the list but those in the rows that it was trained on all the same before
    it was enrolled; a later batch makes it forget them. What the batch `before` says is left out:
    to itself, its rows are still to be forgotten.
    """
    listed = SuppressionList({b: who for b, who in load(services).by_batch.items() if b != before})
    if not enrollment.relearned:
        return listed.subjects
    body = _read(services, enrollment.relearned)
    since = (who for batch, who in listed.by_batch.items() if batch not in body["batches"])
    return listed.subjects - frozenset(body["subjects"]).difference(*since)


def record_relearned(services: Services, digest: str, subjects: list[str]) -> str:
    """Note who was on the list and yet in the rows that these weights learned; returns its key."""
    refuse_other_key(services.store, services.settings.pseudonym_secret)
    body = {"subjects": sorted(subjects), "batches": sorted(load(services).by_batch)}
    key = f"relearned/{digest}/{facts_digest(body)[:SHORT]}.json"
    services.store.put_if_absent(key, json.dumps(body, indent=1).encode())
    return key


def _records(services: Services) -> list[dict[str, Any]]:
    """What batches put on the list, first or later."""
    found = _objects(services)
    return [record for key, record in found.items() if not key.startswith(WITHOUT)]


def _objects(services: Services) -> dict[str, dict[str, Any]]:
    """Every object of the list by its key; read in packs, for it grows with every batch."""
    keys = [info.key for info in services.store.list_objects(_PREFIX)]
    read = read_packed(services.store, services.frozen, _PREFIX, keys, json.loads)
    return dict(zip(keys, read, strict=True))


def _record(services: Services, batch: str) -> dict[str, Any]:
    listed, found = load(services), matches(services, batch)
    accepted, located = batches.accepted(services, batch), located_records(services, batch)
    subjects: dict[str, str] = {}
    for request in accepted:
        if request.record_id in located or request.subject in listed.subjects:
            subjects.setdefault(request.subject, request.request_id)
    wanted = {m.uri for m in found if located & set(m.rows) and is_table(services.settings, m.uri)}
    return {
        "batch": batch,
        "at": journal.now().isoformat(timespec="milliseconds"),
        "key": _key_check(services),
        "subjects": subjects,
        "earlier": dict(_earlier(listed, accepted)),
        "tables": {uri: open_table(services.settings, uri).version() for uri in sorted(wanted)},
    }


def _earlier(
    listed: SuppressionList, requests: list[Disposition]
) -> Iterator[tuple[str, list[str]]]:
    mine = {d.request_id for d in requests}  # on the list if an earlier batch stopped there
    for subject in sorted({d.subject for d in requests} & listed.subjects):
        if before := [name for name in listed.requests_of(subject) if name not in mine]:
            yield subject, before


def _key_check(services: Services) -> str:
    return check_of(services.settings.pseudonym_secret())


def _read(services: Services, key: str) -> dict[str, Any]:
    return services.frozen.parsed(key, json.loads)


def _key(batch: str) -> str:
    return f"{_PREFIX}{batch}.json"
