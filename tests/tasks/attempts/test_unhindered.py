"""Nobody waits for a model that never saw them."""

from dataclasses import replace

import pytest
from deltalake import write_deltalake
from erased_world import Unreported, world
from small_tables import rows
from two_tables import FIRST, enroll_photos, work_off

from tasks import pipeline
from tasks.approval import approvals
from tasks.attempts.unenrolling import unenroll
from tasks.attempts.unhindered import send_unhindered
from tasks.enrolling import enroll
from tasks.journal.reading import enrolled_models, read_batch, record_enrollment
from tasks.subjects import open_batches
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.gate.gate import no_candidate

__all__ = ["world"]


class IncomeFails(Unreported):
    """The model of the first table passes no gate."""

    def judge_candidate(self, attempt, failure):
        if attempt.model == "income":
            return no_candidate("It cannot be measured.")
        return super().judge_candidate(attempt, failure)


@pytest.fixture
def two(world):
    policy = replace(world.source().policy, withdraw_days=0)
    enroll.enroll_version(world.services, world.source(policy=policy), None, trust_pickle=False)
    world.photos = enroll_photos(world)
    return world


def plans(steps, batch):
    steps.validate_batch(batch)
    steps.resolve_rows(batch)
    found = [steps.plan_unlearning(batch, model) for model in ("income", "photos")]
    return [plan for plan in found if plan is not None]


def statuses(world):
    return {name: event.status for name, event in world.requests().items() if name[0] != "R"}


def test_people_of_another_table_are_certified_though_a_model_is_blocked(two):
    two.submit("S", [20])
    two.submit("P", [FIRST, FIRST + 1])
    (batch,) = open_batches.open_batches(two.services)
    steps = IncomeFails(two.services)
    (why,) = pipeline.process_batch(steps, batch, ["income", "photos"])
    assert why.startswith("income blocked")
    assert set(statuses(two).values()) == {"blocked"}
    ahead = send_unhindered(two.services, batch)
    assert send_unhindered(two.services, batch) == ""
    assert open_batches.open_batches(two.services) == [batch, ahead]
    assert pipeline.process_batch(steps, ahead, ["income", "photos"]) == []
    one, other = f"P-{FIRST}", f"P-{FIRST + 1}"
    assert statuses(two) == {"S-20": "blocked", one: "erased", other: "erased"}
    (model,) = two.certificate(one)["models"]
    assert (model["model"], model["in_batch"]) == ("photos", batch)
    assert two.there(two.photos) & {FIRST, FIRST + 1} == set()
    assert 20 in two.there()
    # The one that is left is judged no more often than before, and then ends like any other.
    attempts = len(read_batch(two.services.journal, batch).attempts)
    pipeline.process_batch(steps, batch, ["income", "photos"])
    assert len(read_batch(two.services.journal, batch).attempts) == attempts
    unenroll(two.services, "income", name="Ada", reason="It serves nobody.")
    assert work_off(two) == []
    assert statuses(two)["S-20"] == "erased"


def test_certificates_of_who_went_ahead_name_who_approved_what_was_done_for_them(two):
    for one in list(enrolled_models(two.services.journal)):
        asking = replace(one, approval=ApprovalPolicy(always=True))
        record_enrollment(two.services.journal, asking)
    two.submit("S", [20])
    two.submit("P", [FIRST])
    (batch,) = open_batches.open_batches(two.services)
    steps = IncomeFails(two.services)
    assert not steps.seek_approval(batch, plans(steps, batch))
    approvals.decide(two.services, batch, "approve", name="Ada")
    pipeline.process_batch(steps, batch, ["income", "photos"])
    ahead = send_unhindered(two.services, batch)
    assert pipeline.process_batch(steps, ahead, ["income", "photos"]) == []
    found = two.certificate(f"P-{FIRST}")
    (model,) = found["models"]
    assert (model["in_batch"], model["approved_by"]) == (batch, "Ada")
    assert found["approved_by"] == "Ada"


def test_people_of_another_table_go_ahead_where_nobody_knows_which_version_answers(two):
    two.submit("S", [20])
    two.submit("P", [FIRST])
    two.services.registry.drop_alias("photos")
    (why,) = work_off(two)
    assert why.startswith("No version of photos holds the alias")
    assert statuses(two) == {"S-20": "erased", f"P-{FIRST}": "accepted"}
    two.services.registry.set_alias("photos", 1)
    assert work_off(two) == []
    assert statuses(two)[f"P-{FIRST}"] == "erased"


def test_who_has_rows_in_both_tables_waits_for_both(two):
    write_deltalake(two.photos, rows(1, first=20, seed=3), mode="append")
    two.submit("B", [20])
    two.submit("P", [FIRST])
    two.submit("N", [9999])
    (batch,) = open_batches.open_batches(two.services)
    pipeline.process_batch(IncomeFails(two.services), batch, ["income", "photos"])
    ahead = send_unhindered(two.services, batch)
    assert pipeline.process_batch(IncomeFails(two.services), ahead, ["income", "photos"]) == []
    assert statuses(two) == {"B-20": "blocked", f"P-{FIRST}": "erased", "N-9999": "not_found"}
    assert 20 in two.there(two.photos)
