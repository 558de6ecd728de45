"""How a lineage of small requests drifts from retraining: a table and a picture."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks.measure import METRICS


def table(result: dict[str, Any]) -> str:
    """The drift at each checkpoint as a Markdown table, means over the lineages."""
    columns = (
        "requests", "rows forgotten", "retain acc", "forget acc", "holdout acc", "`mia_auc`",
        "gap", "gap at once", "gap among retrained", "weights moved",
    )  # fmt: skip
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for number in result["plan"]["checkpoints"]:
        steps = [lineage["steps"][number] for lineage in result["lineages"]]
        rows = number * result["plan"]["rows_each"]
        cells = [str(number), f"{rows} ({rows / result['train_rows']:.1%})"]
        cells += [_beside(steps, name) for name in METRICS]
        for name in ("gap", "gap_at_once", "gap_of_retrained", "distance"):
            cells.append(f"{mean(s[name] for s in steps):.3f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _beside(steps: Sequence[dict[str, Any]], name: str) -> str:
    """The unlearned number, and in brackets the retrained one."""
    retrained = mean(r[name] for s in steps for r in s["retrained"])
    return f"{mean(s[name] for s in steps):.3f} ({retrained:.3f})"


def plot(result: dict[str, Any], path: Path) -> None:
    """Each metric, the distance and the gap against requests, with the retrained level."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(12, 6.5), sharex=True, layout="constrained")
    for axis, name in zip(axes.flat, (*METRICS, "distance", "gap"), strict=True):
        if name == "gap":
            _draw_gaps(axis, result)
        else:
            _draw_lines(axis, result, name)
        axis.set_title(_TITLES[name], fontsize=10)
        axis.grid(alpha=0.3)
    for axis in axes[1]:
        axis.set_xlabel("requests unlearned, one after another")
    axes[0, 0].legend(fontsize=8)
    axes[1, 2].legend(fontsize=8)
    share = result["plan"]["rows_each"] / result["train_rows"]
    figure.suptitle(
        f"{result['case']}, method {result['method']}: {result['plan']['requests']} requests of "
        f"{result['plan']['rows_each']} rows ({share:.2%}) each, {len(result['lineages'])} lineages"
    )
    figure.savefig(path, dpi=80)
    plt.close(figure)


_TITLES = {
    "retain_accuracy": "retain accuracy",
    "forget_accuracy": "accuracy on all rows forgotten so far",
    "holdout_accuracy": "holdout accuracy",
    "mia_auc": "mia_auc of all rows forgotten so far",
    "distance": "weights moved from the original (share of their length)",
    "gap": "gap to retraining (mean over the four metrics)",
}


def _draw_lines(axis: Any, result: dict[str, Any], name: str) -> None:
    steps = [lineage["steps"] for lineage in result["lineages"]]
    numbers = [step["request"] for step in steps[0]]
    for one in steps:
        axis.plot(numbers, [s[name] for s in one], color="tab:blue", alpha=0.25, linewidth=0.8)
    means = [mean(each[name] for each in step) for step in zip(*steps, strict=True)]
    axis.plot(numbers, means, color="tab:blue", label="unlearned, one by one")
    if name == "distance":
        return
    checkpoints = result["plan"]["checkpoints"]
    at = [[one[n] for one in steps] for n in checkpoints]
    retrained = [[r[name] for s in step for r in s["retrained"]] for step in at]
    axis.errorbar(
        checkpoints,
        [mean(values) for values in retrained],
        [stdev(values) for values in retrained],
        color="black", marker="s", linestyle="--", capsize=3, label="retrained (± 1 sd)",
    )  # fmt: skip
    single = [mean(s["at_once"][name] for s in step) for step in at]
    axis.plot(checkpoints, single, "^", color="tab:orange", label="unlearned in one go")


def _draw_gaps(axis: Any, result: dict[str, Any]) -> None:
    checkpoints = result["plan"]["checkpoints"]
    at = [[lineage["steps"][n] for lineage in result["lineages"]] for n in checkpoints]
    for name, style, label in (
        ("gap", "o-", "unlearned, one by one"),
        ("gap_at_once", "^-", "unlearned in one go"),
        ("gap_of_retrained", "s--", "retrained among themselves"),
    ):
        color = {"o-": "tab:blue", "^-": "tab:orange", "s--": "black"}[style]
        means = [mean(s[name] for s in step) for step in at]
        axis.plot(checkpoints, means, style, color=color, label=label)
    axis.set_ylim(bottom=0)
