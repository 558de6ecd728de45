"""A candidate's curves drawn with matplotlib; what they mean stands in `tasks.report.pictures`."""

from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any, Literal

from unlearning.evaluation.curves import ClassAccuracy, Curves

When = Literal["before", "after"]
INK, SOFT, LINE = "#1d2433", "#5b6578", "#dfe3eb"
BEFORE, AFTER, UNSEEN = "#c2410d", "#1d5fa8", "#8a93a6"
FONT = "DejaVu Sans"  # comes with matplotlib, so that pictures are alike everywhere
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": [FONT],
    "font.size": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "expunge",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
_WIDTH, _HEIGHT = 4.0, 2.9
_SHOWN_CLASSES = 12
_TALL = 2.5
"""How many times as tall as all others the first bar may be before it is cut off."""
_POWERS = {-8: "10⁻⁸", -6: "10⁻⁶", -4: "10⁻⁴"}


def figures(curves: Curves) -> dict[str, Any]:
    """The figures of a candidate by file name; those that would show single rows are left out."""
    found: dict[str, Any] = {}
    if curves.losses.forget_after:
        found["losses.png"] = _figure(
            lambda axes: _draw_losses(axes, curves, "before"),
            lambda axes: _draw_losses(axes, curves, "after"),
        )
    if curves.roc_after is not None:
        found["roc.png"] = roc_figure(curves)
    if len(curves.classes) > 1:  # one alone is all rows, as of a model of numbers
        found["classes.png"] = class_figure(curves.classes)
    return found


def loss_figure(curves: Curves, when: When) -> Any:
    """Losses of forget and holdout rows under one version."""
    return _figure(lambda axes: _draw_losses(axes, curves, when))


def roc_figure(curves: Curves) -> Any:
    """ROC curves of the judged attack before and after."""
    return _figure(lambda axes: _draw_roc(axes, curves))


def class_figure(classes: Sequence[ClassAccuracy]) -> Any:
    """Accuracy of each class before and after."""
    return _figure(lambda axes: _draw_classes(axes, most_changed(classes)))


def svg_text(figure: Any) -> str:
    """The figure as SVG, the same bytes for the same figure."""
    from matplotlib import rc_context

    file = StringIO()
    with rc_context(_STYLE):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue()


def densities(curves: Curves, when: When) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Loss densities of forget and of holdout rows under one version."""
    losses = curves.losses
    if when == "before":
        return losses.forget_before, losses.holdout_before
    return losses.forget_after, losses.holdout_after


def most_changed(classes: Sequence[ClassAccuracy]) -> list[ClassAccuracy]:
    """The classes that changed most, as many as a picture can hold, in their order."""
    most = sorted(classes, key=lambda c: -abs(c.after - c.before))[:_SHOWN_CLASSES]
    return [c for c in classes if c in most]


def class_name(one: ClassAccuracy) -> str:
    """What a class is called; its label is all that is known of it."""
    return "small classes" if one.label is None else f"class {one.label}"


def _figure(*draw: Callable[[Any], None]) -> Any:
    """A figure of one panel for each drawing; without pyplot, which would keep it for ever."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH * len(draw), _HEIGHT))
        panels = figure.subplots(1, len(draw), squeeze=False)[0]
        for one, axes in zip(draw, panels, strict=True):
            one(axes)
        return figure


def _draw_losses(axes: Any, curves: Curves, when: When) -> None:
    losses, edges = curves.losses, curves.losses.edges
    forget, holdout = densities(curves, when)
    color = BEFORE if when == "before" else AFTER
    axes.stairs(holdout, edges, fill=True, color=UNSEEN, alpha=0.45, label="rows it never saw")
    axes.stairs(forget, edges, color=color, linewidth=2, label=f"forget rows, {when}")
    # Both versions on one scale, or the eye compares what does not compare.
    drawn = (losses.forget_before, losses.forget_after, losses.holdout_before, losses.holdout_after)
    top, inner = (max(max(one[start:]) for one in drawn) for start in (0, 1))
    is_cut = top > _TALL * inner
    axes.set_ylim(0, 1.6 * inner if is_cut else 1.1 * top)
    if is_cut:
        _tell_first_bar(axes, edges, forget[0], holdout[0])
    axes.set_yticks([])
    axes.set_ylabel("share of rows")
    ticks = [t for t in range(-8, 3, 2) if edges[0] <= t <= edges[-1]]
    axes.set_xticks(ticks, [_POWERS.get(t, f"{10.0**t:g}") for t in ticks])
    axes.set_xlabel("loss (left: sure and right, right: wrong)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, handlelength=1.2, borderpad=0.1)


def _tell_first_bar(axes: Any, edges: Sequence[float], forget: float, holdout: float) -> None:
    """Say in words how tall the first bar is, which would make all others too small to see."""
    width = edges[1] - edges[0]
    text = (
        f"first bar cut off: {100 * width * forget:.0f} of 100 forget rows,\n"
        f"{100 * width * holdout:.0f} of 100 rows it never saw"
    )
    axes.text(edges[1] + width / 3, 0.85 * axes.get_ylim()[1], text, color=SOFT, fontsize=8)


def _draw_roc(axes: Any, curves: Curves) -> None:
    axes.plot([0, 100], [0, 100], color=SOFT, linestyle=":", linewidth=1.2, label="guessing")
    drawn = ((curves.roc_before, BEFORE, "before", "--"), (curves.roc_after, AFTER, "after", "-"))
    for roc, color, name, line in drawn:
        if roc is not None:
            across = [100 * one for one in roc.false_positives]
            up = [100 * one for one in roc.true_positives]
            axes.plot(across, up, color=color, linestyle=line, linewidth=1.8, label=name)
    axes.set_xlabel("unseen rows wrongly named, of 100")
    axes.set_ylabel("forget rows named, of 100")
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.legend(loc="lower right")


def _draw_classes(axes: Any, shown: Sequence[ClassAccuracy]) -> None:
    places = list(range(len(shown) - 1, -1, -1))
    before, after = ([100 * getattr(c, when) for c in shown] for when in ("before", "after"))
    for place, ends in zip(places, zip(before, after, strict=True), strict=True):
        axes.plot(ends, [place, place], color=UNSEEN, linewidth=3)
    axes.plot(before, places, "o", color=BEFORE, markersize=8, label="before")
    axes.plot(after, places, "D", color=AFTER, markersize=5, label="after")
    axes.set_yticks(places, [f"{class_name(c)}\n({c.rows:,} rows)" for c in shown])
    axes.set_ylim(-0.7, len(shown) - 0.3)
    axes.set_xlim(0, 102)
    axes.set_xlabel("right answers, of 100")
    axes.grid(axis="x", color=LINE)
    axes.set_axisbelow(True)
    axes.legend(loc="lower left")
