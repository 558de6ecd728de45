"""One plan for each model and batch, kept as long as it holds."""

from dataclasses import asdict

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from factories import decision, frozen, validated
from small_tables import rows, subject

from tasks.attempts import planning
from tasks.journal.events import ids
from tasks.journal.events.attempt import Attempt, AttemptPlan
from tasks.journal.events.attempts import (
    AttemptPlanned,
    BatchBlocked,
    CandidateRejected,
    VersionRegistered,
)
from tasks.journal.events.batches import ModelUntouched
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.models import ModelEnrolled
from tasks.tables import deletion
from unlearning.config.deletion_budget import DeletionBudget
from unlearning.config.gate_policy import GatePolicy
from unlearning.errors import ConflictError
from unlearning.gate.gate import GateDecision
from unlearning.gate.gate_checks import check
from unlearning.policy.ladder import NextRung


def one_sided(count):
    """A table of 200 rows, half of them of class 1, and so many of those of subjects to forget."""
    table = rows(200, seed=1)
    labels = [1] * count + [0] * 100 + [1] * (100 - count)
    return table.set_column(1, "label", pa.array(labels, pa.int64()))


@pytest.mark.parametrize("method", ["calibrated", "retrain"])
@pytest.mark.parametrize(("limit", "is_suspicious"), [(0.1, False), (0.09, True)])
def test_a_one_sided_batch_is_retrained_with_the_reason(world, method, limit, is_suspicious):
    here = world(one_sided(10), method=method)
    here.enroll(budget=DeletionBudget(max_share=0.05, max_class_share=limit))
    plan = here.plan()
    if method == "retrain":
        assert (plan.rung, plan.reason, plan.class_share) == ("update", "", None)
        return
    assert plan.class_share == 0.1
    assert (plan.method, plan.rung) == (("retrain",) * 2 if is_suspicious else (method, "update"))
    expected = "10.0% of the training rows of class 1 approximately; at most 9.0%"
    assert (expected in plan.reason) is is_suspicious


def test_an_alias_on_a_version_that_was_not_enrolled_is_refused(world):
    here = world()
    here.champion = 7
    with pytest.raises(ConflictError, match="enrol version 7"):
        here.plan()
    assert here.history().attempts == {}


def test_a_batch_without_a_row_of_the_model_leaves_it_untouched_on_record(world):
    here = world()
    here.asked = ["nobody"]
    assert here.plan() is None
    assert here.plan() is None
    (told,) = here.history().untouched
    assert told.facts == ModelUntouched(model="income")
    assert planning.is_untouched(here.services, "b-1", here.enrolled())


def test_a_model_stays_untouched_when_its_table_advances(world):
    here = world()
    here.asked = ["nobody"]
    planning.note_still_untouched(here.services, "b-1", here.enrolled(), 4)
    assert here.history().untouched == []
    here.plan()
    planning.note_still_untouched(here.services, "b-1", here.enrolled(), 4)
    assert [one.id for one in here.history().untouched] == [
        ids.untouched("income", 1, version) for version in (0, 4)
    ]


def test_the_next_rung_forgets_the_same_rows_in_another_way(world):
    here = world()
    first = here.plan()
    rung = NextRung(rung="retrain", method="retrain", reason="The update led nowhere.")
    higher = planning.climb(here.services, first, rung)
    assert (higher.method, higher.rung, higher.reason) == ("retrain", "retrain", rung.reason)
    assert higher.forgets_as(first)
    assert higher.plan_digest == first.plan_digest  # an approval holds for the whole ladder
    assert here.plan() == higher


def test_a_plan_over_a_holdout_that_another_batch_purged_is_made_anew(world):
    here = world()
    first = here.plan()
    assert here.plan() == first
    settings, uri = here.services.settings, here.first.holdout
    deletion.delete_rows(settings, uri, "subject_id", [subject(500)])
    assert here.plan() == first  # its files are still there
    deletion.vacuum(settings, uri)
    second = here.plan()
    assert second.holdout_version > first.holdout_version
    assert here.plan() == second


@pytest.mark.parametrize(
    ("failed", "is_made_anew"),
    [([], True), (["attack_power"], True), (["attack_power", "mia_auc_upper"], False)],
)
def test_a_batch_blocked_for_want_of_rows_is_planned_anew_once_the_holdout_has_more(
    world, failed, is_made_anew
):
    here = world()
    first = here.plan()
    here.happen(frozen=frozen(), validated=validated())
    mine = {"model": "income", "attempt": first.key}
    if failed:
        checks = tuple(check(name, None, meaning="No.") for name in failed)
        judged = GateDecision(passed=False, checks=checks, outcome="cannot decide")
        here.append(first.ids.judged, CandidateRejected(**mine, decision=judged))
    blocked = BatchBlocked(**mine, failed=tuple(failed), reason="No rung was enough.")
    here.append(first.ids.blocked, blocked)
    assert here.plan() == first
    settings, uri = here.services.settings, here.first.holdout
    deletion.delete_rows(settings, uri, "subject_id", [subject(500)])
    assert here.plan() == first  # a newer one with fewer rows
    write_deltalake(uri, rows(50, first=600, seed=8), mode="append")
    again = here.plan()
    assert (again.holdout_version > first.holdout_version) == is_made_anew
    assert again.plan_digest == first.plan_digest  # an approval holds


def test_a_blocked_attempt_that_was_registered_since_is_finished(world):
    here = world()
    first = here.plan()
    here.happen(frozen=frozen(), validated=validated())
    mine = {"model": "income", "attempt": first.key}
    failed = decision(passed=False).failed_names
    here.append(first.ids.blocked, BatchBlocked(**mine, failed=failed, reason="No rung."))
    here.append(first.ids.registered, VersionRegistered(**mine, version=2))
    write_deltalake(here.first.holdout, rows(50, first=600, seed=8), mode="append")
    here.champion = 2
    assert here.plan() == first


def test_a_plan_outlives_new_options_and_no_change_of_the_rules(world):
    here = world()
    # As a release recorded it that knew fewer options.
    facts = ModelEnrolled(enrollment=here.first, config_digest="of then")
    here.journal.append(model_stream("income"), ids.enrolled(2), facts)
    plan = here.plan()
    assert plan.config_digest == "of then"
    assert here.plan() == plan
    here.enroll(policy=GatePolicy(min_power=0.9, references=0))
    other = here.plan()
    assert other.key != plan.key
    assert here.model().config_digest == other.config_digest


def test_a_plan_that_was_left_and_comes_back_is_the_latest_again(world):
    here = world()
    first = here.plan()
    here.enroll(policy=GatePolicy(min_power=0.9, references=0))
    second = here.plan()
    here.enroll(policy=here.first.policy)
    assert here.plan() == first != second
    assert list(here.history().attempts) == [second.key, first.key]
    assert here.history().attempts[first.key].times_planned == 2


def test_a_plan_with_a_digest_that_anybody_could_try_rows_on_is_made_anew(world):
    here = world()
    plan = here.plan()
    assert plan.forget_digest.startswith("hmac-sha256:")
    old = {**asdict(plan), "forget_digest": "ab" * 32}
    del old["key"]
    older = Attempt.of(AttemptPlan(**old))
    here.append(older.ids.planned, AttemptPlanned(attempt=older))
    assert here.plan() == plan
