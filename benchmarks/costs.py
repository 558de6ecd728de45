"""What the ledger saves and what gradient restriction costs, as ratios within one run.

python -m benchmarks.costs --data DIR
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import torch
from cyclopts import App
from torch import Tensor

from benchmarks.cases import CASES, Case
from benchmarks.datasets import load, split
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.methods.catalog import unlearn
from unlearning.methods.gradient_ledger import Ledger
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.gradients import mean_gradient
from unlearning.model.rows import TensorRows
from unlearning.training.training import train

RESULTS = Path(__file__).parent / "results"
REPEATS = 5
GROWTH = (1, 10, 100)
SHARES = (0.05, 0.01)
app = App(help=__doc__)


@dataclass(frozen=True, slots=True, eq=False)
class Repeated:
    """The same rows several times over: a table as long as wanted in the memory of a short one."""

    rows: TensorRows
    times: int

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.times * self.rows.count

    def chunks(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The chunks of the rows, again and again."""
        for _ in range(self.times):
            yield from self.rows.chunks(size)


@app.default
def costs(*, data: Path, results: Path = RESULTS) -> None:
    """Measure both and write `costs.json`.

    Parameters
    ----------
    data
        Directory of the data sets.
    results
        Where the result is written.
    """
    torch.set_num_threads(1)
    cases = [
        case
        for case in CASES.values()
        if not case.needs_gpu and (data / case.folder / "train.parquet").exists()
    ]
    found = {
        "restriction": [restriction_cost(case, data) for case in cases],
        "request": [one for case in cases for one in request_cost(case, data)],
        "ledger": [ledger_cost(case, data) for case in cases],
    }
    results.mkdir(parents=True, exist_ok=True)
    (results / "costs.json").write_text(json.dumps(found, indent=1) + "\n")


def restriction_cost(case: Case, data: Path) -> dict[str, Any]:
    """Median seconds of an epoch over 4,000 rows with each form of gradient restriction."""
    rows = load(data / case.folder, train_rows=4000)
    one = replace(case.training, epochs=1)
    forms = {
        "plain": replace(one, restriction="none"),
        "finite_difference": replace(one, derivative="finite_difference"),
        "exact": replace(one, derivative="exact"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(REPEATS):  # in turn, so that a busy spell of the machine hits all of them
        for name, config in forms.items():
            seconds[name].append(
                _seconds(lambda config=config: train(case.build(rows, 0), rows.train, config))
            )
    plain = median(seconds["plain"])
    return {"case": case.name, "ratios": {n: median(s) / plain for n, s in seconds.items()}}


def request_cost(case: Case, data: Path) -> Iterator[dict[str, Any]]:
    """The published step by ledger and by a full pass, on the whole table of the case."""
    rows = load(data / case.folder, train_rows=case.train_rows)
    model = case.build(rows, 0).eval()
    config = UnlearningConfig(method="published_step")
    for share in SHARES:
        parts = split(rows, forget_share=share, seed=0)
        gradient = mean_gradient(model, parts.train, chunk_size=config.chunk_size)
        problem = UnlearningProblem(
            model=model,
            forget=parts.forget,
            retain=parts.retain,
            holdout=parts.holdout_read,
            ledger=Ledger(gradient, model_digest="m", dataset="d"),
        )
        seconds: dict[str, list[float]] = {"ledger": [], "full_pass": []}
        for _ in range(REPEATS):  # in turn, so that a busy spell of the machine hits both
            for name, one in (("ledger", problem), ("full_pass", replace(problem, ledger=None))):
                times = REPEATS if name == "ledger" else 1
                seconds[name].append(_median_seconds(lambda one=one: unlearn(one, config), times))
        yield {
            "case": case.name,
            "share": share,
            "rows": [parts.train.count, parts.forget.count],
            "full_pass_over_ledger": median(seconds["full_pass"]) / median(seconds["ledger"]),
        }


def ledger_cost(case: Case, data: Path) -> dict[str, Any]:
    """The published step by ledger and by a full pass, as the table grows around one request.

    1 % of 4,000 rows are forgotten in a table of 1, 10 and 100 times 4,000 rows.
    """
    rows, forget_count = load(data / case.folder, train_rows=4000), 40
    model = case.build(rows, 0).eval()
    forget = TensorRows(rows.train.inputs[:forget_count], rows.train.labels[:forget_count])
    config = UnlearningConfig(method="published_step")
    steps: list[dict[str, float]] = []
    for times in GROWTH:
        table = Repeated(rows.train, times)
        ledger = Ledger(mean_gradient(model, table, chunk_size=1024), model_digest="m", dataset="d")
        problem = UnlearningProblem(
            model=model, forget=forget, retain=table, holdout=rows.test, ledger=ledger
        )
        with_ledger = _median_seconds(lambda problem=problem: unlearn(problem, config))
        whole = replace(problem, ledger=None)
        full = _median_seconds(lambda whole=whole: unlearn(whole, config), 1)
        steps.append({"rows": table.count, "ledger": with_ledger, "full_pass": full})
    base = steps[0]["ledger"]
    return {
        "case": case.name,
        "growth": [
            {
                "rows": step["rows"],
                "ledger_growth": step["ledger"] / base,
                "full_pass_over_ledger": step["full_pass"] / step["ledger"],
            }
            for step in steps
        ],
    }


def _median_seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    return median(_seconds(work) for _ in range(repeats))


def _seconds(work: Callable[[], object]) -> float:
    started = process_time()
    work()
    return process_time() - started


if __name__ == "__main__":
    app()
