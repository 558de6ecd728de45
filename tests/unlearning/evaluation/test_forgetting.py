"""Worlds in which it is known what a model remembers: margins are drawn, not learned."""

from dataclasses import replace

import pytest
import torch

from unlearning.attacks.attacks import Signals
from unlearning.config.gate_policy import GatePolicy
from unlearning.errors import EvidenceError
from unlearning.evaluation.forgetting import forgetting_evidence
from unlearning.evidence.evidence import AttackName, Pool

POLICY = GatePolicy()


def drawn(count, seed, *, learned=0.0, classes=2):
    """Rows of very different difficulty, which references see too; `learned` lifts the margin."""
    random = torch.Generator().manual_seed(seed)
    difficulty = 2 * torch.randn(count, generator=random, dtype=torch.double)
    noise = 0.5 * torch.randn((4, count), generator=random, dtype=torch.double)
    own = 0.5 * torch.randn(count, generator=random, dtype=torch.double)
    labels = torch.randint(classes, (count,), generator=random)
    return Signals(difficulty + own + learned, labels, difficulty + noise)


def world(count, *, learned=1.0, left=0.0):
    """The original learned its rows; of the forget rows the candidate has `left` of that left."""
    before = {
        "forget": drawn(count, 1, learned=learned),
        "retain": drawn(1000, 2, learned=learned),
        "holdout": drawn(2000, 3),
    }
    after = {"forget": drawn(count, 1, learned=left), "holdout": drawn(2000, 3)}
    return before, after


def test_references_see_what_the_loss_alone_cannot():
    found = forgetting_evidence(*world(300), POLICY)
    by_name = {one.attack: one for one in (found.judged, *found.others)}
    assert found.judged.attack != "loss"
    assert found.judged.member_auc > 0.85
    assert by_name["loss"].member_auc < 0.7
    assert [one.member_auc for one in found.others] == sorted(
        (one.member_auc for one in found.others), reverse=True
    )


@pytest.mark.parametrize("count", [40, 300])
def test_a_forgotten_set_lies_within_the_limits_and_a_kept_or_pushed_one_does_not(count):
    forgotten = forgetting_evidence(*world(count), POLICY)
    assert forgotten.lower < forgotten.judged.after < forgotten.upper < forgotten.judged.before
    assert forgotten.power > 0.99
    kept = forgetting_evidence(*world(count, left=1.0), POLICY)
    assert kept.judged.after > kept.upper
    pushed = forgetting_evidence(*world(count, left=-1.0), POLICY)
    assert pushed.judged.after < pushed.lower


def test_the_candidate_moves_neither_the_attack_nor_the_limits():
    one, other = (forgetting_evidence(*world(60, left=left), POLICY) for left in (0.0, 0.9))
    assert other == replace(
        one,
        judged=replace(one.judged, after=other.judged.after, after_error=other.judged.after_error),
        others=other.others,
        own=other.own,
        pooled=other.pooled,
    )
    assert one.judged.after < other.judged.after


def test_many_rows_may_keep_a_share_of_what_was_known_and_few_rows_what_chance_gives():
    many = forgetting_evidence(*world(5_000), POLICY)
    assert many.upper == pytest.approx(POLICY.max_mia_auc)
    strict = forgetting_evidence(*world(5_000), replace(POLICY, remaining_share=0.1))
    assert strict.upper == pytest.approx(0.5 + 0.1 * (strict.judged.member_auc - 0.5))
    few = forgetting_evidence(*world(20), POLICY)
    assert few.upper > 0.6


def test_a_request_of_one_row_has_a_percentile_of_its_own_and_a_stated_power():
    found = forgetting_evidence(*world(1), POLICY)
    assert found.row_percentiles == (found.judged.after,)
    assert found.power < 0.5
    hard = forgetting_evidence(*world(1, learned=9.0, left=9.0), POLICY)
    assert hard.power > 0.9
    assert hard.row_percentiles[0] > hard.upper
    assert forgetting_evidence(*world(21), POLICY).row_percentiles == ()


def test_where_nothing_was_learned_nothing_can_be_decided():
    found = forgetting_evidence(*world(300, learned=0.0), POLICY)
    assert found.power < 0.1


def test_small_batches_are_decided_together():
    alone = forgetting_evidence(*world(4, learned=0.7), POLICY)
    earlier: list[tuple[AttackName, Pool]] = [(alone.judged.attack, alone.own)] * 20
    pooled = forgetting_evidence(*world(4, learned=0.7), POLICY, earlier=earlier)
    assert alone.power < POLICY.min_power < pooled.pooled_power
    assert (pooled.own, pooled.power, pooled.upper) == (alone.own, alone.power, alone.upper)
    assert pooled.pooled.count == 84
    assert pooled.pooled.after == pytest.approx(21 * alone.own.after)
    assert pooled.pooled.variance == alone.own.variance
    assert pooled.pooled_upper < alone.upper
    others: list[tuple[AttackName, Pool]] = [("loss", pool) for _, pool in earlier]
    assert forgetting_evidence(*world(4, learned=0.7), POLICY, earlier=others) == alone


def test_a_forget_set_of_one_class_is_compared_with_that_class():
    before, _ = world(100)
    easy = drawn(2000, 3)
    # Class 1 is easy for everybody: compared with all rows it would look trained on.
    lifted = Signals(easy.margins + 5 * easy.labels, easy.labels, easy.references)
    mine = drawn(100, 1)
    ones = torch.ones(100, dtype=torch.int64)
    mine = Signals(mine.margins + 5, ones, mine.references)
    found = forgetting_evidence(
        {**before, "holdout": lifted}, {"forget": mine, "holdout": lifted}, POLICY
    )
    assert found.lower < found.judged.after < found.upper


def test_an_empty_forget_set_is_refused():
    before, after = world(1)
    none = Signals(
        *(
            part[..., :0]
            for part in (
                before["forget"].margins,
                before["forget"].labels,
                before["forget"].references,
            )
        )
    )
    with pytest.raises(EvidenceError, match="no rows"):
        forgetting_evidence({**before, "forget": none}, {**after, "forget": none}, POLICY)
