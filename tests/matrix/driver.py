"""Run the crash matrix: every point, some of them, or one.

    python -m matrix.driver                             # all points, all sides
    python -m matrix.driver --some 6                    # a few, spread over the run
    python -m matrix.driver --kill-at 17 --side before  # one
    python -m matrix.driver --list                      # what there is
    python -m matrix.driver --during nan-always         # of a run that withdraws the model

The flows are the real ones, on a real Prefect server that all cases share. One process imports
everything and forks a child for each run; a killed child dies as any killed process does.
"""

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import servers
from matrix import crash, invariants, zygote
from matrix.scenarios import SCENARIOS, UNDISTURBED, Scenario
from matrix.world import Place, prepare

SIDES = ("after", "inside", "before")


def main() -> int:
    """Run what the arguments ask for; status 1 if anything was found broken."""
    options = arguments()
    with orchestrated() as base:
        cases, count = run(options, Place(base))
        elsewhere = invariants.orchestrator_raw_ids(base / "prefect")
    return report(cases, elsewhere, f"{count} points", base)


@contextlib.contextmanager
def orchestrated() -> Iterator[Path]:
    """A directory for everything, with a Prefect server that all cases share."""
    base = Path(tempfile.mkdtemp(prefix="expunge-matrix-"))
    prefect = base / "prefect"
    prefect.mkdir()
    os.environ["PREFECT_HOME"] = str(base / "client")
    with servers.prefect_server(prefect) as api:
        os.environ["PREFECT_API_URL"] = api
        zygote.import_everything()
        yield base


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kill-at", type=int, help="one point")
    parser.add_argument("--side", choices=SIDES, help="of the call; all if omitted")
    parser.add_argument("--some", type=int, default=0, help="about so many points")
    parser.add_argument("--part", default="1/1", help="i/n: every n-th of the cases, from the i-th")
    parser.add_argument(
        "--during", choices=[s.name for s in SCENARIOS], help="in runs that go this scenario's way"
    )
    parser.add_argument("--list", action="store_true", help="print the points and end")
    return parser.parse_args()


def prepared(place: Place, way: Scenario = UNDISTURBED) -> list[str]:
    """Make the world and keep it; labels of every point of a run that goes this way."""
    log = place.base / "prepare.log"
    status, _ = zygote.child(lambda: prepare(place), log)
    if status:
        raise SystemExit(log.read_text()[-3000:])
    place.keep()
    return crash.record(place, lambda: way.spoil(place))


def run(options: argparse.Namespace, place: Place) -> tuple[list[crash.Case], int]:
    way = next((s for s in SCENARIOS if s.name == options.during), UNDISTURBED)
    labels = prepared(place, way)
    if options.list:
        print("\n".join(f"{n:4} {label}" for n, label in enumerate(labels, 1)))
        return [], len(labels)
    numbers = [options.kill_at] if options.kill_at else crash.spread(len(labels), options.some)
    wanted = [
        (side, number)
        for side in ([options.side] if options.side else SIDES)
        for number in numbers
        # Of these calls half is ours, of the others it is their system's affair.
        if side != "inside" or labels[number - 1].startswith("store put")
    ]
    cases = [
        told(
            lambda n=number, s=side: crash.kill(
                place,
                n,
                s,
                labels[n - 1],
                spoil=lambda: way.spoil(place),
                ending=way.ending(place),
            )
        )
        for side, number in part_of(wanted, options.part)
    ]
    return cases, len(labels)


def part_of(wanted: list[Any], part: str) -> list[Any]:
    """The i-th of n parts, as `i/n` says."""
    first, every = (int(number) for number in part.split("/"))
    return wanted[first - 1 :: every]


def told(work: Callable[[], crash.Case]) -> crash.Case:
    """One case, with a line for who watches."""
    start = time.monotonic()
    case = work()
    word = "; ".join(case.problems) or "true"
    seconds = time.monotonic() - start
    print(f"{case.number:4} {case.side:8} {case.label:58} {seconds:5.1f} s  {word}", flush=True)
    return case


def report(cases: list[crash.Case], elsewhere: list[str], whole: str, base: Path) -> int:
    """Print the table and one sentence; keep the logs if anything is broken."""
    broken = [case for case in cases if case.problems]
    print(crash.table(cases))
    for problem in elsewhere:
        print(problem)
    points = len({case.number for case in cases})
    verdict = f"{len(broken)} broken" if broken or elsewhere else "all invariants true"
    print(f"{points} of {whole} ({len(cases)} cases), {verdict}")
    if broken or elsewhere:
        print(f"logs: {base}")
        return 1
    shutil.rmtree(base)
    return 0


if __name__ == "__main__":
    sys.exit(main())
