"""What must hold after every run of a history, whatever was done before it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from histories import reasons
from histories.book import Book, Certified, Request, Since
from histories.lake import CAST, TABLES, Person
from histories.place import MODELS, Place, copy_of
from histories.scan import scan

from tasks.intake import batches
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.models import ChampionPromoted
from tasks.journal.reading import read_batch
from unlearning.policy.deletion import TERMINAL

_ANSWERED = TERMINAL - {"quarantined"}


def before_run(place: Place, book: Book) -> None:
    """Note what a run finds, so that its certificates can be compared with it."""
    place.open()
    # An earlier certificate speaks for a version that was rolled back to, and the alias goes back.
    gone = book.gone()
    served = {model: _served(place, book, model) - gone for model in MODELS}
    for person in CAST:
        since = book.since[person]
        since.had |= book.tables_of(person)
        since.learned_by |= {model for model, people in served.items() if person in people}
    for name in TABLES:
        book.snapshots[name, place.lake.open(name).version()] = book.rows[name]


def after_run(place: Place, book: Book, troubles: list[str] | None) -> list[str]:
    """Every promise that does not hold, in words; a run that was killed told nobody of troubles."""
    place.open()
    problems = [*_rows(place, book), *_foreign(place, book)]
    _note_promotions(place, book)
    problems += _unapproved(place, book)
    problems += [*_certificates(place, book), *_found_again(place, book)]
    if troubles is not None:
        problems += _kept_requests(place, book)
        found = place.status()
        told = [*troubles, *found["alarms"]]
        problems += _served_memories(place, book, told)
        if not place.was_away:  # a run that ends so is tried again, and fails for all to see
            problems += [f"{one}; the run said {troubles}" for one in _unanswered(book, found)]
    return problems


def _rows(place: Place, book: Book) -> Iterator[str]:
    """Nobody lost a row who did not ask, or who is on hold; and no row came from nowhere."""
    for name in TABLES:
        now, before = place.lake.read(name), book.rows[name]
        if now.items() - before.items():
            yield f"{name} has rows that nobody wrote: {now.items() - before.items()}"
        for row in sorted(before.keys() - now.keys()):
            if not book.may_vanish(row):
                yield f"{before[row]} lost a row of {name} that nobody asked to erase, or on hold"
            if name in book.shut:
                yield f"{before[row]} lost a row of {name}, which was closed"
            book.since[before[row]].erased_from.add(name)
            book.taken.add(row)
        book.rows[name] = now


def _foreign(place: Place, book: Book) -> Iterator[str]:
    """What is not the table's lies there as it was, byte for byte."""
    for name, files in book.foreign.items():
        now = place.lake.foreign(name)
        if now != files:
            yield f"{name} held {sorted(files)}, of which {sorted(now)} are left, or were changed"
        book.foreign[name] = now


def _note_promotions(place: Place, book: Book) -> None:
    """What each version that was made since learned: its snapshot without the batch's people."""
    who = {place.pseudonym(one): one for one in CAST}
    for model in MODELS:
        for event in place.services.journal.read(model_stream(model)):
            facts = event.facts
            if not isinstance(facts, ChampionPromoted) or (model, facts.version) in book.learned:
                continue
            named = batches.accepted(place.services, facts.batch)
            out = frozenset(who[d.subject] for d in named if d.subject in who)
            planned = read_batch(place.services.journal, facts.batch).attempts[facts.attempt]
            table = planned.attempt.dataset.rpartition("/")[2]
            snapshot = (table, planned.attempt.dataset_version)
            parent = book.learned.get((model, facts.parent_version), frozenset())
            known = {n: book.owner[n] for n in parent}
            book.learned_from(model, facts.version, book.snapshots.get(snapshot, known), out)


