"""A batch whose events and objects are written by hand, and the page about it as people read it."""

import json
import re
from dataclasses import asdict

import pytest
import torch
from factories import attempt, dataset, enrollment, promotion
from sample_evidence import FORGOTTEN

from tasks.certificates.certificates import certificate_key
from tasks.intake.batches import report_key
from tasks.journal.events import attempts as a
from tasks.journal.events import batches as b
from tasks.journal.events import ids
from tasks.journal.events.catalog import batch_stream, model_stream
from tasks.journal.reading import read_batch, record_enrollment
from tasks.report.report import write_report
from tasks.subjects.matches import matches_key
from unlearning.attacks.attacks import Signals
from unlearning.config.gate_policy import GatePolicy
from unlearning.evaluation.curves import Reading, candidate_curves
from unlearning.gate.gate import decide
from unlearning.model.scores import Scores
from unlearning.policy.deletion import Disposition
from unlearning.policy.digests import bytes_digest

BATCH, TABLE = "b-0123456789ab", "file:///tables/train"


def reading(forget, seed):
    """What a random two-class model says of `forget` forget rows and 400 unseen rows."""
    random = torch.Generator().manual_seed(seed)
    scores = {
        name: Scores(
            3 * torch.randn(count, 2, generator=random, dtype=torch.double),
            torch.randint(2, (count,), generator=random),
        )
        for name, count in (("forget", forget), ("holdout", 400))
    }
    signals = {n: Signals(s.margins, s.labels, torch.empty((0, 0))) for n, s in scores.items()}
    return Reading(scores=scores, signals=signals)


def curves(forget=300):
    """Curves of such a model before and after."""
    return candidate_curves(reading(forget, 1), reading(forget, 2), "loss", min_class_rows=50)


