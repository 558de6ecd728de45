"""Questions to a candidate besides the gate's: asked, or left open with the reason."""

import factories
import pytest
import torch
from factories import attempt, disposition
from safetensors.torch import save
from torch import nn

from tasks.attempts import probes
from tasks.attempts.probes import CandidateUnderTest
from tasks.enrolling.reference_models import ReferenceModels
from tasks.journal.events.attempts import AttemptPlanned, CandidateIntended, CandidateMade
from tasks.journal.events.catalog import batch_stream
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import DivergenceError
from unlearning.evaluation.measurement import EvidenceRows, measure_candidate
from unlearning.evidence.evidence import Canaries
from unlearning.model.rows import TensorRows
from unlearning.model.weights import model_digest

MADE = Canaries(count=128, planted=0.6, erased=0.5, limit=0.55)


def some(count):
    return TensorRows(torch.randn(count, 3), torch.arange(count) % 2)


def asked_of(unseen=60, *, forget=20, of=None):
    """A linear candidate and all that is asked about it, with its measurement."""
    torch.manual_seed(0)
    of = of or attempt(forget_count=forget)
    parent, candidate, holdout = nn.Linear(3, 2), nn.Linear(3, 2), some(unseen)
    enrollment = factories.enrollment(
        unlearning=UnlearningConfig(method="calibrated"), policy=GatePolicy(references=0)
    )
    judged = EvidenceRows(retain=some(40), forget=some(forget), holdout=holdout)
    measured = measure_candidate(
        parent, candidate, (), judged, enrollment.policy, chunk_size=64, earlier=[]
    )
    asked = CandidateUnderTest(
        attempt=of,
        enrollment=enrollment,
        parent=parent,
        candidate=candidate,
        references=ReferenceModels(),
        read={"retain": some(40), "holdout": some(40)},
        judged=judged,
        unseen=holdout,
        chunk_size=64,
        device="cpu",
    )
    return asked, measured


@pytest.mark.parametrize(("unseen", "forget", "needed"), [(511, 5, 128), (1_023, 999, 256)])
def test_a_holdout_too_small_for_canaries_is_the_reason(services, unseen, forget, needed):
    found = probes.probe(services, *asked_of(unseen, forget=forget))
    assert found.canaries is None
    assert f"the {unseen} holdout rows" in found.no_canaries
    assert f"{needed} are needed" in found.no_canaries


@pytest.mark.parametrize("unseen", [100, 512])
def test_the_evidence_has_either_canaries_or_the_reason(services, monkeypatch, unseen):
    monkeypatch.setattr(probes, "canary_control", lambda *_: MADE)
    found = probes.probe(services, *asked_of(unseen))
    assert (found.canaries == MADE, bool(found.no_canaries)) == (unseen == 512, unseen == 100)


def test_an_update_that_fails_on_canaries_is_the_reason(services, monkeypatch):
    def diverge(*_):
        raise DivergenceError("The loss is not finite; lower the learning rate.")

    monkeypatch.setattr(probes, "canary_control", diverge)
    found = probes.probe(services, *asked_of(512))
    assert "The loss is not finite" in found.no_canaries


def test_a_retrain_needs_no_canaries_and_says_nothing_of_them(services):
    found = probes.probe(services, *asked_of(of=attempt(method="retrain", rung="retrain")))
    assert (found.canaries, found.no_canaries) == (None, "")


def test_what_needs_no_canaries_is_answered_all_the_same(services):
    found = probes.probe(services, *asked_of())
    assert found.threshold_advantage is not None
    assert found.relearning_speed > 0
    assert (found.shadow_auc, found.distance_to_retrained) == (None, None)


def made(services, of):
    """The attempt planned, with a candidate that knows its key."""
    mine = {"model": of.model, "attempt": of.key}
    state = nn.Linear(3, 2).state_dict()
    told = {
        of.ids.planned: AttemptPlanned(attempt=of),
        f"{of.ids.unlearned}/begun": CandidateIntended(**mine),
        of.ids.unlearned: CandidateMade(
            **mine, candidate=of.ids.candidate, digest=model_digest(state)
        ),
    }
    for event_id, facts in told.items():
        services.journal.append(batch_stream(of.batch), event_id, facts)
    services.store.put(of.ids.candidate, save(state))


@pytest.mark.parametrize(
    ("change", "is_compared"),
    [
        ({}, True),
        ({"parent_digest": "d0"}, False),
        ({"forget_digest": "g"}, False),
        ({"method": "retrain"}, False),
    ],
)
def test_a_retrain_is_compared_with_updates_of_the_same_rows_and_parent_only(
    services, change, is_compared
):
    retrain = attempt(method="retrain", rung="retrain", reason="It is suspected.")
    made(services, attempt(**change))
    made(services, retrain)
    found = probes.probe(services, *asked_of(of=retrain))
    assert (found.distance_to_retrained is not None) is is_compared


def test_a_retrain_does_not_suffer_from_an_update_that_somebody_replaced(services):
    update, retrain = attempt(), attempt(method="retrain", rung="retrain", reason="It left rows.")
    made(services, update)
    made(services, retrain)
    services.store.put(update.ids.candidate, save(nn.Linear(3, 2).state_dict()))
    assert probes.probe(services, *asked_of(of=retrain)).distance_to_retrained is None


def test_no_probe_names_a_subject():
    assert "subject" not in CandidateUnderTest.__dataclass_fields__
    assert disposition().subject not in repr(asked_of()[0].attempt)
