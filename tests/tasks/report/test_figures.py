"""Figures of a candidate: drawn from curves alone, the same bytes for the same curves."""

from dataclasses import replace

from hand_made_batch import curves

from tasks.report.figures import (
    class_figure,
    class_name,
    densities,
    figures,
    loss_figure,
    most_changed,
    roc_figure,
    svg_text,
)
from unlearning.evaluation.curves import ClassAccuracy


def accuracy(label, after):
    return ClassAccuracy(label=label, rows=60, before=0.8, after=after)


def test_few_rows_have_no_figure_that_would_show_them():
    assert set(figures(curves())) == {"losses.png", "roc.png", "classes.png"}
    assert set(figures(curves(forget=3))) == {"classes.png"}


def test_the_same_curves_give_the_same_drawing():
    shown = curves()
    for draw in (roc_figure, lambda c: loss_figure(c, "before"), lambda c: class_figure(c.classes)):
        assert svg_text(draw(shown)) == svg_text(draw(shown))


def test_both_versions_are_drawn_with_words():
    text = svg_text(roc_figure(curves()))
    for word in ("guessing", "before", "after", "unseen rows wrongly named, of 100"):
        assert word in text


def test_a_first_bar_that_would_hide_all_others_is_cut_and_told():
    shown = curves()
    edges = shown.losses.edges
    width, others = edges[1] - edges[0], len(edges) - 2
    tall = (0.9 / width, *[0.1 / width / others] * others)
    losses = replace(shown.losses, forget_before=tall)
    text = svg_text(loss_figure(replace(shown, losses=losses), "before"))
    assert "first bar cut off: 90 of 100 forget rows," in text
    assert "first bar cut off" not in svg_text(loss_figure(shown, "before"))


def test_densities_are_those_of_the_version_asked_for():
    losses = curves().losses
    assert densities(curves(), "before") == (losses.forget_before, losses.holdout_before)
    assert densities(curves(), "after") == (losses.forget_after, losses.holdout_after)


def test_the_classes_that_changed_most_are_shown_in_their_order():
    classes = [accuracy(label, 0.8 - label / 100) for label in range(20)]
    assert [c.label for c in most_changed(classes)] == list(range(8, 20))


def test_small_classes_share_a_name():
    assert class_name(accuracy(3, 0.8)) == "class 3"
    assert class_name(accuracy(None, 0.8)) == "small classes"
