from dataclasses import replace

import pytest
import torch

from tests.unlearning.gate.examples import (
    AFTER,
    BEFORE,
    EVIDENCE,
    POLICY,
    SMALL,
    changed,
    controlled,
    failed,
)
from unlearning.config.gate_policy import GatePolicy
from unlearning.evidence.evidence import (
    Canaries,
    Pool,
    UnseenAccuracy,
)
from unlearning.gate.gate import decide

UNBOUNDED = ("attack_works", "nothing_left_auc")
"""Asked only where the attack cannot decide."""


def test_a_control_that_was_not_possible_is_named_and_fails_where_the_policy_demands_one():
    without = controlled(no_canaries="Of the 40 rows none is free.")
    decision = decide(without, POLICY)
    assert decision.passed
    (made,) = [c for c in decision.checks if c.name == "canaries_made"]
    assert (made.value, made.lower, made.passed) == (0.0, None, True)
    assert made.meaning == "No control was possible. Of the 40 rows none is free."
    demanding = GatePolicy(require_canaries=True)
    decision = decide(without, demanding)
    assert decision.failed_names == ("canaries_made", *UNBOUNDED)
    assert decision.outcome == "cannot decide"
    assert decide(without, replace(demanding, undecided="accept")).passed
    assert decide(without, demanding, exact=True).passed
    assert "not on record" in next(
        c.meaning for c in decide(EVIDENCE, POLICY).checks if c.name == "canaries_made"
    )


def test_canaries_that_were_made_are_judged_by_what_the_attack_saw_of_them():
    seen = Canaries(count=128, planted=0.6, erased=0.5, limit=0.55)
    demanding = GatePolicy(require_canaries=True)
    assert failed(controlled(canaries=seen), demanding) == ()
    unseen = controlled(canaries=replace(seen, planted=0.5499))
    assert failed(unseen) == ("canaries_caught", *UNBOUNDED)
    assert "canaries_made" not in {c.name for c in decide(unseen, POLICY).checks}
    # A general model learns them late: then the planting was unfit, and not the attack.
    late = controlled(canaries=replace(seen, planted=0.5499, pressed=0.7))
    assert failed(late) == ()
    never = controlled(canaries=replace(seen, planted=0.5499, pressed=0.5499))
    assert failed(never) == ("canaries_caught", *UNBOUNDED)


def test_a_few_rows_may_gain_by_chance_what_many_may_not():
    few = replace(
        EVIDENCE,
        before=replace(BEFORE, forget_count=10),
        after=replace(AFTER, forget_count=10, forget_accuracy=1.0),
    )
    assert failed(few) == ()  # 0.17 is below 2.33 sqrt(0.83 * 0.17 (1 / 10 + 1 / 16,000)) = 0.28
    assert failed(changed(after={"forget_accuracy": 1.0})) == ("accuracy_advantage",)


def test_earlier_batches_decide_what_a_small_one_cannot():
    decision = decide(SMALL, POLICY)
    assert decision.passed
    assert decision.outcome == "forgotten"
    value = {check.name: check.value for check in decision.checks}
    assert value["pooled_mia_auc_upper"] == pytest.approx(0.52)
    assert value["attack_power"] == 0.95
    weak = changed(SMALL, forgetting={"pooled_power": 0.5})
    assert decide(weak, POLICY).outcome == "cannot decide"


@pytest.mark.parametrize(
    ("after", "pooled", "name", "outcome"),
    [
        (0.52, 31.0, "pooled_mia_auc_upper", "remembered"),
        (0.48, 19.0, "pooled_mia_auc_lower", "over-forgotten"),
    ],
)
def test_a_pool_that_is_off_fails_the_batch(after, pooled, name, outcome):
    pool = Pool(count=50, before=40.0, after=pooled, variance=1e-5)
    decision = decide(changed(SMALL, judged={"after": after}, forgetting={"pooled": pool}), POLICY)
    assert decision.failed_names == (name,)
    assert decision.outcome == outcome


