"""A candidate is measured and judged once, and later batches are told of it."""

from dataclasses import replace

import pytest
from factories import evaluated, measured, promotion

from tasks.attempts import evidence
from tasks.attempts.curves import read_curves
from tasks.journal.events import ids
from tasks.journal.events.models import ForgettingSettled
from unlearning.config.gate_policy import GatePolicy
from unlearning.evidence.evidence import Pool, Probes


@pytest.fixture
def watched(monkeypatch):
    """Which earlier measurements each measuring was told of."""
    told, real = [], evidence.measure_candidate

    def measure(*arguments, earlier, **named):
        told.append(earlier)
        return real(*arguments, earlier=earlier, **named)

    monkeypatch.setattr(evidence, "measure_candidate", measure)
    return told


@pytest.fixture
def unasked(monkeypatch):
    """Further questions take a while and are tested by themselves."""
    monkeypatch.setattr(evidence, "probe", lambda *_: Probes())


@pytest.mark.parametrize("method", ["theory_step", "retrain"])
def test_every_candidate_is_measured_once_and_its_model_is_told(world, watched, unasked, method):
    here = world(method=method)
    attempt = here.made()
    found = evidence.evaluate_candidate(here.services, attempt)
    assert evidence.evaluate_candidate(here.services, attempt) == found
    assert watched == [[]]
    history = here.history().attempts[attempt.key]
    assert history.evaluated.evidence == found
    assert read_curves(here.store, history.evaluated.curves).forget_count == 10
    (told,) = here.model().measured
    assert (told.attempt, told.batch, told.method) == (attempt.key, "b-1", method)
    assert (told.forget_count, told.row_count, told.seconds) == (10, 100, history.seconds)
    change = found.after.holdout_accuracy - found.before.holdout_accuracy
    assert (told.holdout_change, told.own) == (change, found.forgetting.own)


def test_a_model_is_told_after_a_kill_between_the_two_streams(world, watched):
    here = world()
    attempt = here.made()
    here.append(attempt.ids.evaluated, evaluated(attempt))
    assert here.model().measured == []
    found = evidence.evaluate_candidate(here.services, attempt)
    assert watched == []  # nothing is measured anew
    (told,) = here.model().measured
    assert told.own == found.forgetting.own


def test_the_decision_is_recorded_once_with_every_check(world, unasked):
    here = world()
    attempt = here.made()
    decision = evidence.judge_candidate(here.services, attempt)
    assert decision.checks
    here.enroll(policy=GatePolicy(references=0, undecided="accept", max_exact_accuracy_loss=1.0))
    assert evidence.judge_candidate(here.services, attempt) == decision
    assert here.history().attempts[attempt.key].decision == decision


def finish(here, before):
    """An earlier batch, promoted and erased, whose weights are still in service."""
    here.tell_model(before.ids.promoted, promotion(before, 1, digest=here.first.digest))
    here.tell_model(ids.settled(before.batch), ForgettingSettled(batch=before.batch))


def test_what_other_weights_forgot_vouches_for_nothing_and_no_row_counts_twice(
    world, watched, unasked
):
    here = world()
    attempt = here.made()

    def tell(number, batch, after):
        other = replace(attempt, key=f"a-{number}", batch=batch)
        here.tell_model(other.ids.measured, measured(other, own=Pool(count=1, after=after)))
        return other

    tell(1, "b-0", 0.9)
    before = tell(2, "b-0", 0.4)
    tell(3, "b-open", 0.3)
    finish(here, before)
    evidence.evaluate_candidate(here.services, attempt)
    assert watched == [[("loss", Pool(count=1, after=0.4))]]


@pytest.mark.parametrize("origin", ["the same weights", "other weights"])
def test_weights_of_another_origin_begin_a_pool_of_their_own(world, watched, unasked, origin):
    here = world()
    before = replace(here.plan(), key="a-0", batch="b-0")
    here.tell_model(before.ids.measured, measured(before))
    finish(here, before)
    if origin == "other weights":
        here.enroll(digest="trained anew")
    here.enroll(digest=here.first.digest)
    evidence.evaluate_candidate(here.services, here.made())
    assert watched == [[("loss", measured(before).own)] if origin == "the same weights" else []]


def test_a_retrain_has_no_pool(world, watched, unasked):
    here = world(method="retrain")
    before = replace(here.plan(), key="a-0", batch="b-0")
    here.tell_model(before.ids.measured, measured(before))
    finish(here, before)
    evidence.evaluate_candidate(here.services, here.made())
    assert watched == [[]]


def test_what_is_asked_besides_takes_as_little_memory_as_there_is(world, monkeypatch):
    tried = []

    def ask(_, asked, __):
        tried.append(asked.chunk_size)
        if asked.chunk_size > 16:
            raise MemoryError
        return Probes(relearning_speed=2.0)

    monkeypatch.setattr(evidence, "probe", ask)
    here = world()
    found = evidence.evaluate_candidate(here.services, here.made())
    assert found.probes == Probes(relearning_speed=2.0)
    assert tried == [1024, 128, 16]
