"""Make an effect on an outside system exactly once, whatever breaks in between."""

from collections.abc import Callable, Mapping
from typing import Any

from tasks.journal.journal import Entry, Journal
from tasks.store import lease
from unlearning.errors import EffectLostError

Facts = dict[str, Any]


def once(
    journal: Journal,
    stream: str,
    *,
    key: str,
    event: str,
    plan: Mapping[str, Any],
    find: Callable[[Facts], Facts | None],
    make: Callable[[Facts], None],
) -> Facts:
    """Facts of an effect after it was made and read back: intent → find → make → find → outcome.

    `key` is deterministic, so a run after a crash continues where the first one stopped: a recorded
    outcome is returned untouched, and an effect that was made but not recorded is found, not made
    again. `find` and `make` are given the plan as it was first recorded.

    Raises:
        ConflictError: another run took over (see `tasks.store.lease`); nothing was made.
        EffectLostError: `make` returned but `find` finds nothing.
    """
    done = journal.find(stream, key)
    if done is not None:
        return done.facts
    intent = journal.append(
        Entry(stream, f"{key}/intent", "EffectIntended", {"effect": event, **plan})
    )
    facts = find(intent.facts)
    if facts is None:
        lease.check(journal.store)
        make(intent.facts)
        facts = find(intent.facts)
    if facts is None:
        raise EffectLostError(f"{event} was made but cannot be read back; look at that system.")
    return journal.append(Entry(stream, key, event, facts)).facts