def test_a_batch_that_looks_forgotten_by_luck_does_not_excuse_earlier_ones():
    own = Pool(count=1, before=0.48, after=0.48, variance=1e-5)
    pool = Pool(count=50, before=42.0, after=42.0, variance=1e-5)
    lucky = {"before": 0.48, "after": 0.48}
    stuck = changed(SMALL, judged=lucky, forgetting={"count": 1, "own": own, "pooled": pool})
    decision = decide(stuck, POLICY)
    assert decision.failed_names == ("pooled_mia_auc_upper",)
    assert decision.outcome == "remembered"


@pytest.mark.parametrize(("side", "limit"), [(1, "upper"), (-1, "lower")])
def test_rows_on_the_other_side_make_no_better_of_a_pool_than_rows_at_chance(side, limit):
    """Else a batch that is over-forgotten would pass where one at chance fails, or the reverse."""
    for away in (0.0, 0.1, 0.2):
        mean = 0.5 - side * away
        own = Pool(count=5, before=4.0, after=5 * mean, variance=1e-5)
        whole = 25.0 + side * 5.1 - side * 5 * away
        pool = Pool(count=50, before=40.0, after=whole, variance=1e-5)
        change = {"own": own, "pooled": pool}
        decision = decide(changed(SMALL, judged={"after": mean}, forgetting=change), POLICY)
        assert f"pooled_mia_auc_{limit}" in decision.failed_names


@pytest.mark.parametrize("own", [1, 3, 20])
def test_the_power_of_a_pool_is_the_least_that_its_rule_has(own):
    """Draws of an update that does nothing to rows of which the attack is right 65 times in 100."""
    random, limit, draws = torch.Generator().manual_seed(0), 0.56, 4000
    rows = torch.rand((draws, 60), generator=random, dtype=torch.double) ** (0.35 / 0.65)
    stated = float((rows.mean(1) > limit).double().mean())
    forgetting = {"pooled_upper": limit, "pooled_lower": 1 - limit}
    caught = 0
    for draw in rows:
        mine, whole = float(draw[:own].sum()), float(draw.sum())
        pools = {
            "own": Pool(count=own, before=mine, after=mine, variance=0.0),
            "pooled": Pool(count=60, before=whole, after=whole, variance=0.0),
        }
        judged = {"before": mine / own, "after": mine / own}
        decision = decide(changed(SMALL, judged=judged, forgetting=forgetting | pools), POLICY)
        caught += "pooled_mia_auc_upper" in decision.failed_names
    assert caught / draws >= stated > POLICY.min_power


def test_a_pool_does_not_hide_rows_that_stand_where_they_stood():
    stuck = changed(SMALL, judged={"before": 0.978, "after": 0.978}, forgetting={"upper": 0.99})
    decision = decide(stuck, POLICY)
    assert decision.failed_names == ("own_rows_moved",)
    assert decision.outcome == "remembered"


def test_a_batch_that_decides_for_itself_leaves_the_pool_alone():
    pool = Pool(count=9_000, before=6_000.0, after=9_000.0, variance=1e-5)
    assert failed(changed(forgetting={"pooled": pool})) == ()


def test_a_candidate_that_knows_the_forget_labels_is_refused_at_any_auc():
    knowing = changed(after={"forget_accuracy": 0.95})
    assert failed(knowing) == ("accuracy_advantage",)
    assert failed(knowing, GatePolicy(max_accuracy_advantage=0.12)) == ()


def test_the_advantage_is_measured_on_the_candidate_and_against_its_own_unseen_rows():
    checks = {check.name: check for check in decide(EVIDENCE, POLICY).checks}
    assert checks["accuracy_advantage"].value == pytest.approx(0.0)
    unseen = replace(EVIDENCE, unseen_accuracy=UnseenAccuracy(before=0.8, after=0.9))
    better = changed(unseen, after={"forget_accuracy": 0.95})
    checks = {check.name: check for check in decide(better, POLICY).checks}
    assert checks["accuracy_advantage"].value == pytest.approx(0.05)


def test_the_advantage_is_over_unseen_rows_of_the_same_classes():
    easy = replace(EVIDENCE, unseen_accuracy=UnseenAccuracy(before=0.96, after=0.95))
    knowing = {"after": {"forget_accuracy": 0.95}}
    assert failed(changed(easy, **knowing)) == ()
    hard = replace(EVIDENCE, unseen_accuracy=UnseenAccuracy(before=0.70, after=0.70))
    assert failed(hard) == ("accuracy_advantage",)
