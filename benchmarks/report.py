"""Tables and plots of measured results: RESULTS.md beside the results, and a picture a case."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks import gate
from benchmarks.drift import table
from benchmarks.intervals import average_ranks, confidence_interval, ratio_interval
from benchmarks.measure import METRICS
from benchmarks.plots import plot_gap_against_cost

HEAD = """# Results

How close each method comes to retraining, and what it costs. Written by `make bench`; the numbers
behind it are in `results/*.json`.

- **gap**: mean of |difference| over retain, forget and holdout accuracy and `mia_auc`, against the
  mean of the retrained models, with a 95 % interval over the seeds (Student's t). Each seed has an
  original, a forget set and retrained models of its own. What a method reads (at most 4,000 retain
  rows, half of the test rows) is apart from what it is judged on.
- **noise of retraining**: the gap of one retrained model to the others; nothing can be expected
  below it. Where that alone is above a third of the published step's gap, so would a retrained
  model's be.
- **passes**: rows through the model, a forward and backward pass counting one and a forward pass
  one third, over the rows of the training table. The ledger's own pass is made at enrolment.
- **fewer rows**: rows through the model in retraining over those of the update.
- **cheaper**: processor seconds of retraining (the better of two epochs measured in the same run,
  times the epochs) over those of the method (the better of two runs).
- **memory**: resident memory at its peak over what was there before, in MB (median).
- **rank**: average rank by gap among all approximate methods.
- Every method has one setting for all cases, its default; none was tuned to a case. Those of the
  calibrated update were chosen on seeds 0 to 4 of these very cases; where a table of other seeds
  follows, they had no part in that.
- Models are modules, or exported ones (`pt2`) where `--exported` was given; those take small steps
  for few rows, too.
"""


def write_report(results: Path) -> Path:
    """Write `RESULTS.md` one level above the results and a plot beside each; gives its path."""
    found = [
        json.loads(path.read_text())
        for path in sorted(results.glob("*.json"))
        if "problems" in json.loads(path.read_text())
    ]
    fresh = [case for case in found if case["problems"][0]["seed"] > 0]
    found = [case for case in found if case not in fresh]
    parts = [HEAD, "\n## The default update against the paper's\n\n", _overview(found)]
    if fresh:
        parts += [
            "\n## The same on seeds that the defaults were not chosen on\n\n",
            _overview(fresh),
        ]
    if (results / "costs.json").exists():
        parts.append(_costs(json.loads((results / "costs.json").read_text())))
    if (results / "gate.json").exists():
        parts.append(_gate(json.loads((results / "gate.json").read_text())))
    parts += [_sequence(path) for path in sorted(results.glob("sequential-*.json"))]
    for case in found:
        plot_gap_against_cost(case, results / f"{case['case']}.png")
        parts.append(_case(case, results.name))
    path = results.parent / "RESULTS.md"
    path.write_text("\n".join(parts))
    return path


def shares(case: dict[str, Any]) -> list[float]:
    """The shares of rows that were forgotten, largest first."""
    return sorted({one["share"] for one in case["problems"]}, reverse=True)


def problems(case: dict[str, Any], share: float) -> list[dict[str, Any]]:
    """The problems of one share."""
    return [one for one in case["problems"] if one["share"] == share]


def retraining_noise(found: list[dict[str, Any]]) -> list[float]:
    """For each problem the mean gap of one retrained model to the mean of the others."""
    return [_mean_gap_to_others(one["retrained"]) for one in found]


def _mean_gap_to_others(models: list[dict[str, float]]) -> float:
    gaps: list[float] = []
    for number, one in enumerate(models):
        others = models[:number] + models[number + 1 :]
        gaps += [abs(one[m] - mean(other[m] for other in others)) for m in METRICS]
    return mean(gaps)


def _overview(found: list[dict[str, Any]]) -> str:
    rows: list[list[str]] = []
    for case in found:
        for share in shares(case):
            here = problems(case, share)
            ours, theirs = (
                [one["methods"][name]["gap"] for one in here]
                for name in ("calibrated", "published_step")
            )
            ranks = average_ranks(here)
            ahead = sorted(ranks, key=lambda name: ranks[name])
            rows.append(
                [
                    case["case"],
                    f"{share:.0%}",
                    str(len(here)),
                    f"{mean(one['original']['gap'] for one in here):.4f}",
                    f"{mean(theirs):.4f}",
                    f"{mean(ours):.4f}",
                    f"{mean(retraining_noise(here)):.4f}",
                    ratio_interval(ours, theirs),
                    f"{_holdout_loss(here):+.3f}",
                    f"{1 + ahead.index('calibrated')} of {len(ahead)}",
                    f"{_fewer_rows(case, here, 'calibrated'):,.0f}x",
                    f"{_cheaper(case, here, 'calibrated'):,.0f}x",
                ]
            )
    head = ["case", "forgotten", "seeds", "gap: original", "published step", "calibrated"]
    head.append("noise of retraining")
    head += [
        "calibrated / published",
        "holdout less retrained",
        "place by rank",
        "fewer rows",
        "cheaper",
    ]
    return _table(head, rows)


def _requests(found: list[dict[str, Any]]) -> str:
    """The published step with and without the ledger, on the whole table of each case."""
    rows = [
        [one["case"], f"{one['share']:.0%}", f"{one['rows'][1]:,} of {one['rows'][0]:,}",
         f"{one['full_pass_over_ledger']:.0f}x", f"{one['rows'][0] / one['rows'][1]:.0f}x"]
        for one in found
    ]  # fmt: skip
    head = ["case", "forgotten", "rows", "seconds: full pass / ledger", "rows: full pass / ledger"]
    return (
        "\n## The published step by a full pass and by the ledger\n\n"
        "Median of five, in turn, one run (`python -m benchmarks.costs`). The ledger saves rows; "
        "what a step costs whatever the rows, some passes over the weights, remains.\n\n"
        + _table(head, rows)
    )


def _costs(found: dict[str, Any]) -> str:
    grown = [
        [one["case"], f"{step['rows']:,}", f"{step['ledger_growth']:.2f}",
         f"{step['full_pass_over_ledger']:.0f}x"]
        for one in found["ledger"]
        for step in one["growth"]
    ]  # fmt: skip
    restricted = [
        [one["case"], *(f"{one['ratios'][n]:.2f}" for n in ("plain", "finite_difference", "exact"))]
        for one in found["restriction"]
    ]
    growth = ["case", "rows of the table", "seconds, against the smallest table", "full / ledger"]
    forms = ["case", "plain", "finite difference (default)", "exact double backward"]
    return _requests(found["request"]) + (
        "\n## One request of 40 rows while the table grows\n\n"
        "The published step with the ledger; median of three, one run "
        "(`python -m benchmarks.costs`).\n\n"
        + _table(growth, grown)
        + "\n## Seconds of an epoch with gradient restriction, against plain training\n\n"
        + _table(forms, restricted)
    )


def _gate(found: dict[str, Any]) -> str:
    return (
        "\n## How often the gate is right\n\n"
        "Models that have forgotten (retrained) and that have not (originals), by the default "
        "policy on at most 2,000 retain and 2,000 holdout rows, with 4 reference models "
        "(`python -m benchmarks.gate`). A retrained model is judged as one, and once more as if an "
        "update had made it. Evidence costs the passes of both models and of the references, which "
        "are there already.\n\n" + _table(gate.HEAD, gate.table(found))
    )


def _sequence(path: Path) -> str:
    name = path.stem.removeprefix("sequential-")
    return (
        f"\n## Many small requests in a row: {name}\n\n"
        "Each unlearned from the result of the one before (`python -m benchmarks.sequential`); "
        "retrained models in brackets.\n\n"
        f"{table(json.loads(path.read_text()))}\n\n![drift]({path.parent.name}/{path.stem}.png)\n"
    )


def _holdout_loss(here: list[dict[str, Any]]) -> float:
    return mean(
        one["methods"]["calibrated"]["metrics"]["holdout_accuracy"]
        - mean(other["holdout_accuracy"] for other in one["retrained"])
        for one in here
    )


def _cheaper(case: dict[str, Any], here: list[dict[str, Any]], name: str) -> float:
    return case["retrain_seconds"] / mean(one["methods"][name]["seconds"] for one in here)


def _fewer_rows(case: dict[str, Any], here: list[dict[str, Any]], name: str) -> float:
    """Gradient restriction passes every row twice in an epoch."""
    retraining = 2 * case["training"]["epochs"] * case["train_rows"]
    return retraining / mean(one["methods"][name]["rows"] for one in here)


def _case(case: dict[str, Any], folder: str) -> str:
    training = case["training"]
    lines = [
        f"\n## {case['case']}\n",
        (
            f"{case['train_rows']:,} training rows, {training['epochs']} epochs, batch "
            f"{training['batch_size']}, gradient restriction {training['alpha']} "
            f"({training['restriction']}), on {case['device']}.\n"
        ),
        f"![gap against cost]({folder}/{case['case']}.png)\n",
    ]
    for share in shares(case):
        lines.append(f"### {share:.0%} forgotten\n")
        lines.append(_methods(case, problems(case, share)))
    return "\n".join(lines)


def _methods(case: dict[str, Any], here: list[dict[str, Any]]) -> str:
    ranks = average_ranks(here)
    rows = [
        ["*original*", *_means(one["original"] for one in here), "", "", "", "", ""],
        [
            "*retrained*",
            *_means(model for one in here for model in one["retrained"]),
            f"{mean(retraining_noise(here)):.4f} (noise of retraining)",
            f"{case['training']['epochs'] * 2}",
            "1x",
            "",
            "",
        ],
    ]
    rows[0][5] = confidence_interval([one["original"]["gap"] for one in here])
    for name in sorted(ranks, key=lambda name: ranks[name]):
        runs = [one["methods"][name] for one in here]
        peaks = sorted(one["peak_bytes"] for one in runs)
        rows.append(
            [
                name,
                *_means(one["metrics"] for one in runs),
                confidence_interval([one["gap"] for one in runs]),
                f"{mean(one['rows'] for one in runs) / case['train_rows']:.2f}",
                f"{_cheaper(case, here, name):,.0f}x",
                f"{peaks[len(peaks) // 2] / 1e6:.0f}",
                f"{ranks[name]:.1f}",
            ]
        )
    head = ["method", "retain", "forget", "holdout", "mia_auc", "gap", "passes", "cheaper"]
    return _table([*head, "memory", "rank"], rows)


def _means(several: Iterable[dict[str, float]]) -> Iterator[str]:
    models = list(several)
    for name in METRICS:
        yield f"{mean(one[name] for one in models):.3f}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
    return "\n".join(lines) + "\n"
