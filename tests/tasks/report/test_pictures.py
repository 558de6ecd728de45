"""Pictures of the page: with captions, and with words for who cannot see them."""

import re
from dataclasses import replace

from hand_made_batch import curves

from tasks.report.pictures import pictures
from unlearning.evaluation.curves import ClassAccuracy


def test_a_candidate_has_four_pictures_with_their_lesson():
    found = pictures(curves())
    assert [one.title for one in found] == [
        "How wrong the model is, before",
        "How wrong the model is, after",
        "What an attacker gets out of it",
        "Right answers in each class",
    ]
    assert "known by heart" in found[0].caption
    assert "Forgotten rows lie where" in found[1].caption


def test_the_words_for_who_cannot_see_hold_the_numbers():
    losses, _, roc, classes = pictures(curves())
    assert re.search(r"have \d+ of 100 parts in common", losses.alt)
    assert "Before: " in roc.alt
    assert "After: " in roc.alt
    assert re.search(r"class 0: [\d.]+, then [\d.]+", classes.alt)


def test_a_class_that_is_all_rows_has_no_picture_of_classes():
    (one, *_) = curves().classes
    titles = [picture.title for picture in pictures(replace(curves(), classes=(one,)))]
    assert "Right answers in each class" not in titles


def test_classes_that_are_left_out_are_counted():
    many = tuple(ClassAccuracy(label=n, rows=60, before=0.8, after=0.7) for n in range(15))
    *_, classes = pictures(replace(curves(), classes=many))
    assert "3 classes that changed less are left out." in classes.caption


def test_drawings_take_their_colours_from_the_page_and_share_no_id():
    found = pictures(curves())
    ids = [name for one in found for name in re.findall(r'id="([^"]+)"', one.svg)]
    assert len(ids) == len(set(ids))
    for one in found:
        assert one.svg.startswith("<svg viewBox=")
        assert "var(--ink)" in one.svg
        assert "<metadata>" not in one.svg
