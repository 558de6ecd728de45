"""What an attempt reads is what was planned, and the two parts of a sample never meet."""

from dataclasses import replace

import pytest
from small_tables import subject
from torch import nn

from tasks.attempts import inputs
from unlearning.errors import ChangedWeightsError, EvidenceError, SnapshotChangedError


def test_inputs_are_the_enrolment_the_parent_and_the_planned_rows(world):
    here = world()
    attempt = here.plan()
    enrollment, parent, forget = inputs.inputs(here.services, attempt)
    assert (enrollment, parent, forget.count) == (here.enrolled(), here.module, 10)


@pytest.mark.parametrize("change", [{"forget_digest": "0"}, {"forget_count": 9}])
def test_rows_that_changed_since_planning_are_refused(world, change):
    here = world()
    with pytest.raises(SnapshotChangedError, match="restore that version"):
        inputs.inputs(here.services, replace(here.plan(), **change))


def test_subjects_without_a_row_are_refused(world):
    here = world()
    attempt = here.plan()
    here.asked = ["nobody"]
    with pytest.raises(SnapshotChangedError, match="changed since they were planned"):
        inputs.inputs(here.services, attempt)


def test_other_weights_than_were_enrolled_are_refused(world):
    here = world()
    attempt = here.plan()
    here.module = nn.Linear(40, 2)
    with pytest.raises(ChangedWeightsError, match="expunge enroll income"):
        inputs.inputs(here.services, attempt)


@pytest.mark.parametrize("kind", ["retain", "holdout"])
def test_what_the_update_reads_is_never_evidence(world, kind):
    here = world()
    read, judged = inputs.split_sample(here.services, here.plan(), here.enrolled(), kind)
    mine, others = ({row.numpy().tobytes() for row in one.rows.inputs} for one in (read, judged))
    assert mine
    assert others
    assert not mine & others


def test_a_sample_that_makes_no_two_parts_says_what_to_do(world):
    here = world()
    attempt = here.plan()
    here.asked = [subject(i) for i in range(500, 549)]  # one row of the holdout is left
    with pytest.raises(EvidenceError, match=r"holdout rows of income .* add rows to it"):
        inputs.split_sample(here.services, attempt, here.enrolled(), "holdout")


def test_the_retain_set_is_the_table_without_the_batch(world):
    here = world()
    assert inputs.retain_rows(here.services, here.plan(), here.enrolled()).count == 90
