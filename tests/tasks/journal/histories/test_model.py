from dataclasses import replace

import pytest
from factories import advanced, attempt, enrollment, measured, promotion, retired

from tasks.journal.events.event import Event
from tasks.journal.events.models import (
    ForgettingSettled,
    HoldoutErased,
    ModelEnrolled,
    ModelUnenrolled,
    ModelWithdrawn,
    SnapshotAdvanced,
    SnapshotRestored,
)
from tasks.journal.events.versions import AliasLost, AliasRestored, VersionPurged
from tasks.journal.histories.model import before_end, model_history
from unlearning.policy.budget import Deletions
from unlearning.policy.retirement import remembering


def stream(*facts):
    return [Event(n, f"e{n}", "", "enrolled", one) for n, one in enumerate(facts, start=1)]


def history(*facts):
    return model_history(stream(*facts))


def enrolled(**changes):
    return ModelEnrolled(enrollment=enrollment(**changes), config_digest="c")


ENROLLED = enrolled()
FIRST, SECOND = attempt(batch="b-1"), attempt(batch="b-2", parent_version=2)


def test_a_model_that_nobody_enrolled_is_unknown():
    assert history().enrollment is None


def test_updates_add_up_until_a_retrain():
    events = [ENROLLED, promotion(FIRST, 2), advanced(1, 95), promotion(SECOND, 3)]
    found = history(*events).enrollment
    assert (found.version, found.digest, found.row_count) == (3, "d3", 95)
    assert found.deletions == Deletions(trained_rows=100, forgotten=10, updates=2)
    exact = attempt(batch="b-3", method="retrain", rung="retrain")
    found = history(*events, advanced(2, 90, "b-2"), promotion(exact, 4)).enrollment
    assert found.deletions == Deletions(trained_rows=85)


def test_a_retrain_counts_the_rows_that_it_learned_from():
    exact = attempt(method="retrain", rung="retrain")
    # Three more were forgotten before and are still in the table.
    found = history(ENROLLED, promotion(exact, 2, trained_rows=92)).enrollment
    assert found.deletions == Deletions(trained_rows=92)


def test_only_other_weights_give_the_budget_back():
    events = [ENROLLED, promotion(FIRST, 2)]
    spent = Deletions(trained_rows=100, forgotten=5, updates=1)
    same = enrolled(version=2, digest="d2", deletions=Deletions(trained_rows=95))
    assert history(*events, same).enrollment.deletions == spent
    other = enrolled(version=3, digest="trained elsewhere")
    assert history(*events, other).enrollment.deletions == Deletions(trained_rows=100)


def test_a_withdrawal_is_not_undone_by_enrolling_the_same_weights():
    withdrawn = ModelWithdrawn(attempt="a-1", batch="b-1")
    found = history(ENROLLED, withdrawn, ENROLLED)
    assert found.enrollment.is_withdrawn
    assert found.withdrawn_by == "b-1"
    assert not history(
        ENROLLED, withdrawn, enrolled(version=2, digest="d2")
    ).enrollment.is_withdrawn


def test_an_alias_that_was_lost_takes_the_model_out_until_it_is_enrolled_again():
    found = history(ENROLLED, AliasLost(found=1))
    assert found.enrollment.is_withdrawn
    assert (found.withdrawn_by, found.alias_changes) == ("", 1)
    assert not history(ENROLLED, AliasLost(found=1), ENROLLED).enrollment.is_withdrawn
    assert history(ENROLLED, AliasRestored(found=1, floor=2)).alias_changes == 1


def test_who_takes_a_model_out_is_known_until_it_is_enrolled_again():
    out = ModelUnenrolled(name="Ada", reason="Nobody uses it.")
    found = history(ENROLLED, promotion(FIRST, 2), out)
    assert found.enrollment.is_withdrawn
    assert found.taken_out == out
    assert found.weights.alias_floor == (2, "d2")  # it has learned of nobody who was erased since
    again = history(ENROLLED, out, ENROLLED)
    assert (again.taken_out, again.taken_out_on) == (None, "")
    assert not again.enrollment.is_withdrawn
    advanced = SnapshotAdvanced(dataset_version=9, row_count=95, fingerprint="f", batch="b-2")
    assert history(ENROLLED, out, advanced).weights.alias_floor is None


