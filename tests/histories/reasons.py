"""What no reason of a certificate may say: the book knows what was erased, and what lies there."""

import json
import re
from collections.abc import Callable, Iterator

from histories.book import Book, Certified

from tasks.journal.events.catalog import request_stream
from tasks.journal.histories.request import request_history
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError

Rule = Callable[[Book, Certified, bool], bool]


def told_reason(services: Services, certificate: dict) -> str:
    """The reason of the answer; empty if the run died before anybody was told."""
    stream = request_stream(certificate["request"]["record_id"])
    answer = request_history(services.journal.read(stream)).answer_in(certificate["batch"])
    return answer.reason if answer else ""


def contradicted(
    services: Services, book: Book, one: Certified, *, is_second: bool
) -> Iterator[str]:
    """Clauses that are not so, and what an erasure leaves unsaid.

    Of a second certificate of a run on the same person, what happened was answered by the first.
    """
    reason = told_reason(services, one.body)
    for clause in reason.split("; "):
        for form, is_false in _RULES.items():
            if re.fullmatch(form, clause) and is_false(book, one, is_second):
                yield clause
        if (match := re.fullmatch(r"erased before, see (\S+)", clause)) and not _is_erased(
            services, match[1]
        ):
            yield clause
    if reason and one.is_erased:
        closed = {_name(table["table"]) for table in one.body.get("tables_closed", [])}
        yield from (
            f"{one.body['outcome']}, but rows lie in {name}, which it does not name: {reason}"
            for name in sorted(_lying(book, one) - closed)
            if not re.search(rf"/{name}\b(?!-)", reason)
        )
        if all(table.get("outcome") == "gone" for table in one.body["tables"]):
            yield f"erased, but no table was reached: {reason}"


def _name(uri: str) -> str:
    return uri.rpartition("/")[2]


def _lying(book: Book, one: Certified) -> set[str]:
    """Tables, closed ones too, in which the person has rows that nobody brought back since."""
    if book.returned.get(one.person, -1) >= one.step:
        return set()
    return {name for name, rows in book.rows.items() if one.person in rows.values()}


def _was_erased(book: Book, one: Certified) -> bool:
    return any(book.owner[row] == one.person for row in book.taken)


def _is_erased(services: Services, key: str) -> bool:
    try:
        return json.loads(services.store.get(key))["outcome"] == "erased"
    except MissingObjectError:
        return False


_RULES: dict[str, Rule] = {
    r"\d+ rows? erased": lambda book, one, _: not _was_erased(book, one),
    r"others had deleted the rows before.*": lambda book, one, _: one.person not in book.deleted,
    r"the rows were erased with another request .*": lambda book, one, _: (
        not _was_erased(book, one)
    ),
    r"no model in service was trained on them": lambda book, one, is_second: (
        not is_second and bool(book.since[one.person].learned_by)
    ),
    r"no table .*": lambda book, one, _: not one.is_near and bool(_lying(book, one)),
    r"no searched table .*": lambda book, one, _: (
        not one.is_near and bool(_lying(book, one) - book.shut)
    ),
}
"""When a clause of this form is not so."""