class HandMadeBatch:
    """Its requests were validated and found in a table; each call is what happens next."""

    def __init__(self, services, accepted=3, name=BATCH):
        self.services, self.store, self.name = services, services.store, name
        self.judged = [self.request(n, "accepted") for n in range(accepted)]
        others = ("quarantined", "duplicate", "on_hold")
        self.judged += [self.request(90 + n, other) for n, other in enumerate(others)]
        self.put(f"batches/{name}/dispositions.json", [asdict(d) for d in self.judged])
        match = {"uri": TABLE, "column": "subject_id", "version": 1, "row_count": 4000}
        self.put(matches_key(name, 1), [{**match, "rows": {d.record_id: 1 for d in self.wanted}}])
        self.happen(ids.FROZEN, b.BatchFrozen(file_count=1, released_count=0))
        report = f"reports/{name}/validation.html"
        counts = {"accepted": accepted}
        validated = b.BatchValidated(counts=counts, report=report, code_version="9.9")
        self.happen(ids.VALIDATED, validated)
        found = b.RowsResolved(tables=1, rows=accepted, located=accepted, not_found=0)
        self.happen(ids.resolved(1), found)

    @property
    def wanted(self):
        return [d for d in self.judged if d.outcome == "accepted"]

    @staticmethod
    def request(number, outcome):
        received = f"2026-01-{2 + number % 5:02}T03:04:05+00:00"
        return Disposition(f"r-{number}", f"CASE-{number}", outcome, "", received, "", "pseudonym")

    def put(self, key, body):
        self.store.put(key, json.dumps(body).encode())

    def happen(self, event_id, facts):
        self.services.journal.append(batch_stream(self.name), event_id, facts)

    def history(self):
        return read_batch(self.services.journal, self.name)

    def enroll(self, model="income", **changes):
        """A model on the batch's table."""
        known = {"model": model, "dataset": dataset(uri=TABLE), "digest": "1" * 64}
        record_enrollment(self.services.journal, enrollment(**known | changes))

    def plan(self, key="a-1", **changes):
        known = {
            "batch": self.name,
            "parent_digest": "1" * 64,
            "dataset": TABLE,
            "dataset_version": 1,
            "row_count": 4000,
            "forget_count": 300,
            "forget_digest": "hmac-sha256:" + "f" * 64,
            "config_digest": "c" * 64,
        }
        made = attempt(key=key, **known | changes)
        self.happen(made.ids.planned, a.AttemptPlanned(attempt=made))
        return made

    def of(self, key):
        """The attempt of this key, with what names it in its events."""
        found = self.history().attempts[key].attempt
        return found, {"model": found.model, "attempt": key}

    def make(self, key="a-1", **facts):
        made, of = self.of(key)
        self.happen(ids.intent(made.ids.unlearned), a.CandidateIntended(**of))
        candidate = a.CandidateMade(**of, candidate=made.ids.candidate, digest="d" * 64, **facts)
        self.happen(made.ids.unlearned, candidate)

    def decide(self, evidence=FORGOTTEN, key="a-1", *, exact=False, policy=GatePolicy()):  # noqa: B008
        made, of = self.of(key)
        decision = decide(evidence, policy, exact=exact)
        judged = a.CandidateAccepted if decision.passed else a.CandidateRejected
        self.happen(made.ids.judged, judged(**of, decision=decision))

    def judge(self, evidence=FORGOTTEN, key="a-1", **options):
        """Make the candidate, measure it, and let the gate decide."""
        made, of = self.of(key)
        self.make(key)
        self.put(made.ids.curves, asdict(curves(evidence.forgetting.count)))
        kept = a.KeptCurves(
            key=made.ids.curves, digest=bytes_digest(self.store.get(made.ids.curves))
        )
        measured = a.CandidateEvaluated(**of, evidence=evidence, curves=kept)
        self.happen(made.ids.evaluated, measured)
        self.decide(evidence, key, **options)

    def promote(self, key="a-1"):
        made, of = self.of(key)
        self.happen(
            made.ids.promoted, a.VersionPromoted(**of, version=2, digest="d" * 64, files={})
        )
        told = promotion(made, digest="d" * 64)
        self.services.journal.append(model_stream(made.model), made.ids.promoted, told)

    def withdraw(self, key="a-1", reason="4 days are left."):
        made, of = self.of(key)
        self.happen(made.ids.withdrawn, a.AliasWithdrawn(**of, version=1, reason=reason))

    def erase(self, number=1, before=4000, matched=300):
        """Delete rows and purge their files in one round, then certify."""
        after = before - matched
        erased = b.RowsErased(
            table=TABLE,
            version_before=number,
            rows_before=before,
            rows_matched=matched,
            rows_appended=0,
            version_after=number + 1,
            rows_after=after,
            rows_matched_after=0,
        )
        purged = b.FilesPurged(
            table=TABLE,
            files_removed=7,
            leftover_files=0,
            objects_searched=4,
            bytes_searched=1000,
            ids_searched=3,
            ids_searched_as_words=0,
            hits=0,
            version=number + 1,
            rows=after,
        )
        self.happen(ids.erased(TABLE, number), erased)
        self.happen(ids.purged_files(TABLE, number), purged)
        self.answer("erased")

    def answer(self, outcome):
        """Certificates as short as the report needs them."""
        for request in self.wanted:
            key = certificate_key(request.request_id)
            self.put(key, {"batch": self.name, "outcome": outcome})

    def page(self):
        write_report(self.services, self.name)
        return self.store.get(report_key(self.name)).decode()

    def text(self):
        """The page as somebody reads it."""
        body = re.sub(r"<(style|svg).*?</\1>", " ", self.page(), flags=re.DOTALL)
        return " ".join(re.sub(r"<[^>]+>", " ", body).split())


@pytest.fixture
def batch(services):
    """A batch that found rows of its three requests."""
    return HandMadeBatch(services)


@pytest.fixture
def erased(batch):
    """A batch that a model forgot, and that is erased."""
    batch.plan()
    batch.judge()
    batch.promote()
    batch.erase()
    return batch
