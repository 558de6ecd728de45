"""Pictures of measured results."""

from pathlib import Path
from statistics import mean
from typing import Any

MARKERS = "osD^vP"
LABELLED = {"calibrated": "calibrated (default)", "published_step": "published step"}


def plot_gap_against_cost(case: dict[str, Any], path: Path) -> None:
    """One panel a share: gap to retraining against passes over the table; low and left is good."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    shares = sorted({one["share"] for one in case["problems"]}, reverse=True)
    figure, axes = plt.subplots(
        1, len(shares), figsize=(4.6 * len(shares) + 1.9, 4.2), squeeze=False, layout="constrained"
    )
    for axis, share in zip(axes[0], shares, strict=True):
        _panel(axis, case, [one for one in case["problems"] if one["share"] == share])
        axis.set_title(f"{case['case']}, {share:.0%} forgotten", fontsize=11)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=8, frameon=False)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _panel(axis: Any, case: dict[str, Any], here: list[dict[str, Any]]) -> None:
    for number, name in enumerate(here[0]["methods"]):
        runs = [one["methods"][name] for one in here]
        cost = mean(one["rows"] for one in runs) / case["train_rows"]
        away = mean(one["gap"] for one in runs)
        ours = name == "calibrated"
        axis.scatter(
            cost,
            away,
            s=130 if ours else 55,
            marker="*" if ours else MARKERS[number % len(MARKERS)],
            color="C3" if ours else f"C{(number + 4) % 10}",
            label=LABELLED.get(name, name.replace("_", " ")),
            zorder=3,
        )
    start = mean(one["original"]["gap"] for one in here)
    axis.axhline(start, color="0.5", linestyle=":", linewidth=1, label="original, untouched")
    axis.set(xscale="log", yscale="log", xlabel="passes over the training table",
             ylabel="gap to retraining")  # fmt: skip
    axis.margins(0.1)
    axis.grid(visible=True, which="both", alpha=0.15)
