"""The events of the journal, each by its class."""

from collections.abc import Iterator
from dataclasses import fields

from docs.generate.tables import code, first_sentence, table
from tasks.journal.events.catalog import FACTS

_TITLES = {"requests": "Of a request", "batches": "Of a batch", "models": "Of a model"}


def page() -> str:
    """A table for each kind of stream."""
    return "\n\n".join(_parts())


def _parts() -> Iterator[str]:
    for kind, facts in FACTS.items():
        yield f"## {_TITLES[kind]}"
        yield table(
            ("event", "what happened", "facts"),
            (
                (
                    code(one.__name__),
                    first_sentence(one.__doc__),
                    ", ".join(code(field.name) for field in fields(one)),
                )
                for one in facts
            ),
        )