def _unapproved(place: Place, book: Book) -> Iterator[str]:
    """A model that asks forgets nobody, and is not withdrawn, before somebody said yes."""
    for batch, _ in place.services.journal.batches():
        if batch in book.approved:
            continue
        for one in read_batch(place.services.journal, batch).attempts.values():
            if one.attempt.model in place.asking and (one.promoted or one.is_withdrawal_intended):
                yield f"{one.attempt.model} was changed by {batch}, which nobody approved"


def _certificates(place: Place, book: Book) -> Iterator[str]:
    """Each new certificate says what was done, and nothing that was not."""
    journal = place.services.journal
    for batch, _ in journal.batches():
        if read_batch(journal, batch).is_search_closed:
            book.closed.setdefault(batch, book.step)
    new = _new_certificates(place, book)
    erased = {one.person: one for one in reversed(new) if one.is_erased}
    for one in new:
        # Who asked twice is erased by the first request, and the second finds nobody.
        is_second = erased.get(one.person, one) is not one
        said = [
            *_contradicted(book, one, is_second=is_second),
            *reasons.contradicted(place.services, book, one, is_second=is_second),
        ]
        yield from (f"the certificate of {one.request} on {one.person} says {s}" for s in said)
    for person in {one.person for one in new if not one.is_near}:
        # What an open batch found of them stands, whoever erased it meanwhile.
        before = book.since[person].had if book.is_asked_for(person) else set[str]()
        book.since[person] = Since(had=book.tables_of(person) | before)


def _new_certificates(place: Place, book: Book) -> list[Certified]:
    """Certificates that lie there since the latest look, entered in the book."""
    store, new = place.services.store, []
    who = {place.pseudonym(one): one for one in CAST}
    for info in store.list_objects("certificates/"):
        body = json.loads(store.get(info.key))
        request = body["request"]["request_id"]
        asked = book.requests.get(request)
        person = asked.person if asked else who[body["request"]["subject_pseudonym"]]
        # Ids of our own requests change with the key.
        key = (body["batch"], request if asked else "", person)
        if key not in book.certificates:
            is_near = asked is not None and asked.is_near
            new.append(Certified(person, book.closed[body["batch"]], body, is_near))
            book.certificates[key] = new[-1]
    return new


def _contradicted(book: Book, one: Certified, *, is_second: bool) -> Iterator[str]:
    """What of a certificate is not so."""
    if one.is_erased:
        return _of_erasure(book, one)
    return _of_absence(book, one, is_second=is_second)


def _of_erasure(book: Book, one: Certified) -> Iterator[str]:
    since = book.since[one.person]
    named = {table["table"].rpartition("/")[2] for table in one.body["tables"]}
    models = {model["model"] for model in one.body["models"]}
    if one.is_near:
        yield "erased, but the request named nobody exactly"
    if not since.erased_from <= named:
        yield f"{named}, but rows left {since.erased_from}"
    if not named <= since.had:
        yield f"{named}, but they had rows in {since.had} only"
    if not since.learned_by <= models:
        yield f"{models}, but {since.learned_by} had learned from them"


def _of_absence(book: Book, one: Certified, *, is_second: bool) -> Iterator[str]:
    since = book.since[one.person]
    is_back = book.returned.get(one.person, -1) >= one.step
    if one.body["outcome"] != "not_found" or one.request in book.settled:
        return  # it claims less, or a person said that exactly this id is meant
    if book.tables_of(one.person) and not is_back:
        yield f"not_found, but they have rows in {book.tables_of(one.person)}"
    if one.is_near or is_second:
        return
    if since.erased_from:
        yield f"not_found, but rows left {since.erased_from}"
    if since.learned_by:
        yield f"not_found, but {since.learned_by} learned from them"


def _found_again(place: Place, book: Book) -> Iterator[str]:
    """Nobody who is certified as erased lies in a table's folder, and nobody at all elsewhere."""
    found: dict[Person, set[str]] = {}
    for name, table in TABLES.items():
        if name in book.shut:
            continue
        gone = [one for one in book.gone() if one.kind == table.kind]
        for person, files in scan([place.lake.folder / name], gone).items():
            found.setdefault(person, set()).update(files)
    for person, files in sorted(found.items()):
        yield f"{person} is certified as erased, and found in {sorted(files)}"
    for person, files in sorted(scan(_elsewhere(place), CAST).items()):
        yield f"the id of {person} stands in {sorted(files)}"


