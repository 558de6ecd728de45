"""Whoever asks again is answered after the batch that erased them, and told what it certified."""

import pytest
from erased_world import Unreported, world

from tasks import pipeline
from tasks.journal.reading import read_batch
from tasks.subjects import open_batches, replay, returned, suppression_list
from unlearning.errors import ConflictError

__all__ = ["world"]

MODELS = ["income"]


class KilledError(Exception):
    """The process died."""


class DiesBeforeCertificates(Unreported):
    """Everything is erased, and nobody is told."""

    def certify_requests(self, batch):
        raise KilledError


class DiesBeforeDeletion(Unreported):
    """The list of who is erased is written, and nothing is deleted."""

    def tables_to_erase(self, batch):
        raise KilledError


def test_who_asks_again_before_the_first_request_is_answered_waits_for_it(world):
    world.submit("S", [20])
    (first,) = open_batches.open_batches(world.services)
    with pytest.raises(KilledError):
        pipeline.process_batch(DiesBeforeCertificates(world.services), first, MODELS)
    assert 20 not in world.there()
    world.submit("T", [20, 22])
    _, second = open_batches.open_batches(world.services)
    with pytest.raises(ConflictError, match=rf"whom {first} is erasing \(1 request\)"):
        world.process(second)
    # The other one need not wait.
    *_, ahead = open_batches.open_batches(world.services)
    assert ahead not in (first, second)
    world.process(ahead)
    assert world.requests()["T-22"].status == "erased"
    assert {world.requests()[name].status for name in ("S-20", "T-20")} == {"accepted"}
    world.run()
    told = world.certificate("T-20")
    assert told["outcome"] == "not_found"
    assert told["earlier_certificates"] == ["certificates/S-20.json"]
    assert world.certificate("S-20")["outcome"] == "erased"
    assert read_batch(world.services.journal, second).status == "closed"


def test_a_batch_waits_for_no_other_that_names_other_people(world):
    world.submit("S", [20])
    (first,) = open_batches.open_batches(world.services)
    with pytest.raises(KilledError):
        pipeline.process_batch(DiesBeforeCertificates(world.services), first, MODELS)
    world.submit("T", [22])
    _, second = open_batches.open_batches(world.services)
    world.process(second)
    assert world.requests()["T-22"].status == "erased"


def test_who_waited_is_told_that_we_erased_the_rows_and_which_batch_unlearned_them(world):
    world.submit("S", [20])
    (first,) = open_batches.open_batches(world.services)
    with pytest.raises(KilledError):
        pipeline.process_batch(DiesBeforeDeletion(world.services), first, MODELS)
    # Nobody is back: the row is still to be deleted, and there is nothing to decide.
    replay.request_replays(world.services)
    assert returned.why_waiting(world.services) == []
    world.submit("T", [20])
    _, second = open_batches.open_batches(world.services)
    with pytest.raises(ConflictError, match="is erasing"):
        world.process(second)
    world.run()
    told = world.certificate("T-20")
    assert told["outcome"] == "erased"
    assert [(one["model"], one["in_batch"]) for one in told["models"]] == [("income", first)]
    reason = world.requests()["T-20"].facts.reason
    assert reason.startswith("the rows were erased with another request of the same person; ")
    assert "no model" not in reason


def test_the_list_alone_makes_another_batch_wait(world, monkeypatch):
    world.submit("S", [20])
    (first,) = open_batches.open_batches(world.services)
    with monkeypatch.context() as patch:
        patch.setattr(suppression_list, "once", _dies_after_the_effect)
        with pytest.raises(KilledError):
            pipeline.process_batch(Unreported(world.services), first, MODELS)
    world.submit("T", [20])
    _, second = open_batches.open_batches(world.services)
    with pytest.raises(ConflictError, match="is erasing"):
        world.process(second)


def _dies_after_the_effect(*_, plan, make, **__):
    make(plan)
    raise KilledError
