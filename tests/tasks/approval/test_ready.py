"""Who needs nobody's word does not wait for it, and no run erases more without one than it may."""

from dataclasses import replace

import pytest
from deltalake import DeltaTable
from erased_world import Unreported, world
from two_tables import FIRST, enroll_photos, work_off

from tasks import pipeline
from tasks.approval import approvals
from tasks.enrolling import enroll
from tasks.journal.reading import read_batch
from tasks.subjects import open_batches
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.gate.gate import no_candidate

__all__ = ["world"]

LARGE = range(30, 45)


@pytest.fixture
def limited(world):
    """At most six rows of the first table without a person's word."""
    source = world.source(
        approval=ApprovalPolicy(max_share=0.03),
        policy=replace(world.source().policy, withdraw_days=0),
    )
    enroll.enroll_version(world.services, source, None, trust_pickle=False)
    return world


def statuses(world):
    found = {}
    for name, event in world.requests().items():
        found.setdefault(name.partition("-")[0], set()).add(event.status)
    return found


def asked(world, batch):
    (model,) = read_batch(world.services.journal, batch).asked.models
    return model.forget_count


def test_a_small_file_does_not_wait_for_a_large_one_that_needs_a_word(limited):
    enroll_photos(limited)
    limited.submit("large", LARGE)
    limited.submit("small", [20, 21])
    limited.submit("photos", range(FIRST, FIRST + 3))
    (batch,) = open_batches.open_batches(limited.services)
    assert work_off(limited) == []
    assert statuses(limited) == {
        "R": {"erased"},
        "large": {"accepted"},
        "small": {"erased"},
        "photos": {"erased"},
    }
    assert asked(limited, batch) == len(LARGE)
    assert read_batch(limited.services.journal, batch).status == "waiting"
    assert work_off(limited) == []  # asks anew, since the small file changed the model
    assert asked(limited, batch) == len(LARGE)
    approvals.decide(limited.services, batch, "approve", name="Ada")
    assert work_off(limited) == []
    assert statuses(limited)["large"] == {"erased"}
    rows = DeltaTable(limited.table).to_pyarrow_table().num_rows
    assert rows == 240 - 8 - len(LARGE) - 2


def test_many_small_files_erase_no_more_without_a_word_than_one(limited):
    for number in range(4):
        first = 20 + 3 * number
        limited.submit(f"s{number}", range(first, first + 3))
    (batch,) = open_batches.open_batches(limited.services)
    assert work_off(limited, ("income",)) == []
    assert set().union(*(statuses(limited)[f"s{n}"] for n in range(4))) == {"accepted"}
    assert asked(limited, batch) == 12


def test_who_was_blocked_before_is_judged_with_the_others(limited):
    class Fails(Unreported):
        def judge_candidate(self, attempt, failure):
            return no_candidate("It cannot be measured.")

    limited.submit("small", [20])
    (first,) = open_batches.open_batches(limited.services)
    pipeline.process_batch(Fails(limited.services), first, ["income"])
    assert statuses(limited)["small"] == {"blocked"}
    limited.submit("large", LARGE)
    (batch,) = open_batches.open_batches(limited.services)
    assert work_off(limited, ("income",)) == []
    assert statuses(limited) == {"R": {"erased"}, "large": {"accepted"}, "small": {"accepted"}}
    assert asked(limited, batch) == len(LARGE) + 1
