"""What an update costs beside retraining on tables of their usual size; retrained models are not.

    python -m benchmarks.large --data DIR --models .bench/models

The cases of the benchmark take some thousand rows, so that a dozen methods and three retrained
models for each of five seeds can be measured. What an update reads does not grow with the table;
retraining does. One original for each table is trained here, and one update measured on it.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from cyclopts import App

from benchmarks.cases import CASES, Case
from benchmarks.datasets import load, split
from benchmarks.measure import ledger_of, measure, metrics_of, retrain_seconds
from benchmarks.zoo import Zoo

RESULTS = Path(__file__).parent / "results"
SHARES = (0.05, 0.01)
METHODS = ("calibrated", "reference_step")
LARGE = {
    "fashion-lenet5": "fashion-mnist",
    "cifar10-lenet5": "cifar10",
}
"""Folders of the whole tables, by the case whose architecture and training they get."""
app = App(help=__doc__)


@app.default
def large(
    *, data: Path, models: Path = Path(".bench/models"), results: Path = RESULTS, cases: str = ""
) -> None:
    """Measure and write `large.json`; tables that are not there are left out.

    Parameters
    ----------
    data
        Directory of the data sets.
    models
        Where trained models are kept.
    results
        Where the result is written.
    cases
        Name of one case; all if omitted.
    """
    torch.set_num_threads(1)
    path = results / "large.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for name, folder in LARGE.items():
        if cases not in ("", name) or not (data / folder / "train.parquet").exists():
            continue
        case = replace(CASES[name], name=f"{name}-whole", folder=folder, train_rows=10**9)
        found[case.name] = list(_measured(case, data, models))
        path.write_text(json.dumps(found, indent=1) + "\n")


def _measured(case: Case, data: Path, models: Path) -> Iterator[dict[str, Any]]:
    rows = load(data / case.folder, train_rows=case.train_rows)
    original = Zoo(models, case, rows).original(0)
    seconds = retrain_seconds(case, rows, "cpu")
    for share in SHARES:
        problem = split(rows, forget_share=share, seed=0)
        ledger = ledger_of(original, problem, "cpu")
        yield {
            "share": share,
            "train_rows": rows.train.count,
            "forget_count": problem.forget.count,
            "epochs": case.training.epochs,
            "retrain_seconds": seconds,
            "original": metrics_of(original, problem, "cpu"),
            "methods": {
                name: asdict(measure(name, original, problem, ledger, device="cpu"))
                for name in METHODS
            },
        }


def table(found: dict[str, list[dict[str, Any]]]) -> list[list[str]]:
    """One row for each table, share and method."""
    return [
        [
            name,
            f"{one['forget_count']:,} of {one['train_rows']:,}",
            method,
            f"{2 * one['epochs'] * one['train_rows'] / measured['rows']:,.0f}x",
            f"{one['retrain_seconds'] / measured['seconds']:,.0f}x",
            *(
                f"{one['original'][metric]:.3f} → {measured['metrics'][metric]:.3f}"
                for metric in ("forget_accuracy", "holdout_accuracy", "mia_auc")
            ),
        ]
        for name, several in found.items()
        for one in several
        for method, measured in one["methods"].items()
    ]


HEAD = [
    "case",
    "rows",
    "method",
    "fewer rows than retraining",
    "cheaper",
    "forget accuracy",
    "holdout accuracy",
    "mia_auc",
]

if __name__ == "__main__":
    app()
