"""One sample of every event, for tests of what holds for all of them."""

from dataclasses import fields
from datetime import date
from typing import Any

from factories import (
    advanced,
    approved,
    attempt,
    decision,
    disposition,
    enrollment,
    evaluated,
    frozen,
    measured,
    preflight,
    promotion,
    rejected,
    retired,
    validated,
)

from tasks.journal.events import attempts as a
from tasks.journal.events import batches as b
from tasks.journal.events import halts as h
from tasks.journal.events import models as m
from tasks.journal.events import objects as o
from tasks.journal.events import reduction as d
from tasks.journal.events import requests as r
from tasks.journal.events import statements as s
from tasks.journal.events import versions as v
from tasks.journal.events.catalog import Fact
from tasks.journal.events.withheld import (
    NearMatch,
    NearMatchesSought,
    RequestsSentAhead,
    RequestsWithheld,
)
from unlearning.evidence.attack_power import AttackPower

MADE = attempt()
OF: dict[str, Any] = {"model": MADE.model, "attempt": MADE.key}
TOLD = {"disposition": disposition(), "batch": "b-1"}
ANSWERED = {
    "batch": "b-1",
    "request_id": "R-1",
    "subject": "p",
    "reason": "1 row erased",
    "certificate": "certificates/R-1.json",
    "certificate_digest": "c",
}
ROWS = {"version_before": 0, "rows_before": 100}
TIMED = m.Timing(
    rows=100,
    epochs=3,
    seconds=1.5,
    conditions=m.Conditions(
        device="cpu", batch_size=32, restriction="none", derivative="difference"
    ),
)
RETIREMENT = {field.name: getattr(retired(1), field.name) for field in fields(retired(1))}

