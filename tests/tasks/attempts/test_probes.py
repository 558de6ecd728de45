"""Canaries that cannot be made: said with the reason, in the evidence and in the certificate."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from tasks.attempts import evidence, probes
from tasks.intake import batches
from tasks.records.certified_models import certified_models
from tasks.store import journal
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import DivergenceError
from unlearning.evidence.evidence import Canaries, Probes
from unlearning.model.rows import TensorRows


@dataclass(frozen=True)
class Evidence:
    probes: Probes | None = None


@dataclass(frozen=True)
class Measured:
    evidence: Evidence


MEASURED = SimpleNamespace(
    after={"forget": None, "holdout": None},
    signals_after={"holdout": SimpleNamespace(references=torch.empty(0))},
    evidence=SimpleNamespace(forgetting=SimpleNamespace(judged=SimpleNamespace(attack="loss"))),
)


def subject(unseen, *, forget=5, method="calibrated"):
    rows = {
        name: TensorRows(torch.randn(count, 3), torch.zeros(count, dtype=torch.int64))
        for name, count in (("forget", forget), ("read", 20), ("unseen", unseen))
    }
    return SimpleNamespace(
        attempt=SimpleNamespace(forget_count=forget, method=method, model="income"),
        enrollment=SimpleNamespace(policy=GatePolicy()),
        parent=nn.Linear(3, 2),
        forget=rows["forget"],
        read={"retain": rows["read"], "holdout": rows["read"]},
        unseen=rows["unseen"],
        chunk_size=64,
        device="cpu",
    )


@pytest.mark.parametrize(("unseen", "forget", "needed"), [(511, 5, 128), (1_023, 999, 256)])
def test_a_holdout_too_small_for_canaries_is_the_reason(unseen, forget, needed):
    why = probes._canaries(subject(unseen, forget=forget), MEASURED)
    assert f"the {unseen} holdout rows" in why
    assert f"{needed} are needed" in why


def test_an_update_that_fails_on_them_is_the_reason_and_a_retrain_needs_none(monkeypatch):
    made = Canaries(count=128, planted=0.6, erased=0.5, limit=0.55)
    monkeypatch.setattr(probes, "update_config", lambda *_: UnlearningConfig())
    monkeypatch.setattr(probes, "canary_control", lambda *_: made)
    assert probes._canaries(subject(512), MEASURED) == made
    assert probes._canaries(subject(512, method="retrain"), MEASURED) == ""

    def diverge(*_):
        raise DivergenceError("The loss is not finite; lower the learning rate.")

    monkeypatch.setattr(probes, "canary_control", diverge)
    assert "The loss is not finite" in probes._canaries(subject(512), MEASURED)


@pytest.mark.parametrize("reason", ["", "The holdout is too small."])
def test_the_certificate_says_that_no_control_was_possible(store, reason):
    plan = {"key": "a-1", "model": "income", "dataset": "file:///t", "parent_version": 1,
            "parent_digest": "p", "forget_count": 5, "forget_digest": "f", "method": "calibrated",
            "config_digest": "c"}  # fmt: skip
    evaluated = {"before": {}, "after": {}, "probes": {"no_canaries": reason}}
    promoted = {"model": "income", "attempt": "a-1", "version": 2, "digest": "d"}
    for step, event, facts in (
        ("planned", "UnlearningPlanned", plan),
        ("evaluated", "CandidateEvaluated", evaluated),
        ("judged", "CandidateAccepted", {"outcome": "forgotten", "checks": []}),
        ("promoted", "ChampionPromoted", promoted),
    ):
        journal.append(store, journal.Entry(batches.stream("b-1"), f"a-1/{step}", event, facts))
    (model,) = certified_models(store, "b-1")
    expected = f"No control was possible. {reason}" if reason else None
    assert model.facts.get("no_control") == expected


@pytest.mark.parametrize("unseen", [100, 512])
def test_the_evidence_has_either_canaries_or_the_reason(unseen, monkeypatch):
    made = Canaries(count=128, planted=0.6, erased=0.5, limit=0.55)
    for name in ("_threshold", "_relearning", "_distance"):
        monkeypatch.setattr(probes, name, lambda *_: None)
    monkeypatch.setattr(probes, "update_config", lambda *_: UnlearningConfig())
    monkeypatch.setattr(probes, "canary_control", lambda *_: made)
    one = subject(unseen)
    one.references = SimpleNamespace(shadow=None)
    found = probes.probe(None, one, MEASURED)
    assert (found.canaries == made, bool(found.no_canaries)) == (unseen == 512, unseen == 100)


def test_a_retrain_is_compared_with_updates_of_the_same_rows_and_parent_only():
    same = {"model": "income", "parent_digest": "d1", "forget_digest": "f"}
    plans = {
        "a-update": {**same, "method": "calibrated"},
        "a-other-parent": {**same, "parent_digest": "d0", "method": "calibrated"},
        "a-other-rows": {**same, "forget_digest": "g", "method": "calibrated"},
        "a-retrain": {**same, "method": "retrain"},
    }
    made = [SimpleNamespace(name="CandidateMade", facts={"attempt": key}) for key in plans]
    planned = [
        SimpleNamespace(name="UnlearningPlanned", facts={"key": key, **facts})
        for key, facts in plans.items()
    ]
    retrain = SimpleNamespace(**plans["a-retrain"])
    assert probes._updates([*planned, *made], retrain) == ["a-update"]


def test_what_is_asked_besides_takes_as_little_memory_as_there_is(monkeypatch):
    one = subject(40)
    one.enrollment.unlearning = UnlearningConfig(chunk_size=1024)
    half = SimpleNamespace(rows=one.unseen, slices={})
    measured, tried = Measured(evidence=Evidence()), []

    def ask(_, about, __):
        tried.append(about.chunk_size)
        if about.chunk_size > 16:
            raise MemoryError
        return Probes(relearning_speed=2.0)

    for name, given in {
        "inputs": (one.enrollment, one.parent, one.forget),
        "halves": (half, half),
        "load_candidate": one.parent,
        "read_references": SimpleNamespace(models=()),
        "measure_candidate": measured,
        "_earlier": [],
    }.items():
        monkeypatch.setattr(evidence, name, lambda *_, given=given, **__: given)
    monkeypatch.setattr(evidence, "probe", ask)
    found = evidence._measure(None, one.attempt)
    assert found.evidence.probes == Probes(relearning_speed=2.0)
    assert tried == [1024, 128, 16]