def _kept_requests(place: Place, book: Book) -> Iterator[str]:
    """Request files name nobody any more whose every request is answered, once all is closed."""
    if any(place.services.journal.open_batches()):
        return
    heads = {event.facts.request_id: event.status for _, event in place.services.journal.requests()}
    waiting = {one.person.id for r, one in book.requests.items() if heads.get(r) not in _ANSWERED}
    # Another kind may have the same id, and be asked for or held.
    named = waiting | {one.id for one in book.held}
    done = {one for one in book.gone() if one.id not in named}
    for person, files in sorted(scan([place.home / "store/requests"], done).items()):
        yield f"{person} is answered, and named in {sorted(files)}"


def old_names(place: Place, names: set[str]) -> Iterator[str]:
    """Nothing in the store or in MLflow knows people by their names under an older key."""
    wanted = [Person("old", one) for one in names]
    for files in scan([place.home], wanted).values():
        yield f"a pseudonym of the old key stands in {sorted(files)}"


def _elsewhere(place: Place) -> Iterator[Path]:
    """Everything but tables and request files: neither may name anybody, erased or not."""
    yield from (p for p in place.home.iterdir() if p.name != "store")
    yield from (p for p in (place.home / "store").iterdir() if p.name != "requests")
    yield place.live / "log"


def _served_memories(place: Place, book: Book, told: list[str]) -> Iterator[str]:
    """No alias points to a version that learned from somebody who is certified, unless it is told.

    A run that was killed is followed by another one, which looks at the aliases first.
    """
    for model in (*MODELS, *map(copy_of, MODELS)):
        remembered = _served(place, book, model) & book.gone()
        if remembered and not any(re.search(rf"(?<![\w-]){model}\b", text) for text in told):
            yield f"{model} is served by a version that remembers {remembered}"


def _served(place: Place, book: Book, model: str) -> set[Person]:
    version = place.champion(model)
    return set() if version is None else book.remembered(model, version)


def _unanswered(book: Book, found: dict[str, Any]) -> Iterator[str]:
    """Every request is answered, is on hold, or waits for a reason that `expunge status` shows."""
    heads: dict[str, list[dict[str, Any]]] = {}
    for one in found["requests"]:
        heads.setdefault(one["request_id"], []).append(one)
    for request, asked in book.requests.items():
        known = heads.get(request, [])
        stands = {one["status"] for one in known}
        if not known and not _is_unread(found):
            yield f"{request} of {asked.person} is nowhere in status, nor a file that is not read"
        for one in known:
            if not _is_explained(book, asked, one, found):
                yield f"{request} of {asked.person} stands as {one['status']}, nobody is told why"
        if "quarantined" in stands and not asked.is_near:
            yield f"{request} of {asked.person} was refused"


def _is_unread(found: dict[str, Any]) -> bool:
    """Whether a file is unread, or a batch stands still before it was validated."""
    known = {one["batch"] for one in found["requests"]}
    still = [one["batch"] for one in found["batches"] if one["batch"] not in known]
    is_told = any(batch in text for batch in still for text in found["alarms"])
    return found["unread"]["files"] > 0 or is_told


def _is_explained(book: Book, asked: Request, one: dict[str, Any], found: dict[str, Any]) -> bool:
    """Whether the request is answered, or its own words, an alarm or a question say why not."""
    status, batch = one["status"], one["batch"]
    if status in TERMINAL:
        return True
    if status == "on_hold":
        return asked.person in book.held
    if status == "unclear":
        return asked.is_near or book.is_of_another_kind(asked.person)
    told = [*found["alarms"], *(asking["next"] for asking in found["waiting"])]
    return (status == "blocked" and bool(one["reason"])) or any(batch in text for text in told)
