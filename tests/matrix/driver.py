"""Run the crash matrix: every point, some of them, or one.

    python -m matrix.driver                             # all points, all sides
    python -m matrix.driver --some 6                    # a few, spread over the run
    python -m matrix.driver --kill-at 17 --side before  # one
    python -m matrix.driver --list                      # what there is

The flows are the real ones, on a real Prefect server that all cases share. One process imports
everything and forks a child for each run; a killed child dies as any killed process does.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import servers
from matrix import crash, invariants, zygote
from matrix.world import Place, prepare

SIDES = ("after", "inside", "before")


def main() -> int:
    """Run what the arguments ask for; status 1 if anything was found broken."""
    options = arguments()
    base = Path(tempfile.mkdtemp(prefix="expunge-matrix-"))
    prefect = base / "prefect"
    prefect.mkdir()
    os.environ["PREFECT_HOME"] = str(base / "client")
    with servers.prefect_server(prefect) as api:
        os.environ["PREFECT_API_URL"] = api
        zygote.import_everything()
        cases, count = run(options, Place(base))
        cases.append(crash.Case(0, "", "orchestrator", invariants.orchestrator_raw_ids(prefect)))
    return report(cases[:-1], cases[-1].problems, count, base)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kill-at", type=int, help="one point")
    parser.add_argument("--side", choices=SIDES, help="of the call; all if omitted")
    parser.add_argument("--some", type=int, default=0, help="about so many points")
    parser.add_argument("--part", default="1/1", help="i/n: every n-th of the cases, from the i-th")
    parser.add_argument("--list", action="store_true", help="print the points and end")
    return parser.parse_args()


def run(options: argparse.Namespace, place: Place) -> tuple[list[crash.Case], int]:
    log = place.base / "prepare.log"
    status, _ = zygote.child(lambda: prepare(place), log)
    if status:
        raise SystemExit(log.read_text()[-3000:])
    place.keep()
    labels = crash.record(place)
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
    first, every = (int(part) for part in options.part.split("/"))
    cases = []
    for side, number in wanted[first - 1 :: every]:
        start = time.monotonic()
        case = crash.kill(place, number, side, labels[number - 1])
        cases.append(case)
        word = "; ".join(case.problems) or "true"
        seconds = time.monotonic() - start
        print(f"{number:4} {side:6} {case.label:58} {seconds:5.1f} s  {word}", flush=True)
    return cases, len(labels)


def report(cases: list[crash.Case], elsewhere: list[str], count: int, base: Path) -> int:
    """Print the table and one sentence; keep the logs if anything is broken."""
    broken = [case for case in cases if case.problems]
    print(crash.table(cases))
    for problem in elsewhere:
        print(problem)
    points = len({case.number for case in cases})
    verdict = f"{len(broken)} broken" if broken or elsewhere else "all invariants true"
    print(f"killed at {points} of {count} points ({len(cases)} kills), {verdict}")
    if broken or elsewhere:
        print(f"logs: {base}")
        return 1
    shutil.rmtree(base)
    return 0


if __name__ == "__main__":
    sys.exit(main())
