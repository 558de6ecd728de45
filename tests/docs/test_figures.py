"""Figures that the pages state and that can be worked out in a moment."""

import pytest
from docs.prose import ROOT
from scipy.stats import multinomial

from unlearning.config.gate_policy import GatePolicy
from unlearning.evaluation.intervals import loss_bound


def pass_chance(rows: int) -> float:
    """How often a harmless update passes that turns the answer of one row in ten, either way."""
    limit = GatePolicy().max_possible_loss
    outcomes = [(g, n, rows - g - n) for g in range(rows + 1) for n in range(rows + 1 - g)]
    chances = multinomial.pmf(outcomes, rows, [0.05, 0.05, 0.9])
    likely = ((o, p) for o, p in zip(outcomes, chances, strict=True) if p > 1e-9)
    return sum(p for (g, n, _), p in likely if loss_bound(g, n, rows, confidence=0.95) <= limit)


@pytest.mark.parametrize("rows", [150, 30])
def test_how_often_a_harmless_update_passes_is_as_the_page_says(rows):
    page = " ".join((ROOT / "docs/explanation/judging.md").read_text().split())
    said = round(100 * pass_chance(rows))
    assert f"{said} of 100 on {rows}" in page or f"{said} of 100 cases on {rows}" in page
