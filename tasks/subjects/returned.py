"""Erased people who are back with new rows: nothing learns from those until somebody decides.

A row that was erased and is back, from a backup or another delivery, is erased again
(`tasks.subjects.replay`). A new one may be a new contract: there is no request to erase it, and
none is made up.
"""

import json
from collections.abc import Collection

from tasks.journal.events import ids
from tasks.journal.events.catalog import request_stream
from tasks.journal.events.event import Event
from tasks.journal.events.requests import (
    Answered,
    RequestFact,
    RequestWithdrawn,
    ReturnDecided,
    told_because,
)
from tasks.journal.journal import Told
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError
from tasks.store.pseudonym_keys import refuse_other_key
from tasks.subjects import suppression_list
from tasks.subjects.erased_rows import with_new_rows
from tasks.subjects.reappearance import TableScan, raw_ids
from tasks.tables.delta import open_table
from unlearning.errors import DataError, SettingsError
from unlearning.policy.counted import counted
from unlearning.policy.deletion import is_replay
from unlearning.policy.digests import SHORT, facts_digest
from unlearning.policy.subject_kinds import SubjectColumn, kind_pseudonym

_PREFIX = "returned/"


def waiting_in(services: Services, uri: str, column: SubjectColumn, found: TableScan) -> set[str]:
    """Who has new rows in the version of the table that was scanned, by pseudonym.

    Cost: if anybody is back, a pass over the subject column and over their rows.
    """
    secret = services.settings.pseudonym_secret()
    raw = raw_ids(services, uri, column, found.version) if found.rows else []
    named = {one: kind_pseudonym(secret, column.kind, one) for one in raw}
    listed = suppression_list.load(services).by_batch
    erased_in = {batch for batch, who in listed.items() if who.keys() & set(named.values())}
    table = open_table(services.settings, uri, found.version)
    return with_new_rows(services, table, column, named, erased_in) if named else set()


def note_waiting(services: Services, uri: str, rows: dict[str, int]) -> None:
    """Keep who waits with how many rows in this table, as the latest replay found it."""
    key = f"{_PREFIX}{facts_digest({'table': uri})[:SHORT]}.json"
    data = json.dumps({"table": uri, "rows": rows}).encode()
    try:
        before = services.store.get(key)
    except MissingObjectError:
        before = b"" if rows else data
    if before != data:
        refuse_other_key(services.store, services.settings.pseudonym_secret)
        services.store.put(key, data)


def why_waiting(services: Services) -> list[str]:
    """A sentence for each erased subject who is back with new rows, with what can be done."""
    said: list[str] = []
    for info in services.store.list_objects(_PREFIX):
        found = json.loads(services.store.get(info.key))
        still = undecided(services, found["rows"]) - _being_erased(services)
        for who, count in found["rows"].items():
            if who in still:
                said.append(
                    f"{counted(count, 'row')} of subject {who}, who was to be erased before, in "
                    f"{found['table']} and not all as they were: nothing learns from them until "
                    f"somebody decides with `expunge erase-again {who} --by NAME --reason TEXT` or "
                    f"`expunge reinstate {who} --by NAME --reason TEXT`."
                )
    return said


def _being_erased(services: Services) -> set[str]:
    """Who is on the list of a batch that is not done: their rows are not back, but still there."""
    listed = suppression_list.load(services).by_batch
    names = (name for name, _ in services.journal.open_batches())
    return {who for name in names for who in listed.get(name, {})}


def undecided(services: Services, among: Collection[str]) -> set[str]:
    """Those of the subjects, by pseudonym, of whom nobody has decided what becomes of new rows.

    Cost: nothing for nobody, else the latest event of every request.
    """
    still = suppression_list.load(services).subjects.intersection(among) if among else frozenset()
    latest: dict[str, Event[RequestFact]] = {}
    for _, event in services.journal.requests() if still else ():
        who = event.facts.subject
        is_later = who not in latest or event.at >= latest[who].at
        if who in still and isinstance(event.facts, Answered) and is_later:
            latest[who] = event
    return {who for who in still if who not in latest or not _is_to_erase(latest[who].facts)}


def _is_to_erase(facts: RequestFact) -> bool:
    return isinstance(facts, ReturnDecided) and facts.decision == "erase"


def noted_waiting(services: Services) -> set[str]:
    """Who waits for somebody to decide, by pseudonym, as the latest look at the tables found it."""
    keys = [info.key for info in services.store.list_objects(_PREFIX)]
    return undecided(services, {w for k in keys for w in json.loads(services.store.get(k))["rows"]})


def noted_tables(services: Services) -> set[str]:
    """Tables in which a replay ever found somebody who waits."""
    found = services.store.list_objects(_PREFIX)
    return {json.loads(services.store.get(info.key))["table"] for info in found}


