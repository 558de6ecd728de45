"""Two runs on one store: at once, or one that sleeps and wakes when the other is done."""

import os
import signal

from matrix import crash, zygote
from matrix.crash import Case
from matrix.faults import hurry, spoilt_run
from matrix.invariants import Ending
from matrix.points import Counter
from matrix.world import Place


def at_once(place: Place) -> Case:
    """Two runs begin at the same moment; one works, or each does a part."""
    case = Case(0, "-", "two runs at once")
    trace, log = _begin(place, "at-once")
    both = [
        zygote.start(lambda: _run(place, Counter(trace=trace)), log.with_suffix(f".{n}.log"))
        for n in range(2)
    ]
    for run in both:
        _judge(case, *zygote.finish(*run))
    return _finished(place, case)


def sleeper(place: Place, number: int, label: str) -> Case:
    """A run is stopped before a call, another one takes over and ends, the first wakes up."""
    case = Case(number, "asleep", label)
    trace, log = _begin(place, f"{number:03d}-asleep")

    def on_call(now: int, side: str, _: str) -> None:
        if (now, side) == (number, "before"):
            os.kill(os.getpid(), signal.SIGSTOP)

    counter = Counter(trace=trace, on_call=on_call)
    asleep = zygote.start(lambda: _run(place, counter), log)
    os.waitpid(asleep[0], os.WUNTRACED)
    _judge(case, *zygote.child(lambda: _run(place, Counter(trace=trace)), log))
    os.kill(asleep[0], signal.SIGCONT)
    _judge(case, *zygote.finish(*asleep))
    return _finished(place, case)


def _begin(place: Place, name: str) -> tuple:
    trace = place.base / "trace"
    trace.write_text("")
    place.restore()
    return trace, place.base / f"{name}.log"


def _run(place: Place, counter: Counter) -> list[str]:
    from tasks.store import lease

    lease.BEAT_S, lease.LOOK_S, lease.PATIENCE_S = 0.2, 0.2, 3.0
    return spoilt_run(place, counter, None)


def _judge(case: Case, status: int, problems: list[str] | None) -> None:
    case.problems += [f"a run ended with {status}"] if status else problems or []


def _finished(place: Place, case: Case) -> Case:
    """Whatever was left to do is done by one more run, as it is on a schedule."""
    trace, log = place.base / "trace", place.base / "finished.log"
    status, _ = zygote.child(lambda: (hurry(), crash.work(place, Counter(trace=trace)))[0], log)
    if status:
        case.problems.append(f"the run after them ended with {status}, see {log}")
    status, problems = zygote.child(lambda: crash.look(place, trace, Ending()), log)
    case.problems += [f"looking failed with {status}, see {log}"] if status else problems
    return case
