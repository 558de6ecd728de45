"""Hand-made state for tests: every value that events carry, whole, with what a test changes."""

from dataclasses import replace
from datetime import date
from typing import Any

from sample_evidence import FORGOTTEN

from tasks.journal.events import attempts as of_attempt
from tasks.journal.events import models as of_model
from tasks.journal.events.attempt import Attempt, AttemptPlan
from tasks.journal.events.batches import BatchApproved, BatchFrozen, BatchRejected, BatchValidated
from tasks.journal.events.catalog import BatchFact, batch_stream
from tasks.journal.events.enrollment import DatasetSpec, Enrollment
from tasks.journal.events.preflight import Preflight
from tasks.journal.events.versions import FilePlace, VersionRetired
from tasks.journal.journal import Journal
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.evidence.evidence import Pool
from unlearning.gate.gate import GateDecision, decide
from unlearning.policy.approval import ModelPreflight
from unlearning.policy.budget import Deletions
from unlearning.policy.deletion import Disposition

TABLE, HOLDOUT = "file:///train", "file:///holdout"


def dataset(**changes: Any) -> DatasetSpec:
    """Where rows are: one list column of features."""
    return replace(DatasetSpec(TABLE, ("features",), "label", "subject_id"), **changes)


def enrollment(**changes: Any) -> Enrollment:
    """The model `income`, version 1, trained on 100 rows."""
    known = Enrollment(
        model="income",
        version=1,
        digest="d1",
        dataset=dataset(),
        dataset_version=0,
        row_count=100,
        holdout=HOLDOUT,
        unlearning=UnlearningConfig(),
        policy=GatePolicy(),
        deletions=Deletions(trained_rows=100),
    )
    return replace(known, **changes)


def attempt(**changes: Any) -> Attempt:
    """The calibrated update of `income` version 1 for batch `b-1`: 5 of 100 rows."""
    plan = AttemptPlan(
        batch="b-1",
        model="income",
        parent_version=1,
        parent_digest="d1",
        dataset=TABLE,
        dataset_version=0,
        holdout_version=0,
        row_count=100,
        forget_count=5,
        forget_digest="f",
        config_digest="c",
        method="calibrated",
    )
    key = changes.pop("key", "")
    made = Attempt.of(replace(plan, **changes))
    return replace(made, key=key) if key else made


def disposition(record: str = "0123456789ab-000001", **changes: Any) -> Disposition:
    """An accepted record."""
    known = Disposition(
        record_id=record,
        request_id=f"R-{record[-3:]}",
        outcome="accepted",
        reason="valid",
        received_at="2026-11-20T03:04:05+00:00",
        subject=f"pseudonym-of-{record}",
    )
    return replace(known, **changes)


def decision(*, passed: bool = True) -> GateDecision:
    """What the gate says of a model that forgot, or of one whose holdout accuracy fell."""
    fell = replace(FORGOTTEN.holdout_accuracy_loss, value=0.5, certain=0.4)
    evidence = FORGOTTEN if passed else replace(FORGOTTEN, holdout_accuracy_loss=fell)
    return decide(evidence, GatePolicy(), exact=False)


def frozen() -> BatchFrozen:
    """A batch of one file."""
    return BatchFrozen(file_count=1, released_count=0)


def validated(**counts: int) -> BatchValidated:
    """Its records, by default one that is accepted."""
    return BatchValidated(
        counts=counts or {"accepted": 1}, report="reports/b-1/validation.html", code_version="0"
    )


def model_preflight(**changes: Any) -> ModelPreflight:
    """What people read about one model."""
    known = ModelPreflight(
        model="income",
        plan="p",
        parent_version=1,
        is_serving=True,
        method="calibrated",
        forget_count=5,
        row_count=100,
        reason="5 of 100 rows are many.",
    )
    return replace(known, **changes)


def preflight(number: int = 1, **changes: Any) -> Preflight:
    """The batch's question to people."""
    known = Preflight(
        batch="b-1", number=number, digest="q", due_on="2026-12-20", models=(model_preflight(),)
    )
    return replace(known, **changes)


def approved(number: int = 1) -> BatchApproved:
    """Ada said yes."""
    return BatchApproved(name="Ada", reason="", preflight="q", number=number)


def rejected(number: int = 1) -> BatchRejected:
    """Ada said no."""
    return BatchRejected(name="Ada", reason="wrong table", preflight="q", number=number)


def evaluated(of: Attempt) -> of_attempt.CandidateEvaluated:
    """Its candidate forgot."""
    return of_attempt.CandidateEvaluated(
        model=of.model,
        attempt=of.key,
        evidence=FORGOTTEN,
        curves=of_attempt.KeptCurves(key=f"evidence/{of.key}.json", digest="e"),
    )


def promotion(of: Attempt, version: int = 2, **changes: Any) -> of_model.ChampionPromoted:
    """Its version serves, in the model's stream."""
    known = of_model.ChampionPromoted(
        attempt=of.key,
        batch=of.batch,
        version=version,
        digest=f"d{version}",
        parent_version=of.parent_version,
        forget_count=of.forget_count,
        method=of.method,
        reason=of.reason,
    )
    return replace(known, **changes)


def advanced(version: int, rows: int, batch: str = "b-1") -> of_model.SnapshotAdvanced:
    """The model's table lost rows."""
    return of_model.SnapshotAdvanced(
        dataset_version=version, row_count=rows, fingerprint="", batch=batch
    )


def measured(of: Attempt, **changes: Any) -> of_model.CandidateMeasured:
    """What its candidate cost and changed."""
    known = of_model.CandidateMeasured(
        attempt=of.key,
        batch=of.batch,
        method=of.method,
        rung=of.rung,
        config=of.config_digest,
        forget_count=of.forget_count,
        row_count=of.row_count,
        seconds=2.0,
        holdout_change=-0.01,
        attack="loss",
        own=Pool(count=1, before=0.8, after=0.5, variance=0.01),
    )
    return replace(known, **changes)


def retired(version: int, **changes: Any) -> VersionRetired:
    """An old version that is to be purged on 9 February 2026."""
    known = VersionRetired(
        model="income",
        version=version,
        digest=f"d{version}",
        batch="b-1",
        why="it remembers the rows of b-1",
        attempt="",
        source="",
        aliases=(),
        logged_models=(),
        places=(FilePlace(uri="file:///artifacts", is_own=True),),
        retired_on=date(2026, 1, 10),
        purge_on=date(2026, 2, 9),
    )
    return replace(known, **changes)


def happen(journal: Journal, batch: str, **events: BatchFact) -> None:
    """Append events to a batch's stream, each under the name it is given as id."""
    for event_id, facts in events.items():
        journal.append(batch_stream(batch), event_id, facts)
