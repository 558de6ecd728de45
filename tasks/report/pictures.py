"""The pictures of the erasure report: figures with captions, and words for who cannot see them."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from tasks.report import figures
from tasks.report.figures import When
from tasks.report.shares import in_hundred
from unlearning.evaluation.curves import ClassAccuracy, Curves, RocCurve, overlap

_TENTH = 0.1
# The page's own style sheet says what these are, so that it may be dark.
_VARIABLES = {
    figures.INK: "var(--ink)",
    figures.SOFT: "var(--soft)",
    figures.LINE: "var(--line)",
    figures.BEFORE: "var(--before)",
    figures.AFTER: "var(--after)",
    figures.UNSEEN: "var(--unseen)",
    f"'{figures.FONT}'": f"system-ui, '{figures.FONT}'",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture of the page."""

    title: str
    caption: str
    alt: str
    """What it shows, for who cannot see it."""
    svg: Markup


def pictures(curves: Curves) -> list[Picture]:
    """The pictures of a candidate; those that would show single rows are left out."""
    found: list[Picture] = []
    if curves.losses.forget_after:
        found += [_losses(curves, "before"), _losses(curves, "after")]
    if curves.roc_after is not None:
        found.append(_roc(curves))
    if len(curves.classes) > 1:  # one alone is all rows, as of a model of numbers
        found.append(_classes(curves.classes))
    return found


def _losses(curves: Curves, when: When) -> Picture:
    shared = in_hundred(overlap(*figures.densities(curves, when), curves.losses.edges))
    lesson = (
        "Rows known by heart pile up on the left of rows that the model never saw."
        if when == "before"
        else "Forgotten rows lie where rows lie that the model never saw."
    )
    return Picture(
        title=f"How wrong the model is, {when}",
        caption=f"{lesson} The two shapes have {shared} of 100 parts in common.",
        alt=f"Histogram of losses {when} the erasure: the shapes of forget rows and of unseen rows "
        f"have {shared} of 100 parts in common.",
        svg=_inline(figures.loss_figure(curves, when)),
    )


def _roc(curves: Curves) -> Picture:
    said = [
        f"{when}: {_caught(roc)} of 100 forget rows are named where 10 of 100 unseen rows are "
        "named wrongly."
        for when, roc in (("Before", curves.roc_before), ("After", curves.roc_after))
        if roc is not None
    ]
    return Picture(
        title="What an attacker gets out of it",
        caption="Each point is one setting of the attack: how many unseen rows it wrongly calls "
        "trained on, and how many forget rows it calls so. Who guesses is on the dotted line, and "
        "there the new version belongs.",
        alt=f"ROC curves of the attack. {' '.join(said)}",
        svg=_inline(figures.roc_figure(curves)),
    )


def _caught(roc: RocCurve) -> str:
    pairs = zip(roc.false_positives, roc.true_positives, strict=True)
    return in_hundred(max(true for false, true in pairs if false <= _TENTH))


def _classes(classes: Sequence[ClassAccuracy]) -> Picture:
    shown = figures.most_changed(classes)
    left = len(classes) - len(shown)
    more = f" {left} classes that changed less are left out." if left else ""
    values = "; ".join(
        f"{figures.class_name(c)}: {in_hundred(c.before, c.after)}, then "
        f"{in_hundred(c.after, c.before)}"
        for c in shown
    )
    return Picture(
        title="Right answers in each class",
        caption="Of 100 rows of each class that the model never saw, how many it answers rightly. "
        f"Circle: before; diamond: after.{more}",
        alt=f"Right answers of 100 in each class, before and after. {values}.",
        svg=_inline(figures.class_figure(classes)),
    )


def _inline(figure: Any) -> Markup:
    """The figure as an element of the page: colours by name, and names that no other one has."""
    text = figures.svg_text(figure)
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r' id="[a-z0-9]+_\d+"', "", text)
    for ours, theirs in _VARIABLES.items():
        text = text.replace(ours, theirs)
    own = hashlib.sha256(text.encode()).hexdigest()[:8]
    text = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>p{own}-", text)
    box = re.findall(r'viewBox="[^"]+"', text)[0]
    text = re.sub(r"<svg [^>]*>", f'<svg {box} aria-hidden="true">', text, count=1)
    return Markup(text)  # noqa: S704 - matplotlib's drawing of numbers and of words from here