EVERY_EVENT: list[Fact] = [
    r.RequestAccepted(**TOLD),
    r.RequestQuarantined(**TOLD),
    r.RequestDuplicated(**TOLD),
    r.RequestHeld(**TOLD),
    r.RequestUnclear(**TOLD),
    r.RequestSettled(**TOLD, name="Ada", why="She says so."),
    r.RequestWithdrawn(**TOLD, name="Ada", why="She meant another one."),
    r.RequestReleased(**TOLD),
    r.RequestBlocked(**TOLD),
    r.RequestUnblocked(**TOLD),
    r.HoldTooLate(**TOLD),
    r.RequestErased(**ANSWERED),
    r.SubjectNotFound(**ANSWERED),
    r.SubjectUncertain(**ANSWERED),
    r.ReturnDecided(**ANSWERED, name="Ada", decision="reinstate"),
    frozen(),
    validated(accepted=2, quarantined=1),
    RequestsWithheld(records=("one", "two")),
    RequestsSentAhead(to="b-2", as_of={"one": 3}, models=("income",)),
    NearMatchesSought(
        versions={"t": (3, 1)},
        unclear=(NearMatch(record="one", rows=2, subjects=1, kinds=("employee",)),),
    ),
    b.RowsResolved(tables=2, rows=3, located=1, not_found=0),
    b.SearchClosed(),
    b.ApprovalRequested(preflight=preflight()),
    b.QuestionRetracted(preflight="q"),
    approved(),
    rejected(),
    b.RequestsTold(),
    b.SuppressionIntended(list="suppression/b-1.json"),
    b.SubjectsSuppressed(list="suppression/b-1.json", count=3),
    b.ErasureIntended(table="t", **ROWS),
    b.RowsErased(
        table="t", rows_matched=5, rows_appended=0, version_after=1, rows_after=95,
        rows_matched_after=0, **ROWS
    ),
    b.PurgeIntended(table="t", files_found=2),
    b.FilesPurged(
        table="t", files_removed=2, leftover_files=0, objects_searched=4, bytes_searched=1000,
        ids_searched=5, ids_searched_as_words=0, hits=0, version=2, rows=95
    ),
    b.TableGone(table="t"),
    o.ObjectErasureIntended(prefix="s3://b/p", lists=1, found=2),
    o.ObjectsErased(prefix="s3://b/p", tables=("t",), lists=1, erased=2, shared=1, missing=0),
    b.ModelUntouched(model="income"),
    b.NothingLeftToForget(model="income"),
    b.ForgottenEarlier(model="income", batch="b-0", attempt="a-0", records=("one",)),
    b.ModelOutOfService(
        model="income", dataset="t", parent_version=1, parent_digest="d1", withdrawn_by="b-0"
    ),
    b.EarlierVersionsStated(model="income", as_of=7),
    s.OtherVersionsStated(
        model="income",
        copies=(
            s.CopySeen(model="prod", version=1, aliases=("live",), original=1, is_by_source=True),
        ),
        unknown=(s.VersionSeen(model="income", version=7, aliases=()),),
    ),
    s.StrangersStated(table="t", versions=(s.VersionSeen(model="old", version=3, aliases=()),)),
    s.ExamplesCompared(table="t", compared=2, holding=(s.ExampleOf(model="income", version=1),)),
    s.ExamplesCleared(
        table="t", compared=2, replaced=(s.ExampleOf(model="income", version=1),), left=()
    ),
    h.BatchStoodStill(reason="The table is away; try again later."),
    h.StandstillEnded(),
    b.BatchSuperseded(by="b-2"),
    b.BatchClosed(),
    d.ReductionIntended(files=2),
    d.RequestsReduced(files=2),
    d.QuarantineEmptyingIntended(files=1),
    d.QuarantineEmptied(files=1),
    a.AttemptPlanned(attempt=MADE),
    a.CandidateIntended(**OF),
    a.CandidateMade(**OF, candidate="candidates/a.safetensors", digest="d2"),
    a.CandidateFailed(**OF, reason="It cannot be trained.", is_of_rows=True),
    a.MemoryRanOut(**OF, reason="More memory is needed."),
    evaluated(MADE),
    a.CandidateAccepted(**OF, decision=decision()),
    a.CandidateRejected(**OF, decision=decision(passed=False)),
    a.RungChosen(**OF, rung="retrain", reason="It still remembers.", retrain_seconds=12.5),
    a.RegistrationIntended(**OF),
    a.VersionRegistered(**OF, version=2),
    a.PromotionIntended(**OF),
    a.VersionPromoted(**OF, version=2, digest="d2", files={"data/model.pt2": "f2"}),
    a.WithdrawalIntended(**OF),
    a.AliasWithdrawn(**OF, version=1, reason="It cannot forget."),
    a.BatchBlocked(**OF, failed=("holdout_accuracy",), reason="It lost too much."),
    a.PeopleCalled(
        **OF, day=date(2026, 12, 6), due_on=date(2026, 12, 20), said="5 rows are still remembered."
    ),
    m.ModelEnrolled(enrollment=enrollment(), config_digest="c"),
    m.ErasedSubjectsLearned(relearned="relearned/d1/x.json", version=1),
    promotion(MADE, trained_rows=95),
    m.ModelUnenrolled(name="Ada", reason="It was retired in May."),
    m.ModelWithdrawn(attempt=MADE.key, batch="b-1"),
    m.ForgettingSettled(batch="b-1"),
    advanced(1, 95),
    m.SnapshotRestored(
        dataset_version=3, row_count=95, fingerprint="f", version_before=2, erased_rows=5
    ),
    measured(MADE),
    m.RetrainTimed(attempt=MADE.key, timed=TIMED),
    m.ReferenceModelsStored(
        references="references/income/x", count=2, version=1,
        power=AttackPower(attack="loss", auc=0.7, deviation=0.2, holdout_variance=0.01), timed=TIMED
    ),
    m.HoldoutErased(batch="b-1"),
    m.FormerRowsErased(batch="b-1", table="t"),
    m.SnapshotLost(
        dataset_version=3, row_count=95, fingerprint="f", version_before=2, missing_rows=5
    ),
    m.TableClosed(table="t", name="Ada", reason="It was moved."),
    m.LedgerStored(ledger="ledgers/d1/x", row_count=100, version=1),
    v.AliasChangeIntended(found=1, floor=None),
    v.AliasRestored(found=1, floor=2),
    v.AliasGiven(version=2, before=None),
    v.AliasLost(found=1),
    v.RetirementIntended(**RETIREMENT),
    retired(1),
    v.VersionPurgeIntended(
        model="income", version=1, digest="d1", logged_models=("m-1",),
        places=(v.PlaceBefore(place="file:///artifacts", before=3),), folders=()
    ),
    v.VersionPurged(
        model="income", version=1, digest="d1", logged_models=("m-1",),
        looked_at=(v.PlaceLookedAt(place="file:///artifacts", before=3, after=0),)
    ),
    v.VersionExamined(
        model="theirs", version=1, source="m-2", sizes={"data/model.pt2": 9},
        digests={"data/model.pt2": "d"}
    ),
]  # fmt: skip
