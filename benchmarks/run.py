"""Measure every method on every case against retraining.

    python -m benchmarks.run --data DIR [--cases adult-mlp …] [--seeds 5] [--device cuda]

DIR holds one folder for each data set with `train.parquet` and `test.parquet`. Trained models are
kept and read again, so a run that was stopped goes on where it stopped.
"""

import json
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from cyclopts import App, Parameter
from rich.console import Console
from torch import Tensor, nn

from benchmarks.cases import CASES, Case
from benchmarks.datasets import DataSet, load, split
from benchmarks.measure import (
    APPROXIMATE,
    gap,
    ledger_of,
    load_lazy_parts,
    measure,
    metrics_of,
    retrain_seconds,
)
from benchmarks.report import write_report
from benchmarks.zoo import Zoo

Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True)]
Shares = Annotated[tuple[float, ...], Parameter(consume_multiple=True)]
RESULTS = Path(__file__).parent / "results"
app = App(help=__doc__)
console = Console(highlight=False, soft_wrap=True)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured."""

    data: Path
    "Directory of the data sets."
    models: Path = Path(".bench/models")
    "Where trained models are kept."
    shares: Shares = (0.05, 0.01)
    "Shares of the training rows to forget."
    seeds: int = 5
    "Number of originals, each with a forget set of its own."
    first_seed: int = 0
    "Seed of the first original; from 5 on the defaults were not chosen on them."
    retrained: int = 3
    "Retrained models for each forget set; at least 2."
    device: str = "cpu"
    "cpu or cuda."
    threads: int = 1
    "Processor threads of torch."
    exported: bool = False
    "Measure originals in the form of torch.export; name another directory with --results."


@app.default
def run(plan: Plan, *, cases: Names = (), results: Path = RESULTS) -> None:
    """Measure, and write the results and the report.

    Parameters
    ----------
    plan
        What is measured.
    cases
        Names of cases; all that the device and the data allow if omitted.
    results
        Where a JSON file for each case is written.
    """
    torch.set_num_threads(plan.threads)
    load_lazy_parts()
    for case in chosen(cases, plan):
        results.mkdir(parents=True, exist_ok=True)
        name = f"{case.name}-from-{plan.first_seed}" if plan.first_seed else case.name
        for found in measure_case(case, plan):
            (results / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    report(results)


@app.command
def report(results: Path = RESULTS) -> None:
    """Write RESULTS.md and the plots from the results that are there."""
    console.print(f"Wrote {write_report(results)}")


def chosen(names: Names, plan: Plan) -> list[Case]:
    """The cases asked for; of all, those that cannot be measured or take hours are named and left.

    Raises:
        ValueError: a name is unknown, or nothing is left.
    """
    unknown = sorted(set(names) - set(CASES))
    if unknown:
        raise ValueError(f"There is no case {unknown[0]!r}; choose from {', '.join(CASES)}.")
    kept: list[Case] = []
    for case in (CASES[name] for name in names or CASES):
        if not (plan.data / case.folder / "train.parquet").exists():
            console.print(f"{case.name}: no {plan.data / case.folder}, left out")
        elif case.needs_gpu and plan.device == "cpu":
            console.print(f"{case.name}: needs --device cuda, left out")
        elif case.takes_hours and not names:
            console.print(f"{case.name}: takes hours, left out unless it is named")
        else:
            kept.append(case)
    if not kept:
        raise ValueError(f"{plan.data} holds no data of a case; see benchmarks/cases.py.")
    return kept


def measure_case(case: Case, plan: Plan) -> Iterator[dict[str, Any]]:
    """The problems of one case, each with every method: all that are done, after each of them."""
    rows = load(plan.data / case.folder, train_rows=case.train_rows)
    zoo = Zoo(plan.models, case, rows, plan.device)
    facts = {
        "case": case.name,
        "train_rows": rows.train.count,
        "training": asdict(case.training),
        "retrain_seconds": retrain_seconds(case, rows, plan.device),
        "device": plan.device,
    }
    done: list[dict[str, Any]] = []
    for one in _problems(case, rows, zoo, plan):
        done.append(one)
        yield {**facts, "problems": done}


def _problems(case: Case, rows: DataSet, zoo: Zoo, plan: Plan) -> Iterator[dict[str, Any]]:
    for seed in range(plan.first_seed, plan.first_seed + plan.seeds):
        for share in plan.shares:
            problem = split(rows, forget_share=share, seed=seed)
            original = zoo.original(seed).to(plan.device)
            if plan.exported:
                original = exported(original, rows.train.inputs[:2].to(plan.device))
            known = [
                metrics_of(
                    zoo.retrained(seed, forget_share=share, number=number).to(plan.device),
                    problem,
                    plan.device,
                )
                for number in range(plan.retrained)
            ]
            ledger = ledger_of(original, problem, plan.device)
            found: dict[str, dict[str, Any]] = {}
            for name in APPROXIMATE:
                found[name] = asdict(measure(name, original, problem, ledger, device=plan.device))
                found[name]["gap"] = gap(found[name]["metrics"], known)
            before = metrics_of(original, problem, plan.device)
            ours, theirs = found["calibrated"]["gap"], found["published_step"]["gap"]
            console.print(
                f"{case.name} {share:.0%} seed {seed}: gap of the original {gap(before, known):.4f}"
                f", published step {theirs:.4f}, calibrated {ours:.4f}"
            )
            yield {
                "share": share,
                "seed": seed,
                "forget_count": problem.forget.count,
                "original": {**before, "gap": gap(before, known)},
                "retrained": known,
                "methods": found,
            }


def exported(model: nn.Module, example: Tensor) -> nn.Module:
    """The model as `torch.export` gives it, for any number of rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export warns about its own internals
        return torch.export.export(
            model, (example,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)
        ).module()


if __name__ == "__main__":
    app()
