"""Measure every method on every case against retraining.

    python -m benchmarks.run --data DIR [--cases adult-mlp …] [--seeds 5] [--device cuda]

DIR holds one folder for each data set with `train.parquet` and `test.parquet`. Trained models are
kept and read again, so a run that was stopped goes on where it stopped.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import torch
from cyclopts import App, Parameter
from rich.console import Console

from benchmarks.cases import CASES, Case
from benchmarks.datasets import load, split
from benchmarks.measure import APPROXIMATE, gap, ledger_of, measure, metrics_of
from benchmarks.report import write_report
from benchmarks.zoo import Zoo

Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True)]
Shares = Annotated[tuple[float, ...], Parameter(consume_multiple=True)]
RESULTS = Path(__file__).parent / "results"
app = App(help=__doc__)
console = Console()


@app.default
def run(
    *,
    data: Path,
    models: Path = Path(".bench/models"),
    results: Path = RESULTS,
    cases: Names = (),
    shares: Shares = (0.05, 0.01),
    seeds: int = 5,
    retrained: int = 3,
    device: str = "cpu",
    threads: int = 1,
) -> None:
    """Measure, and write the results and the report.

    Parameters
    ----------
    data
        Directory of the data sets.
    models
        Where trained models are kept.
    results
        Where a JSON file for each case is written.
    cases
        Names of cases; all that the device and the data allow if omitted.
    shares
        Shares of the training rows to forget.
    seeds
        Number of originals, each with a forget set of its own.
    retrained
        Retrained models for each forget set; at least 2.
    device
        cpu or cuda.
    threads
        Processor threads of torch.
    """
    torch.set_num_threads(threads)
    for case in chosen(cases, data, device):
        found = measure_case(case, data, models, shares, seeds, retrained, device)
        results.mkdir(parents=True, exist_ok=True)
        (results / f"{case.name}.json").write_text(json.dumps(found, indent=1) + "\n")
    report()


@app.command
def report(results: Path = RESULTS) -> None:
    """Write RESULTS.md and the plots from the results that are there."""
    console.print(f"Wrote {write_report(results)}", highlight=False)


def chosen(names: Names, data: Path, device: str) -> list[Case]:
    """The cases asked for; those without data, or for a GPU that is not used, are named and left.

    Raises:
        ValueError: a name is unknown, or nothing is left.
    """
    unknown = sorted(set(names) - set(CASES))
    if unknown:
        raise ValueError(f"There is no case {unknown[0]!r}; choose from {', '.join(CASES)}.")
    kept: list[Case] = []
    for case in (CASES[name] for name in names or CASES):
        if not (data / case.folder / "train.parquet").exists():
            console.print(f"{case.name}: no {data / case.folder}, left out", highlight=False)
        elif case.needs_gpu and device == "cpu":
            console.print(f"{case.name}: needs --device cuda, left out", highlight=False)
        else:
            kept.append(case)
    if not kept:
        raise ValueError(
            f"No case can be measured with the data in {data}; see benchmarks/cases.py."
        )
    return kept


def measure_case(
    case: Case,
    data: Path,
    models: Path,
    shares: Shares,
    seeds: int,
    retrained: int,
    device: str,
) -> dict[str, Any]:
    """All problems of one case, each with every method."""
    rows = load(data / case.folder, train_rows=case.train_rows)
    zoo = Zoo(models, case, rows, device)
    problems: list[dict[str, Any]] = []
    for share in shares:
        for seed in range(seeds):
            problem = split(rows, forget_share=share, seed=seed)
            original = zoo.original(seed).model.to(device)
            others = [
                zoo.retrained(seed, forget_share=share, number=number)
                for number in range(retrained)
            ]
            known = [metrics_of(one.model.to(device), problem, device) for one in others]
            ledger = ledger_of(original, problem, device)
            found = {
                name: asdict(measure(name, original, problem, ledger, device=device))
                for name in APPROXIMATE
            }
            for one in found.values():
                one["gap"] = gap(one["metrics"], known)
            problems.append(
                {
                    "share": share,
                    "seed": seed,
                    "forget_count": problem.forget.count,
                    "original": metrics_of(original, problem, device),
                    "retrained": known,
                    "retrain_seconds": [one.seconds for one in others],
                    "methods": found,
                }
            )
            best = min(found, key=lambda name: found[name]["gap"])
            console.print(
                f"{case.name} {share:.0%} seed {seed}: closest is {best}, gap "
                f"{found[best]['gap']:.4f}; calibrated {found['calibrated']['gap']:.4f}, "
                f"reference step {found['reference_step']['gap']:.4f}",
                highlight=False,
            )
    training = asdict(case.training)
    facts = {"case": case.name, "train_rows": rows.train.count, "training": training}
    return {**facts, "device": device, "problems": problems}


if __name__ == "__main__":
    app()
