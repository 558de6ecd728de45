"""The fault matrix: a system answers wrongly at any point of a run; the next run finishes.

Three ways to be wrong, at each point that the crash matrix kills at:

    refused   the call does nothing and raises, as on a full disk or a locked database
    lost      the call does its work and raises all the same, as when a reply is lost
    down      from this call on its system refuses every one, until the run ends
"""

import errno
import logging
import os
import traceback
from collections.abc import Callable
from pathlib import Path

from matrix import crash, zygote
from matrix.crash import Case
from matrix.invariants import Ending
from matrix.points import Counter
from matrix.world import Place

log = logging.getLogger("expunge.matrix")

MODES = ("refused", "lost", "down")
_SYSTEMS = {"registry": "mlflow"}


def injected(label: str) -> Exception:
    """What the system of this call raises when it is busy, full or away."""
    system = system_of(label)
    if system == "mlflow":
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

        return MlflowException("database is locked", error_code=TEMPORARILY_UNAVAILABLE)
    if system == "delta":
        return OSError("Generic S3 error: error sending request")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return _as_ours(full) if system == "store" else full


def _as_ours(error: OSError) -> Exception:
    """The store's calls are counted above the place where errors of the system become ours."""
    from tasks.foreign_errors import translated
    from unlearning.errors import ExpungeError

    try:
        with translated("object store"):
            raise error
    except ExpungeError as ours:
        return ours


def system_of(label: str) -> str:
    """The outside system that a call goes to."""
    first = label.partition(" ")[0]
    return _SYSTEMS.get(first, first)


def at_point(mode: str, number: int, label: str) -> Callable[[int, str, str], None]:
    """What the counter does at each call; raises where the fault is."""

    def on_call(now: int, side: str, text: str) -> None:
        if mode == "down":
            hit = side == "before" and now >= number and system_of(text) == system_of(label)
        else:
            hit = now == number and side == {"refused": "before", "lost": "after"}[mode]
        if hit:
            raise injected(text)

    return on_call


def strike(place: Place, number: int, mode: str, label: str) -> Case:
    """A run with the fault, a run without it, and a look."""
    counter = Counter(on_call=at_point(mode, number, label))
    return through(place, Case(number, mode, label), counter)


def through(
    place: Place,
    case: Case,
    counter: Counter,
    *,
    spoil: Callable[[], None] | None = None,
    mend: Callable[[], None] | None = None,
    ending: Callable[[], Ending] = Ending,
) -> Case:
    """Restore the world, run it spoilt, mend it, run it again, look.

    Args:
        place: The world.
        case: Gets what is found broken.
        counter: Counts the calls of the first run.
        spoil: Done in the first run's process before it begins.
        mend: Done in the second run's process before it begins: what people would do.
        ending: What is right in the end, asked after both runs.
    """
    trace = place.base / "trace"
    log = place.base / f"{case.number:03d}-{case.side.replace('/', '-')}.log"
    trace.write_text("")
    counter.trace = trace
    place.restore()
    status, problems = zygote.child(lambda: spoilt_run(place, counter, spoil), log)
    case.problems += [f"the spoilt run ended with {status}, see {log}"] if status else problems
    status, _ = zygote.child(lambda: mended_run(place, trace, mend), log)
    if status:
        case.problems.append(f"the run after it ended with {status}, see {log}")
    status, problems = zygote.child(lambda: crash.look(place, trace, _asked(place, ending)), log)
    case.problems += [f"looking failed with {status}, see {log}"] if status else problems
    return case


def _asked(place: Place, ending: Callable[[], Ending]) -> Ending:
    place.enter()
    return ending()


def spoilt_run(place: Place, counter: Counter, spoil: Callable[[], None] | None) -> list[str]:
    """A run that may fail, but only with one of our own errors, which say what to do."""
    from unlearning.errors import ExpungeError

    hurry()
    try:
        crash.work(place, counter, spoil)
    except ExpungeError as error:
        log.warning("the spoilt run says: %s", error)
    except Exception as error:  # noqa: BLE001 - reported as a problem
        traceback.print_exc()
        return [f"the spoilt run raised {type(error).__name__}, which tells nobody what to do"]
    return []


def mended_run(place: Place, trace: Path, mend: Callable[[], None] | None) -> None:
    """A run like any other; people may have to be told something, which is no failure."""
    from unlearning.errors import GateRejectedError

    hurry()
    try:
        crash.work(place, Counter(trace=trace), mend)
    except GateRejectedError as error:
        log.warning("the run says: %s", error)


def hurry() -> None:
    """Let tasks try again at once: what is retried matters here, not how long one waits."""
    from prefect import Task

    from tasks import steps

    for step in vars(steps).values():
        if isinstance(step, Task):
            step.retry_delay_seconds = [0, 0, 0]
