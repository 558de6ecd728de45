"""Figures that the pages state and that can be worked out in a moment."""

from math import comb

import pytest
from docs.prose import ROOT

from unlearning.config.gate_policy import GatePolicy
from unlearning.evaluation.intervals import loss_bound


def pass_chance(rows: int) -> float:
    """How often a harmless update passes that turns the answer of one row in ten, either way."""
    limit = GatePolicy().max_possible_loss
    outcomes = [(gained, lost) for gained in range(rows + 1) for lost in range(rows + 1 - gained)]
    likely = [(g, n, p) for g, n in outcomes if (p := chance(g, n, rows)) > 1e-9]
    return sum(p for g, n, p in likely if loss_bound(g, n, rows, confidence=0.95) <= limit)


def chance(gained: int, lost: int, rows: int) -> float:
    """The chance of so many answers for the better and for the worse."""
    turned = gained + lost
    ways = comb(rows, gained) * comb(rows - gained, lost)
    return ways * 0.05**turned * 0.9 ** (rows - turned)


@pytest.mark.parametrize("rows", [150, 30])
def test_how_often_a_harmless_update_passes_is_as_the_page_says(rows):
    page = " ".join((ROOT / "docs/explanation/judging.md").read_text().split())
    said = round(100 * pass_chance(rows))
    assert f"{said} of 100 on {rows}" in page or f"{said} of 100 cases on {rows}" in page
