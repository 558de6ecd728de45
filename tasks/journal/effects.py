"""Make an effect on an outside system exactly once, whatever breaks in between."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from tasks.journal.events import ids
from tasks.journal.events.event import Stream
from tasks.journal.journal import Journal
from tasks.store import lease
from unlearning.errors import EffectLostError

Plan = TypeVar("Plan")
Outcome = TypeVar("Outcome")


def once(
    journal: Journal,
    stream: Stream[Any],
    *,
    key: str,
    plan: Plan,
    find: Callable[[Plan], Outcome | None],
    make: Callable[[Plan], None],
) -> Outcome:
    """The outcome of an effect, made and read back: intent → find → make → find → outcome.

    `plan` and what `find` returns are events of the stream. `key` is deterministic, so a run after
    a crash continues where the first one stopped: a recorded outcome is returned untouched, and an
    effect that was made but not recorded is found, not made again. `find` and `make` are given the
    plan as it was first recorded.

    Raises:
        ConflictError: another run took over (see `tasks.store.lease`); nothing was made.
        EffectLostError: `make` returned but `find` finds nothing.
    """
    done = journal.find(stream, key)
    if done is not None:
        return cast("Outcome", done.facts)
    intended = cast("Plan", journal.append(stream, ids.intent(key), cast("Any", plan)).facts)
    outcome = find(intended)
    if outcome is None:
        lease.check(journal.store)
        make(intended)
        outcome = find(intended)
    if outcome is None:
        raise EffectLostError(
            f"The effect {key} of {stream} was made but cannot be read back; look at that system."
        )
    return cast("Outcome", journal.append(stream, key, cast("Any", outcome)).facts)