def test_a_restored_table_moves_the_snapshot_and_erases_nobody():
    restored = SnapshotRestored(
        dataset_version=9, row_count=95, fingerprint="f", version_before=1, erased_rows=5
    )
    found = history(ENROLLED, promotion(FIRST, 2), restored)
    assert (found.enrollment.dataset_version, found.enrollment.fingerprint) == (9, "f")
    assert found.weights.alias_floor == (2, "d2")


def test_present_weights_have_forgotten_what_was_promoted_since_their_origin():
    events = [ENROLLED, promotion(FIRST, 2), promotion(SECOND, 3)]
    assert history(*events).forgotten == {FIRST.key: "b-1", SECOND.key: "b-2"}
    assert history(*events, ForgettingSettled(batch="b-1")).forgotten == {SECOND.key: "b-2"}
    again = enrolled(version=3, digest="d3")
    assert history(*events, again).forgotten == {FIRST.key: "b-1", SECOND.key: "b-2"}
    assert history(*events, enrolled(version=4, digest="other")).forgotten == {}


def test_measures_of_other_weights_tell_nothing_of_the_present_ones():
    events = [ENROLLED, measured(FIRST), promotion(FIRST, 2)]
    assert history(*events).measured_of_origin == [measured(FIRST)]
    found = history(*events, enrolled(version=9, digest="other"))
    assert (found.measured, found.measured_of_origin) == ([measured(FIRST)], [])
    assert found.finished == set()


def test_every_version_before_a_promotion_remembers_its_batch():
    found = history(ENROLLED, promotion(FIRST, 2), advanced(1, 95), promotion(SECOND, 3))
    assert remembering(found.weights.moments) == {1: "b-1", 2: "b-2"}
    assert found.weights.alias_floor == (3, "d3")
    assert [end.batch for end in found.ends] == ["b-1", "b-2"]
    assert [end.parent_version for end in found.ends] == [1, 2]


def test_a_withdrawal_ends_with_the_version_that_served():
    found = history(ENROLLED, promotion(FIRST, 2), ModelWithdrawn(attempt="a-2", batch="b-2"))
    assert found.ends[-1].parent_version == 2
    assert found.weights.alias_floor is None


def test_what_was_retired_first_counts_and_a_purge_is_remembered():
    later = replace(retired(1), why="again")
    purged = VersionPurged(model="income", version=1, digest="d1", logged_models=(), looked_at=())
    found = history(ENROLLED, retired(1), later, purged)
    assert found.retired == {1: retired(1)}
    assert found.retired_in == {1: 2}
    assert found.purged == {1: purged}
    assert found.digests == {"d1"}


@pytest.mark.parametrize(("batch", "count"), [("b-1", 2), ("b-2", 4), ("b-3", 0)])
def test_the_events_before_an_end_are_those_until_the_rows_left(batch, count):
    events = stream(ENROLLED, promotion(FIRST, 2), advanced(1, 95), promotion(SECOND, 3), ENROLLED)
    assert list(before_end(events, batch)) == events[:count]


def test_the_rules_are_those_of_the_latest_enrolment():
    later = ModelEnrolled(enrollment=enrollment(), config_digest="other")
    assert history(ENROLLED, later).config_digest == "other"


def test_erasures_from_the_holdout_are_counted_and_leave_the_snapshot_alone():
    found = history(enrolled(), HoldoutErased(batch="b-1"), HoldoutErased(batch="b-2"))
    assert found.holdout_erasures == 2
    assert found.enrollment == history(enrolled()).enrollment
