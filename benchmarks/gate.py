"""How often the gate is right: on retrained models, on untouched originals, and on updates.

    python -m benchmarks.gate --data DIR --models .bench/models

A retrained model has forgotten and must pass, an untouched original has not and must not. The first
is judged twice: as a retrain, and as if an update had made it, which the gate cannot tell.
"""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from time import process_time
from typing import Any

import torch
from cyclopts import App
from torch import nn

from benchmarks.cases import CASES, Case
from benchmarks.datasets import DataSet, Split, load, split
from benchmarks.zoo import Zoo
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.evaluation.canaries import CanaryTest, canary_control
from unlearning.evaluation.measurement import EvidenceRows, Measurement, measure_candidate
from unlearning.evaluation.probes import relearning_speed
from unlearning.gate.gate import decide
from unlearning.methods.catalog import unlearn
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.rows import TensorRows

RESULTS = Path(__file__).parent / "results"
SHARES = (0.05, 0.01)
RETRAINED = 3
CHUNK = 1024
JUDGED = 2000
"""Most retain and holdout rows that a candidate is judged on."""
CANARIES, LEAST_CANARIES, RELEARNED = 256, 128, 64
app = App(help=__doc__)


@dataclass(frozen=True, slots=True)
class Judge:
    """One problem, its original and references, and the policy that all are judged by."""

    problem: Split
    original: nn.Module
    references: list[nn.Module]
    policy: GatePolicy

    def measured(self, candidate: nn.Module) -> Measurement:
        """The candidate beside the original."""
        rows = EvidenceRows(
            retain=_first(self.problem.retain_judged, JUDGED),
            forget=self.problem.forget,
            holdout=_first(self.problem.holdout_judged, JUDGED),
        )
        return measure_candidate(
            self.original, candidate, self.references, rows, self.policy, chunk_size=CHUNK
        )

    def verdict(self, candidate: nn.Module, *, exact: bool = False) -> dict[str, Any]:
        """What the gate says of the candidate, and the processor seconds that it took."""
        started = process_time()
        evidence = self.measured(candidate).evidence
        decision = decide(evidence, self.policy, exact=exact)
        seconds = process_time() - started
        found = evidence.forgetting
        return {
            "passed": decision.passed,
            "outcome": decision.outcome,
            "failed": list(decision.failed_names),
            "attack": found.judged.attack,
            "auc": found.judged.after,
            "upper": found.upper,
            "power": found.power,
            "seconds": seconds,
        }

    def probes(self, candidate: nn.Module) -> dict[str, Any]:
        """Canaries and relearning of an update, and the processor seconds that they took."""
        measured = self.measured(candidate)
        unseen = _first(self.problem.holdout_judged, JUDGED)
        count = min(max(LEAST_CANARIES, self.problem.forget.count), CANARIES, unseen.count // 4)
        forgetting = measured.evidence.forgetting
        test = CanaryTest(
            unseen=unseen,
            canaries=torch.arange(count),
            attack=forgetting.judged.attack,
            references=measured.signals_after["holdout"].references,
            false_alarm=self.policy.false_alarm,
            min_class_rows=self.policy.min_class_rows,
        )
        some = _first(self.problem.forget, RELEARNED)
        goal = float(measured.before["forget"].losses[:RELEARNED].mean())
        started = process_time()
        canaries = canary_control(self.given(), test, UnlearningConfig())
        speed = relearning_speed(candidate, some, unseen, goal=goal)
        seconds = process_time() - started
        return {
            "canaries": asdict(canaries),
            "relearning_speed": speed,
            "relearning_speed_of_the_original": relearning_speed(
                self.original, some, unseen, goal=goal
            ),
            "seconds": seconds,
        }

    def given(self) -> UnlearningProblem:
        """The problem as an update gets it."""
        return UnlearningProblem(
            model=self.original,
            forget=self.problem.forget,
            retain=self.problem.retain_read,
            holdout=self.problem.holdout_read,
        )


def _first(rows: TensorRows, count: int) -> TensorRows:
    """The first rows: `split` has shuffled them."""
    return TensorRows(rows.inputs[:count], rows.labels[:count])


@app.default
def gate(
    *,
    data: Path,
    models: Path = Path(".bench/models"),
    results: Path = RESULTS,
    seeds: int = 5,
    cases: tuple[str, ...] = (),
) -> None:
    """Judge all models of the benchmark and write `gate.json`.

    Parameters
    ----------
    data
        Directory of the data sets.
    models
        Where trained models are kept.
    results
        Where the result is written.
    seeds
        Number of originals.
    cases
        Names of cases; all that need no GPU if omitted.
    """
    torch.set_num_threads(1)
    _warm_up()
    path = results / "gate.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for case in CASES.values():
        if case.needs_gpu or (cases and case.name not in cases):
            continue
        if not (data / case.folder / "train.parquet").exists():
            continue
        rows = load(data / case.folder, train_rows=case.train_rows)
        found[case.name] = list(_judged(case, rows, Zoo(models, case, rows), seeds))
        path.write_text(json.dumps(found, indent=1) + "\n")


def _warm_up() -> None:
    """The first step of an optimiser loads parts of torch for seconds; no method is to pay that."""
    weight = torch.zeros(1, requires_grad=True)
    weight.sum().backward()
    torch.optim.Adam([weight]).step()


def _judged(case: Case, rows: DataSet, zoo: Zoo, seeds: int) -> Iterator[dict[str, Any]]:
    policy = GatePolicy()
    for seed in range(seeds):
        for share in SHARES:
            problem = split(rows, forget_share=share, seed=seed)
            learned = _first(problem.holdout_read, policy.reference_rows)
            judge = Judge(
                problem,
                zoo.original(seed),
                [zoo.reference(learned, seed, number) for number in range(policy.references)],
                policy,
            )
            updated, seconds = _updated(judge)
            retrained = [
                zoo.retrained(seed, forget_share=share, number=number)
                for number in range(RETRAINED)
            ]
            print(f"{case.name} {share:.0%} seed {seed}")  # noqa: T201 - progress
            yield {
                "share": share,
                "seed": seed,
                "forget_count": problem.forget.count,
                "update_seconds": seconds,
                "original": judge.verdict(judge.original),
                "update": judge.verdict(updated),
                "probes": judge.probes(updated),
                "retrained_as_update": [judge.verdict(model) for model in retrained],
                "retrained": [judge.verdict(model, exact=True) for model in retrained],
            }


def _updated(judge: Judge) -> tuple[nn.Module, float]:
    started = process_time()
    state = unlearn(judge.given(), UnlearningConfig())
    seconds = process_time() - started
    model = deepcopy(judge.original)
    model.load_state_dict(state)
    return model, seconds


def table(found: Mapping[str, list[dict[str, Any]]]) -> list[list[str]]:
    """One row for each case and share: counts of passes, and the cost of evidence."""
    lines: list[list[str]] = []
    for name, problems in found.items():
        for share in SHARES:
            here = [one for one in problems if one["share"] == share]
            judged = sum(one["update"]["seconds"] for one in here)
            probed = sum(one["probes"]["seconds"] for one in here)
            update = sum(one["update_seconds"] for one in here)
            lines.append(
                [
                    name,
                    f"{share:.0%}",
                    str(here[0]["forget_count"]),
                    _passes(v for one in here for v in one["retrained"]),
                    _passes(v for one in here for v in one["retrained_as_update"]),
                    _forgotten(v for one in here for v in one["retrained_as_update"]),
                    _passes(one["original"] for one in here),
                    _forgotten(one["original"] for one in here),
                    _passes(one["update"] for one in here),
                    f"{min(one['update']['power'] for one in here):.2f}",
                    _canaries([one["probes"]["canaries"] for one in here]),
                    f"{judged / update:.1f}x",
                    f"{(judged + probed) / update:.1f}x",
                ]
            )
    return lines


HEAD = [
    "case",
    "forgotten",
    "rows",
    "retrained pass",
    "as an update",
    "their outcome forgotten",
    "originals pass",
    "their outcome forgotten",
    "updates pass",
    "least power",
    "canaries caught / erased",
    "evidence / update, seconds",
    "with canaries and relearning",
]


def _canaries(found: list[dict[str, Any]]) -> str:
    caught = sum(one["planted"] > one["limit"] for one in found)
    erased = sum(one["erased"] <= one["limit"] for one in found)
    return f"{caught} / {erased} of {len(found)}"


def _passes(verdicts: Iterator[dict[str, Any]]) -> str:
    held = [one["passed"] for one in verdicts]
    return f"{sum(held)} of {len(held)}"


def _forgotten(verdicts: Iterator[dict[str, Any]]) -> str:
    held = [one["outcome"] == "forgotten" for one in verdicts]
    return f"{sum(held)} of {len(held)}"


if __name__ == "__main__":
    app()
