"""The crash matrix: kill a run at every call that changes something, run again, look."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from durable import PASSING
from matrix import invariants, zygote
from matrix.invariants import Ending
from matrix.points import Counter, install
from matrix.world import Place

KILLED = -9


@dataclass
class Case:
    """One point, one side, and what was found broken after the next run."""

    number: int
    side: str
    label: str
    problems: list[str] = field(default_factory=list)


def work(place: Place, counter: Counter, prepare: Callable[[], None] | None = None) -> list[str]:
    """What `expunge run` does, in this process, with every call counted."""
    enter(place)
    if prepare is not None:
        prepare()  # not counted: it is not the run's doing
    install(counter)
    from flows.commands.run import run

    run()
    return counter.labels


def enter(place: Place) -> None:
    """The process as `expunge` begins it."""
    from flows.cli import log_to_console

    place.enter()
    log_to_console()


def look(place: Place, trace: Path, ending: Ending) -> list[str]:
    """One more whole run, which must change nothing, and then every invariant."""
    enter(place)
    counter = install(Counter())
    from flows.process_deletions import run_now

    with telling():
        run_now()
    new = [call for call in counter.labels if not any(name in call for name in PASSING)]
    problems = [f"I-09 one run more made {new}"] if new else []
    return problems + invariants.broken(place, trace.read_text().splitlines(), ending)


def finish(place: Place, counter: Counter, spoil: Callable[[], None] | None) -> list[str]:
    """A run to its end."""
    with telling():
        work(place, counter, spoil)
    return counter.labels


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """That people must be told of a model, or of a version that a hold keeps, is no failure."""
    from unlearning.errors import ConflictError, GateRejectedError

    with contextlib.suppress(GateRejectedError, ConflictError):
        yield


def record(place: Place, spoil: Callable[[], None] | None = None) -> list[str]:
    """Labels of every point of a run that nobody kills; this process then has what it imports."""

    def recorded() -> tuple[list[str], list[str]]:
        return finish(place, Counter(), spoil), sorted(sys.modules)

    place.restore()
    status, found = zygote.child(recorded, place.base / "recorded.log")
    if status:
        raise RuntimeError((place.base / "recorded.log").read_text()[-3000:])
    labels, modules = found
    zygote.import_all(modules)
    return labels


def kill(
    place: Place,
    number: int,
    side: str,
    label: str,
    *,
    spoil: Callable[[], None] | None = None,
    ending: Ending | None = None,
) -> Case:
    """Kill a run there, run again, look; the world is a fresh one.

    Args:
        place: The world.
        number: Of the point.
        side: Of the call.
        label: What the call is.
        spoil: Done in each run's process before it begins: the way that the runs take.
        ending: What is right at the end of that way.
    """
    case = Case(number, side, label)
    trace, log = place.base / "trace", place.base / f"{number:03d}-{side}.log"
    trace.write_text("")
    place.restore()
    killed = Counter(number, side, trace=trace)
    status, _ = zygote.child(lambda: finish(place, killed, spoil), log)
    if status != KILLED:
        case.problems.append(f"the run was not killed, it ended with {status}")
    status, _ = zygote.child(lambda: finish(place, Counter(trace=trace), spoil), log)
    if status:
        case.problems.append(f"the run after it ended with {status}, see {log}")
    status, problems = zygote.child(lambda: look(place, trace, ending or Ending()), log)
    case.problems += [f"looking failed with {status}, see {log}"] if status else problems
    return case


def table(cases: Iterable[Case]) -> str:
    """Cases by kind of call: how many points, how many of them with every invariant true."""
    kinds: dict[str, list[Case]] = {}
    for case in cases:
        kinds.setdefault(case.label, []).append(case)
    lines = [f"{'call':58} {'killed':>6} {'true':>5}"]
    for label, group in kinds.items():
        sound = sum(not case.problems for case in group)
        lines.append(f"{label[:58]:58} {len(group):6} {sound:5}")
    return "\n".join(lines)


def spread(count: int, some: int) -> list[int]:
    """About `some` numbers from 1 to `count`, evenly; all of them if `some` is 0."""
    if not some or some >= count:
        return list(range(1, count + 1))
    if some == 1:
        return [(count + 1) // 2]
    return sorted({1 + round(i * (count - 1) / (some - 1)) for i in range(some)})
