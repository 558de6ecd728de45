"""Many small requests in a row on one lineage: how far it drifts from retraining.

    python -m benchmarks.sequential --data DIR --models .bench/models

Each request is unlearned from the result of the one before. At the checkpoints models are
retrained without everything forgotten so far, and one update forgets the same rows in one go.
"""

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Annotated, Any

import torch
from cyclopts import Parameter
from torch import nn

from benchmarks.cases import CASES, Case
from benchmarks.datasets import DataSet, Split, load, split
from benchmarks.drift import plot, table
from benchmarks.measure import METRICS, report_on
from benchmarks.zoo import Zoo
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.methods.catalog import unlearn
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.rows import TensorRows

Names = Annotated[list[str], Parameter(consume_multiple=True)]
Numbers = Annotated[list[int], Parameter(consume_multiple=True)]
RESULTS = Path(__file__).parent / "results"
CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Plan:
    """The requests of one lineage."""

    requests: int
    rows_each: int
    checkpoints: tuple[int, ...]
    """Numbers of requests after which models are retrained for comparison."""
    retrained: int
    """Retrained models at each checkpoint; at least 2."""


class Lineage:
    """One original, its requests, and what may be read and judged after each of them."""

    def __init__(self, case: Case, data: DataSet, zoo: Zoo, plan: Plan, seed: int) -> None:
        self._case, self._data, self._zoo, self._plan, self._seed = case, data, zoo, plan, seed
        share = plan.requests * plan.rows_each / data.train.count
        self._split: Split = split(data, forget_share=share, seed=seed)
        self._original = zoo.original(seed)

    def steps(self, config: UnlearningConfig) -> Iterator[dict[str, Any]]:
        """The measurements after each request, from 0; checkpoints have retrained ones beside."""
        yield self._measured(self._original, 0, 0.0)
        model = self._original
        for number in range(1, self._plan.requests + 1):
            model, seconds = self._unlearned(model, number - 1, number, config)
            step = self._measured(model, number, seconds)
            if number in self._plan.checkpoints:
                step |= self._compared(model, number, config)
            yield step

    def _unlearned(
        self, model: nn.Module, first: int, last: int, config: UnlearningConfig
    ) -> tuple[nn.Module, float]:
        """The model without requests `first` + 1 to `last`; earlier rows are never read again."""
        problem = UnlearningProblem(
            model=model,
            forget=self._requested(first, last),
            retain=_joined(self._split.retain_read, self._requested(last, self._plan.requests)),
            holdout=self._split.holdout_read,
        )
        started = perf_counter()
        state = unlearn(problem, config)
        seconds = perf_counter() - started
        result = deepcopy(model)
        result.load_state_dict(state)
        return result, seconds

    def _measured(self, model: nn.Module, number: int, seconds: float) -> dict[str, Any]:
        sets = {
            "retain": self._split.retain_judged,
            "forget": self._requested(0, max(number, 1)),
            "holdout": self._split.holdout_judged,
        }
        report = report_on(model, sets, chunk_size=CHUNK)
        numbers = {name: getattr(report, name) for name in (*METRICS, "mia_standard_error")}
        return {
            "request": number,
            **numbers,
            "distance": distance(model, self._original),
            "seconds": seconds,
        }

    def _compared(self, model: nn.Module, number: int, config: UnlearningConfig) -> dict[str, Any]:
        """Retrained models and a single update, all without the first `number` requests."""
        kept = _joined(self._split.retain, self._requested(number, self._plan.requests))
        several = [
            self._zoo.retrained_on(kept, number=100 * self._seed + i)
            for i in range(self._plan.retrained)
        ]
        retrained = [self._measured(one, number, 0.0) for one in several]
        at_once, seconds = self._unlearned(self._original, 0, number, config)
        single = self._measured(at_once, number, seconds)
        mine = self._measured(model, number, 0.0)
        return {
            "retrained": retrained,
            "at_once": single,
            "gap": gap(mine, retrained),
            "gap_at_once": gap(single, retrained),
            "gap_of_retrained": spread(retrained),
        }

    def _requested(self, first: int, last: int) -> TensorRows:
        rows, size = self._split.forget, self._plan.rows_each
        span = slice(first * size, last * size)
        return TensorRows(rows.inputs[span], rows.labels[span])


