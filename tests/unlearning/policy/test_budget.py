import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearning.config.deletion_budget import DeletionBudget
from unlearning.errors import DataError
from unlearning.policy.budget import (
    ClassShare,
    Deletions,
    hardest_hit,
    is_exact,
    why_over_budget,
    why_suspicious,
)

budgets = st.builds(
    DeletionBudget, max_share=st.floats(0, 1, width=32), max_updates=st.integers(0, 60)
)
batches = st.lists(st.integers(1, 40), min_size=1, max_size=80)
FRESH = Deletions(trained_rows=10_000)


def follow(budget: DeletionBudget, sizes: list[int]) -> tuple[Deletions, list[bool]]:
    """A lineage that takes every batch that fits, and which ones those were."""
    deletions, fits = FRESH, []
    for size in sizes:
        fits.append(not why_over_budget(budget, deletions, size))
        if fits[-1]:
            deletions = deletions.after(size, "calibrated", row_count=10_000)
    return deletions, fits


@given(budgets, batches)
def test_a_lineage_never_exceeds_its_budget(budget, sizes):
    deletions, _ = follow(budget, sizes)
    assert deletions.updates <= budget.max_updates
    assert deletions.forgotten <= budget.max_share * FRESH.trained_rows + 1e-6


@given(budgets, batches)
def test_once_spent_no_batch_fits_again(budget, sizes):
    deletions, fits = follow(budget, sizes)
    if why_over_budget(budget, deletions, 1):
        for size in sizes:
            assert why_over_budget(budget, deletions, size)
    same = [fit for fit, size in zip(fits, sizes, strict=True) if size == max(sizes)]
    assert same == sorted(same, reverse=True)  # the largest batch: fits at first, then never


@given(budgets, st.integers(0, 900), st.integers(0, 60), st.integers(1, 50), st.integers(1, 50))
def test_more_rows_or_updates_never_make_a_batch_fit(budget, forgotten, updates, size, more):
    deletions = Deletions(trained_rows=1000, forgotten=forgotten, updates=updates)
    if why_over_budget(budget, deletions, size):
        assert why_over_budget(budget, deletions, size + more)
        later = Deletions(trained_rows=1000, forgotten=forgotten, updates=updates + more)
        assert why_over_budget(budget, later, size)
        further = Deletions(trained_rows=1000, forgotten=forgotten + more, updates=updates)
        assert why_over_budget(budget, further, size)


@given(budgets, st.integers(0, 400), st.integers(0, 60), st.integers(1, 50))
def test_a_wider_budget_takes_what_a_narrower_one_took(budget, forgotten, updates, size):
    deletions = Deletions(trained_rows=1000, forgotten=forgotten, updates=updates)
    wider = DeletionBudget(
        max_share=min(1.0, 2 * budget.max_share), max_updates=budget.max_updates + 3
    )
    if not why_over_budget(budget, deletions, size):
        assert not why_over_budget(wider, deletions, size)


@given(budgets, batches)
def test_a_retrain_starts_a_new_lineage_on_the_rows_that_are_left(budget, sizes):
    deletions, _ = follow(budget, sizes)
    left = FRESH.trained_rows - deletions.forgotten
    fresh = deletions.after(7, "retrain", row_count=left)
    assert (fresh.forgotten, fresh.updates) == (0, 0)
    assert fresh.trained_rows == left - 7
    fits = not why_over_budget(budget, fresh, 1)
    assert fits == (budget.max_updates >= 1 and budget.max_share * fresh.trained_rows >= 1 - 1e-9)


def test_both_limits_are_inclusive_and_named():
    budget = DeletionBudget(max_share=0.1, max_updates=2)
    deletions = Deletions(trained_rows=100, forgotten=4, updates=1)
    assert why_over_budget(budget, deletions, 6) == ""
    assert why_over_budget(budget, deletions, 7) == (
        "It would make 11 of 100 trained rows unlearned approximately; at most 10.0%."
    )
    deletions = deletions.after(1, "calibrated", row_count=96)
    assert why_over_budget(budget, deletions, 1) == (
        "It would be approximate update 3 in a row; at most 2."
    )


def test_only_retraining_is_exact():
    methods = ("retrain", "calibrated", "published_step", "theory_step", "")
    assert [m for m in methods if is_exact(m)] == ["retrain"]


@pytest.mark.parametrize(
    "counts",
    [{"forgotten": -1}, {"updates": -1}, {"trained_rows": -1}],
)
def test_impossible_counts_are_refused(counts):
    with pytest.raises(DataError):
        Deletions(**({"trained_rows": 10} | counts))


def test_the_class_that_loses_most_of_its_rows_is_found():
    hit = hardest_hit({0: 900, 2: 400}, {0: 5_000, 1: 4_000, 2: 1_000})
    assert hit == ClassShare(label=2, share=0.4)


def test_a_class_too_small_to_say_anything_is_left_out():
    assert hardest_hit({2: 49, 7: 1}, {0: 900, 2: 49}) is None
    assert hardest_hit({2: 49}, {0: 900, 2: 50}) == ClassShare(label=2, share=0.98)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_one_sided_batch_is_suspicious_above_the_larger_limit(share, usual, whole):
    budget = DeletionBudget(max_class_share=usual, max_share=whole)
    reason = why_suspicious(budget, ClassShare(label=3, share=share))
    assert bool(reason) is (share > max(usual, whole) + 1e-9)
    assert why_suspicious(budget, None) == ""


def test_the_suspicion_states_value_and_bound():
    reason = why_suspicious(DeletionBudget(), ClassShare(label=3, share=0.402))
    assert "40.2% of the training rows of class 3" in reason
    assert "at most 25.0%" in reason
