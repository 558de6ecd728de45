"""What must hold after every run of a history, whatever was done before it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from histories.book import Book, Certified, Since
from histories.lake import CAST, TABLES, Person
from histories.place import MODELS, Place
from histories.scan import scan

from tasks.certificates.status import status
from tasks.intake import batches
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.models import ChampionPromoted
from tasks.journal.reading import read_batch
from unlearning.policy.deletion import TERMINAL


def before_run(place: Place, book: Book) -> None:
    """Note what a run finds, so that its certificates can be compared with it."""
    for person in CAST:
        since = book.since[person]
        since.had |= book.tables_of(person)
        since.learned_by |= {m for m in MODELS if person in _served(place, book, m)}
    for name in TABLES:
        book.snapshots[name, place.lake.open(name).version()] = book.rows[name]


def after_run(place: Place, book: Book, *, troubles: list[str] | None = None) -> list[str]:
    """Every promise that does not hold, in words; a run that was killed told nobody of troubles."""
    place.open()
    problems = list(_rows(place, book))
    _note_promotions(place, book)
    problems += _certificates(place, book)
    problems += _found_again(place, book)
    problems += _served_memories(place, book, troubles)
    if troubles is not None:
        problems += _unanswered(place, book, troubles)
    return problems


def _rows(place: Place, book: Book) -> Iterator[str]:
    """Nobody lost a row who did not ask, or who is on hold; and no row came from nowhere."""
    for name in TABLES:
        now, before = place.lake.read(name), book.rows[name]
        if now.items() - before.items():
            yield f"{name} has rows that nobody wrote: {now.items() - before.items()}"
        for person in {before[n] for n in before.keys() - now.keys()}:
            if not book.may_vanish(person):
                yield f"{person} lost rows of {name}, though nobody asked or a hold protects them"
            book.since[person].erased_from.add(name)
        book.rows[name] = now


def _note_promotions(place: Place, book: Book) -> None:
    """What each version that was made since learned: its snapshot without the batch's people."""
    for model in MODELS:
        for event in place.services.journal.read(model_stream(model)):
            facts = event.facts
            if not isinstance(facts, ChampionPromoted) or (model, facts.version) in book.learned:
                continue
            who = _people(place)
            named = batches.accepted(place.services, facts.batch)
            out = frozenset(who[d.subject] for d in named if d.subject in who)
            planned = read_batch(place.services.journal, facts.batch).attempts[facts.attempt]
            snapshot = (MODELS[model], planned.attempt.dataset_version)
            if snapshot in book.snapshots:
                rows = book.snapshots[snapshot]
            else:
                parent = book.learned.get((model, facts.parent_version), frozenset())
                rows = {n: book.owner[n] for n in parent}
            book.learned_from(model, facts.version, rows, out)


def _certificates(place: Place, book: Book) -> Iterator[str]:
    """Each new certificate says what was done, and nothing that was not."""
    journal = place.services.journal
    for batch, _ in journal.batches():
        if read_batch(journal, batch).is_search_closed:
            book.closed.setdefault(batch, book.step)
    new = _new_certificates(place, book)
    erased = {one.person for one in new if one.is_erased}
    for one in new:
        # Who asked twice is erased by the first request, and the second finds nobody.
        if one.is_erased or one.person not in erased:
            yield from _contradicted(book, one)
    for person in {one.person for one in new}:
        book.since[person] = Since(had=book.tables_of(person))


def _new_certificates(place: Place, book: Book) -> list[Certified]:
    """Certificates that lie there since the latest look, entered in the book."""
    store, who, new = place.services.store, _people(place), []
    for info in store.list_objects("certificates/"):
        if info.key not in book.certificates:
            body = json.loads(store.get(info.key))
            person = who[body["request"]["subject_pseudonym"]]
            new.append(Certified(person, book.closed[body["batch"]], body))
            book.certificates[info.key] = new[-1]
    return new


def _contradicted(book: Book, one: Certified) -> Iterator[str]:
    """Sentences of a certificate that are not so."""
    since, body = book.since[one.person], one.body
    is_back = book.returned.get(one.person, -1) >= one.step
    told = f"the certificate of {body['request']['request_id']} on {one.person}"
    if one.is_erased:
        named = {table["table"].rpartition("/")[2] for table in body["tables"]}
        if not since.erased_from <= named:
            yield f"{told} names {named}, but rows left {since.erased_from}"
        if not named <= since.had:
            yield f"{told} names {named}, but they had rows in {since.had} only"
        models = {model["model"] for model in body["models"]}
        if not since.learned_by <= models:
            yield f"{told} names {models}, but {since.learned_by} had learned from them"
    elif since.erased_from or (book.tables_of(one.person) and not is_back):
        yield f"{told} says {body['outcome']}, but they have or had rows in {since.had}"
    elif since.learned_by:
        yield f"{told} says {body['outcome']}, but {since.learned_by} learned from them"


def _found_again(place: Place, book: Book) -> Iterator[str]:
    """Nobody who is certified as erased lies in any readable place."""
    found = scan(_readable(place), book.gone())
    for person, files in sorted(found.items()):
        yield f"{person} is certified as erased, and found in {sorted(files)}"


def _readable(place: Place) -> Iterator[Path]:
    """Everything but request files, which name people until their batch closes."""
    yield place.live / "tables"
    yield from (p for p in place.home.iterdir() if p.name != "store")
    yield from (p for p in (place.home / "store").iterdir() if p.name != "requests")
    yield place.live / "log"


def _served_memories(place: Place, book: Book, troubles: list[str] | None) -> Iterator[str]:
    """No alias points to a version that learned from somebody who is certified, unless it is told.

    A run that was killed is followed by another one, which looks at the aliases first.
    """
    for model in MODELS if troubles is not None else ():
        remembered = _served(place, book, model) & book.gone()
        if remembered and not any(model in text for text in troubles or ()):
            yield f"{model} is served by a version that remembers {remembered}"


def _served(place: Place, book: Book, model: str) -> set[Person]:
    version = place.champion(model)
    return set() if version is None else book.remembered(model, version)


def _unanswered(place: Place, book: Book, troubles: list[str]) -> Iterator[str]:
    """Every request is answered, is on hold, or waits for a reason that people are told."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in status(place.services)["requests"]:
        found.setdefault(one["request_id"], []).append(one)
    for request, person in book.requests.items():
        stands = {one["status"] for one in found.get(request, ())}
        waits = not stands or not stands <= TERMINAL
        if "on_hold" in stands:
            waits = person not in book.held
        if waits and not troubles:
            yield f"{request} of {person} stands as {stands}, and nobody is told why"
        if "quarantined" in stands:
            yield f"{request} of {person} was refused"


def _people(place: Place) -> dict[str, Person]:
    return {place.pseudonym(one): one for one in CAST}
