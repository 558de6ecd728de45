"""Pictures of measured results."""

from pathlib import Path
from statistics import mean
from typing import Any

LABELLED = {"calibrated": "calibrated (default)", "reference_step": "reference step"}


def plot_gap_against_cost(case: dict[str, Any], path: Path) -> None:
    """One panel a share: gap to retraining against passes over the table; low and left is good."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    shares = sorted({one["share"] for one in case["problems"]}, reverse=True)
    figure, axes = plt.subplots(
        1, len(shares), figsize=(5.4 * len(shares), 4.4), squeeze=False, layout="constrained"
    )
    for axis, share in zip(axes[0], shares, strict=True):
        _panel(axis, case, [one for one in case["problems"] if one["share"] == share])
        axis.set_title(f"{case['case']}, {share:.0%} forgotten", fontsize=11)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _panel(axis: Any, case: dict[str, Any], here: list[dict[str, Any]]) -> None:
    for name in here[0]["methods"]:
        runs = [one["methods"][name] for one in here]
        cost = mean(one["rows"] for one in runs) / case["train_rows"]
        away = mean(one["gap"] for one in runs)
        ours = name == "calibrated"
        axis.scatter(cost, away, s=70 if ours else 28, color="C3" if ours else "C0", zorder=3)
        axis.annotate(
            LABELLED.get(name, name.replace("_", " ")),
            (cost, away),
            textcoords="offset points",
            xytext=(6, 4),
            fontsize=7.5,
            weight="bold" if ours else "normal",
        )
    start = mean(one["original"]["gap"] for one in here)
    axis.axhline(start, color="0.5", linestyle=":", linewidth=1)
    axis.annotate("original", (0.99, start), xycoords=("axes fraction", "data"), ha="right",
                  va="bottom", fontsize=7.5, color="0.4")  # fmt: skip
    axis.set(xscale="log", yscale="log", xlabel="passes over the training table",
             ylabel="gap to retraining")  # fmt: skip
    axis.margins(x=0.18, y=0.12)
    axis.grid(visible=True, which="both", alpha=0.15)