def open_replays(services: Services, who: str) -> list[Told]:
    """Open requests of our own for this subject that wait for somebody, or for a hold to end."""
    return [
        (record, event)
        for record, event in services.journal.open_requests()
        if event.facts.subject == who
        and event.status == "on_hold"
        and is_replay(event.facts.request_id, who)
    ]


def reinstate(services: Services, who: str, *, name: str, reason: str) -> None:
    """End the suppression of a subject, given by pseudonym: their rows may be learned again.

    Requests of our own for them that wait are withdrawn; the next run withdraws those that no run
    has taken yet, or that one works on.

    Raises:
        SettingsError: there is no name, or no reason.
        DataError: the subject is not on the suppression list.
    """
    head = refuse_undecidable(services, who, name=name, reason=reason)
    # First, for whoever is off the list cannot be decided about again if this is cut off.
    if not _is_decided(head, "reinstate", name=name, reason=reason):
        record_decision(services, head, "reinstate", name=name, reason=reason)
    for one in open_replays(services, who):
        _withdraw(services, one, name.strip(), reason.strip())
    for batch, subjects in suppression_list.load(services).by_batch.items():
        if who in subjects:
            body = json.dumps({"batch": batch, "subjects": [who]}).encode()
            key = f"{suppression_list.WITHOUT}{batch}/{suppression_list.REINSTATED}{who}.json"
            services.store.put_if_absent(key, body)


def reinstated(services: Services, batch: str, among: Collection[str]) -> dict[str, ReturnDecided]:
    """Those of the subjects, by pseudonym, whom somebody reinstated, each with that decision.

    Not those whom another batch than this one erased since. Cost: as that of `undecided`.
    """
    listed = suppression_list.load(services).by_batch if among else {}
    left = set(among).difference(*(who for name, who in listed.items() if name != batch))
    decided = (event.facts for _, event in services.journal.requests()) if left else ()
    return {
        facts.subject: facts
        for facts in decided
        if isinstance(facts, ReturnDecided)
        and facts.decision == "reinstate"
        and facts.subject in left
    }


def withdraw_reinstated(services: Services, batch: str, among: Collection[str]) -> None:
    """Withdraw requests of our own that wait, for those of the subjects who were reinstated.

    Cost: nothing for nobody, else as that of `undecided`.
    """
    for who, decided in reinstated(services, batch, among).items():
        for one in open_replays(services, who):
            _withdraw(services, one, decided.name, decided.reason)


def _withdraw(services: Services, one: Told, name: str, why: str) -> None:
    record, event = one
    if isinstance(event.facts, Answered):
        return  # nobody can take that back
    told = told_because(event.facts.disposition, f"{name} reinstated the subject")
    facts = RequestWithdrawn(disposition=told, batch=event.facts.batch, name=name, why=why)
    services.journal.append(request_stream(record), ids.SETTLED_BY_PERSON, facts)


def refuse_undecidable(services: Services, who: str, *, name: str, reason: str) -> Told:
    """The latest request by which the subject was erased.

    Raises:
        SettingsError: there is no name, or no reason.
        DataError: the subject is not on the suppression list.
    """
    if not (name.strip() and reason.strip()):
        raise SettingsError("Somebody decides for a reason; give --by NAME and --reason TEXT.")
    asked = suppression_list.load(services).requests_of(who)
    heads = [
        told
        for told in services.journal.requests()
        if told[1].facts.subject == who
        and told[1].facts.request_id in asked
        and isinstance(told[1].facts, Answered)
    ]
    if not heads:
        raise DataError(
            f"Nobody with the pseudonym {who} is on the suppression list; `expunge status` names "
            "who waits."
        )
    return max(heads, key=lambda told: told[1].at)


def record_decision(
    services: Services, told: Told, decision: str, *, name: str, reason: str
) -> None:
    """Record what a person decided about rows of an erased subject."""
    record, head = told
    number = len(services.journal.read(request_stream(record))) + 1
    facts = ReturnDecided(
        batch=head.facts.batch,
        request_id=head.facts.request_id,
        subject=head.facts.subject,
        reason=_said(decision, name=name, reason=reason),
        certificate=head.facts.certificate,
        certificate_digest=getattr(head.facts, "certificate_digest", ""),
        name=name.strip(),
        decision=decision,
    )
    services.journal.append(request_stream(record), ids.return_decided(number), facts)


def _is_decided(told: Told, decision: str, *, name: str, reason: str) -> bool:
    """Whether just that is on record already, of a call that was cut off."""
    facts = told[1].facts
    said = _said(decision, name=name, reason=reason)
    return isinstance(facts, ReturnDecided) and facts.reason == said


def _said(decision: str, *, name: str, reason: str) -> str:
    return f"{name.strip()} decided to {decision}: {reason.strip()}"