def distance(model: nn.Module, original: nn.Module) -> float:
    """Length of the parameter change, as a share of the original parameters' length."""
    pairs = list(zip(model.parameters(), original.parameters(), strict=True))
    change = sum(float((new - old).detach().double().square().sum()) for new, old in pairs)
    return (change / sum(float(old.detach().double().square().sum()) for _, old in pairs)) ** 0.5


def gap(one: dict[str, Any], retrained: Sequence[dict[str, Any]]) -> float:
    """Mean over the four metrics of the distance to the retrained models' mean."""
    return mean(abs(one[name] - mean(r[name] for r in retrained)) for name in METRICS)


def spread(retrained: Sequence[dict[str, Any]]) -> float:
    """The mean gap of each retrained model to the others: what chance alone makes of it."""
    others = [[r for r in retrained if r is not one] for one in retrained]
    return mean(gap(one, rest) for one, rest in zip(retrained, others, strict=True))


def run(case: Case, data: DataSet, zoo: Zoo, plan: Plan, seeds: Sequence[int]) -> dict[str, Any]:
    """All lineages of a case, ready for JSON."""
    config = UnlearningConfig()
    lineages = []
    for seed in seeds:
        started = perf_counter()
        steps = list(Lineage(case, data, zoo, plan, seed).steps(replace(config, seed=seed)))
        lineages.append({"seed": seed, "steps": steps})
        took = perf_counter() - started
        print(f"{case.name} seed {seed}: {took:.0f} s", flush=True)  # noqa: T201 - progress
    return {
        "case": case.name,
        "method": config.method,
        "train_rows": data.train.count,
        "plan": asdict(plan),
        "lineages": lineages,
    }


def main(
    *,
    data: Path,
    models: Path = Path(".bench/models"),
    case: Names | None = None,
    requests: int = 50,
    rows_each: int | None = None,
    seeds: Numbers | None = None,
    retrained: int = 3,
    out: Path = RESULTS,
) -> None:
    """Unlearn many small requests one after another and measure the drift against retraining.

    Parameters
    ----------
    data
        Directory with the folder of each data set.
    models
        Folder of trained models; what is missing is trained.
    case
        Names of cases; location30-mlp if omitted.
    requests
        Requests in a row.
    rows_each
        Rows of each request; 0.2 % of the training rows if omitted.
    seeds
        Seeds of the lineages; 0 1 2 if omitted.
    retrained
        Retrained models at each checkpoint.
    out
        Folder of the JSON and PNG files.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoints = (*(n for n in (1, 10, 25, 50) if n < requests), requests)
    for name in case or ["location30-mlp"]:
        chosen = CASES[name]
        rows = load(data / chosen.folder, train_rows=chosen.train_rows)
        plan = Plan(requests, rows_each or round(0.002 * rows.train.count), checkpoints, retrained)
        result = run(chosen, rows, Zoo(models, chosen, rows), plan, seeds or [0, 1, 2])
        path = out / f"sequential-{name}.json"
        path.write_text(json.dumps(_rounded(result), indent=None) + "\n")
        plot(result, path.with_suffix(".png"))
        print(table(result))  # noqa: T201 - the output asked for


def _joined(one: TensorRows, other: TensorRows) -> TensorRows:
    inputs, labels = (one.inputs, other.inputs), (one.labels, other.labels)
    return TensorRows(torch.cat(inputs), torch.cat(labels))


def _rounded(value: Any) -> Any:
    """The same with six digits, so that the file stays small."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, (list, tuple)) else value


if __name__ == "__main__":
    import cyclopts

    cyclopts.run(main)
