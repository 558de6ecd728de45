"""Run the fault matrix.

python -m matrix.fault_driver scenarios              # each scenario of scenarios.py
python -m matrix.fault_driver points --some 10       # a call refused, lost, or its system down
python -m matrix.fault_driver contenders --some 4    # two runs at once; one that wakes up late
python -m matrix.fault_driver s3 --some 3            # a proxy before a real S3 server
python -m matrix.fault_driver mlflow --some 3        # a proxy before a real MLflow server
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matrix import contenders, crash, faults, invariants, remote
from matrix.crash import Case, spread
from matrix.driver import orchestrated, part_of, prepared, report, told
from matrix.points import Counter
from matrix.scenarios import SCENARIOS, Scenario
from matrix.world import Place

_PATIENT_S = 1
"""A read that hangs is given up so soon: five seconds are enough to see that nobody waits."""


def main() -> int:
    """Run one family; status 1 if anything was found broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("family", choices=list(FAMILIES))
    parser.add_argument("--some", type=int, default=0, help="about so many points; 0: all")
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--part", default="1/1", help="i/n: every n-th of the cases, from the i-th")
    options = parser.parse_args()
    with orchestrated() as base:
        cases, whole = FAMILIES[options.family](base, options)
        elsewhere = invariants.orchestrator_raw_ids(base / "prefect")
    return report(cases, elsewhere, whole, base)


def scenarios(base: Path, options: argparse.Namespace) -> tuple[list[Case], str]:
    place = Place(base)
    prepared(place)
    chosen = [s for s in SCENARIOS if s.name.startswith(options.only)]
    wanted = part_of(list(enumerate(chosen, 1)), options.part)
    cases = [told(lambda n=n, s=s: _scenario(place, n, s)) for n, s in wanted]
    return cases, f"{len(chosen)} scenarios"


def _scenario(place: Place, number: int, one: Scenario) -> Case:
    counter = Counter()
    if one.on_call is not None:
        act = one.on_call
        counter.on_call = lambda n, side, text: act(place, n, side, text)
    return faults.through(
        place,
        Case(number, one.name, one.about),
        counter,
        spoil=lambda: one.spoil(place),
        mend=lambda: one.mend(place),
        ending=lambda: one.ending(place),
    )


def points(base: Path, options: argparse.Namespace) -> tuple[list[Case], str]:
    place = Place(base)
    labels = prepared(place)
    wanted = [
        (mode, number)
        for mode in faults.MODES
        if mode.startswith(options.only)
        for number in spread(len(labels), options.some)
    ]
    cases = [
        told(lambda m=mode, n=number: faults.strike(place, n, m, labels[n - 1]))
        for mode, number in part_of(wanted, options.part)
    ]
    return cases, f"{len(labels)} points"


def together(base: Path, options: argparse.Namespace) -> tuple[list[Case], str]:
    place = Place(base)
    labels = prepared(place)
    # Before the lease is taken nobody is asleep yet.
    first = 1 + next(i for i, label in enumerate(labels) if label.startswith("store put_if_absent"))
    numbers = [first + n for n in spread(len(labels) - first, options.some)]
    cases = [told(lambda: contenders.at_once(place))]
    cases += [
        told(lambda n=n: contenders.sleeper(place, n, labels[n - 1]))
        for n in part_of(numbers, options.part)
    ]
    return cases, f"{len(labels)} points"


def s3(base: Path, options: argparse.Namespace) -> tuple[list[Case], str]:
    with remote.s3_place(base) as place:
        return _behind_proxy(place, remote.S3_FAULTS, options)


def mlflow(base: Path, options: argparse.Namespace) -> tuple[list[Case], str]:
    with remote.mlflow_place(base) as place:
        return _behind_proxy(place, remote.MLFLOW_FAULTS, options)


def _behind_proxy(
    place: remote.Remote, wrong: tuple[remote.Fault, ...], options: argparse.Namespace
) -> tuple[list[Case], str]:
    prepared(place)
    totals = {verbs: _requests(place, list(verbs)) for verbs in {_verbs(fault) for fault in wrong}}
    wanted = [
        (fault, number)
        for fault in wrong
        if fault.name.startswith(options.only)
        for number in spread(totals[_verbs(fault)], options.some)
    ]
    cases = [
        told(lambda f=fault, n=number: _struck(place, f, n))
        for fault, number in part_of(wanted, options.part)
    ]
    return cases, f"{totals[()]} requests"


def _verbs(fault: remote.Fault) -> tuple[str, ...]:
    return tuple(fault.orders.get("verbs", ()))


def _requests(place: remote.Remote, verbs: list[str]) -> int:
    """How many requests of these verbs (all, if none) an undisturbed run makes."""
    place.order({"verbs": verbs} if verbs else {})
    crash.record(place)
    return place.count()


def _struck(place: remote.Remote, fault: remote.Fault, number: int) -> Case:
    def spoil() -> None:
        from botocore.config import Config

        from tasks.store import s3

        s3.CONFIG = s3.CONFIG.merge(Config(read_timeout=_PATIENT_S))
        place.order({**fault.orders, "first": number})

    return faults.through(
        place,
        Case(number, "", fault.name),
        Counter(),
        spoil=spoil,
        mend=lambda: place.order({}),
    )


FAMILIES: dict[str, Callable[[Path, argparse.Namespace], tuple[list[Case], Any]]] = {
    "scenarios": scenarios,
    "points": points,
    "contenders": together,
    "s3": s3,
    "mlflow": mlflow,
}

if __name__ == "__main__":
    sys.exit(main())
