"""One method on one problem: how close to retraining it comes and what it costs."""

import ctypes
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time

import torch
from torch import Tensor, nn
from torch.func import grad, vmap

from benchmarks.cases import Case
from benchmarks.counting import counted_rows
from benchmarks.datasets import DataSet, Split
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.evaluation.measurement import evaluation_report
from unlearning.evidence.utility_report import EvaluationReport
from unlearning.methods.catalog import METHODS, unlearn
from unlearning.methods.gradient_ledger import Ledger
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.gradients import mean_gradient
from unlearning.model.rows import Rows
from unlearning.model.scores import read_scores
from unlearning.training.training import train

METRICS = ("retain_accuracy", "forget_accuracy", "holdout_accuracy", "mia_auc")
WHOLE_TABLE = "published_step_full_pass"
"""The step as the published script takes it: over the whole retain set, with no ledger."""
APPROXIMATE = (*(name for name in METHODS if name != "retrain"), WHOLE_TABLE)
_CLEAR_PEAK = "5"  # what Linux takes in /proc/self/clear_refs to start the peak anew


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one method made of one problem."""

    metrics: dict[str, float]
    """The four metrics on rows that the method did not read, forget rows apart."""
    seconds: float
    """Processor time, the less of two runs; compare only within one run of the benchmark."""
    rows: float
    """Rows that went through the model: forward and backward count one, forward alone 1/3."""
    peak_bytes: int
    """Memory at its peak, over what was there before."""


def metrics_of(model: nn.Module, problem: Split, device: str) -> dict[str, float]:
    """The four numbers that a gap to retraining is made of, on rows that no method read."""
    sets = {
        "retain": problem.retain_judged,
        "forget": problem.forget,
        "holdout": problem.holdout_judged,
    }
    report = report_on(model, sets, chunk_size=2048, device=device)
    return {name: getattr(report, name) for name in METRICS}


def report_on(
    model: nn.Module, sets: Mapping[str, Rows], *, chunk_size: int, device: str = "cpu"
) -> EvaluationReport:
    """The report on a model over the sets "retain", "forget" and "holdout"."""
    return evaluation_report(
        {
            name: read_scores(model, rows, chunk_size=chunk_size, device=device)
            for name, rows in sets.items()
        }
    )


def ledger_of(model: nn.Module, problem: Split, device: str) -> Ledger:
    """The gradient ledger of an original, as enrolment makes it."""
    gradient = mean_gradient(model, problem.train, chunk_size=1024, device=device)
    return Ledger(gradient, model_digest="benchmark", dataset="benchmark")


def measure(
    name: str,
    model: nn.Module,
    problem: Split,
    ledger: Ledger,
    *,
    device: str,
    config: UnlearningConfig | None = None,
) -> Measured:
    """Run one method; every one gets the same samples to read, the full pass the whole retain set.

    The ledger is offered to all, and paid for at enrolment.
    """
    is_full = name == WHOLE_TABLE
    method = "published_step" if is_full else name
    given = UnlearningProblem(
        model=deepcopy(model),
        forget=problem.forget,
        retain=problem.retain if is_full else problem.retain_read,
        holdout=problem.holdout_read,
        ledger=None if is_full else ledger,
        device=device,
    )
    plan = replace(config or UnlearningConfig(), method=method)
    with counted_rows(given.model) as count:
        state, first, peak = _observed(lambda: unlearn(given, plan), device)
    # Retraining is timed by the better of two epochs: nor should a method pay for cold caches.
    _, second = _timed(lambda: unlearn(given, plan), device)
    given.model.load_state_dict(state)
    return Measured(
        metrics=metrics_of(given.model, problem, device),
        seconds=min(first, second),
        rows=count.passed,
        peak_bytes=peak,
    )


def gap(metrics: dict[str, float], retrained: list[dict[str, float]]) -> float:
    """Mean over the metrics of |metric - its mean over the retrained models|."""
    means = {name: sum(one[name] for one in retrained) / len(retrained) for name in METRICS}
    return sum(abs(metrics[name] - means[name]) for name in METRICS) / len(METRICS)


def retrain_seconds(case: Case, rows: DataSet, device: str) -> float:
    """Processor seconds of a whole training, from one epoch measured in this run."""
    config = replace(case.training, epochs=1)
    seconds: list[float] = []
    for _ in range(2):  # the first one warms up
        started = process_time()
        train(case.build(rows, 0), rows.train, config, device=device)
        if device != "cpu":
            torch.cuda.synchronize()
        seconds.append(process_time() - started)
    return min(seconds) * case.training.epochs


def load_lazy_parts() -> None:
    """Nothing: torch loads what its gradients of single rows need, which takes a second or two.

    It does so once in a process, at the first use, and whichever method came first would pay.
    """
    vmap(grad(lambda row: row.sum()))(torch.ones(2, 1))


def _observed(
    work: Callable[[], dict[str, Tensor]], device: str
) -> tuple[dict[str, Tensor], float, int]:
    """What the work gives, its seconds, and the memory it took at its peak."""
    before = _start_peak(device)
    state, seconds = _timed(work, device)
    return state, seconds, _peak(device) - before


def _timed(work: Callable[[], dict[str, Tensor]], device: str) -> tuple[dict[str, Tensor], float]:
    """What the work gives, and its seconds."""
    started = process_time()
    state = work()
    if device != "cpu":
        torch.cuda.synchronize()
    return state, process_time() - started


def _start_peak(device: str) -> int:
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    # Freed memory that the allocator keeps would hide what the work takes.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text(_CLEAR_PEAK)
    return _peak(device)


def _peak(device: str) -> int:
    if device != "cpu":
        return torch.cuda.max_memory_allocated()
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
