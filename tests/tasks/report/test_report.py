"""The erasure report: what was recorded is said, what is missing is said, and nobody is named."""

import json
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser

import pytest
import sample_evidence as sample
import torch
from tables import MARK, subject

from tasks.attempts.attempt import Attempt
from tasks.intake import batches
from tasks.intake.batches import report_key
from tasks.records.certificates import NOT_PROVEN, certificate_key
from tasks.records.certified_models import certified_models
from tasks.report.report import report_figures, write_report
from tasks.store import journal
from unlearning.attacks.attacks import Signals
from unlearning.config.gate_policy import GatePolicy
from unlearning.evaluation.curves import Reading, candidate_curves
from unlearning.gate.gate import decide
from unlearning.model.scores import Scores
from unlearning.policy.deletion import Disposition
from unlearning.policy.digests import bytes_digest

BATCH, TABLE = "b-0123456789ab", "file:///tables/train"
WAITS = "the batch waits for approval"
ASKED = {"model": "income", "reason": "income has to forget 300 of 4000 rows."}


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


class Batch:
    """A batch whose events and objects are written by hand, one step at a time."""

    def __init__(self, store, accepted=3):
        self.store = store
        self.judged = [self.request(n, "accepted") for n in range(accepted)]
        others = ("quarantined", "duplicate", "on_hold")
        self.judged += [self.request(90 + n, other) for n, other in enumerate(others)]
        self.put(f"batches/{BATCH}/dispositions.json", [asdict(d) for d in self.judged])
        match = {"uri": TABLE, "column": "subject_id", "version": 1, "row_count": 4000}
        rows = {d.record_id: 1 for d in self.judged if d.outcome == "accepted"}
        self.put(f"batches/{BATCH}/matches.json", [{**match, "rows": rows}])
        self.happen("frozen", "BatchFrozen")
        self.happen("validated", "BatchValidated", code_version="9.9", counts={})

    @staticmethod
    def request(number, outcome):
        received = f"2026-01-{2 + number % 5:02}T03:04:05+00:00"
        return Disposition(f"r-{number}", f"CASE-{number}", outcome, "", received, "", "pseudonym")

    def put(self, key, body):
        self.store.put(key, json.dumps(body).encode())

    def happen(self, event_id, event, **facts):
        stream = batches.stream(BATCH)
        journal.append(
            self.store, journal.Entry(stream, event_id, event, json.loads(json.dumps(facts)))
        )

    def plan(self, key="a-1", model="income", **changes):
        plan = Attempt(
            key=key,
            batch=BATCH,
            model=model,
            parent_version=1,
            parent_digest="1" * 64,
            dataset=TABLE,
            dataset_version=1,
            holdout_version=1,
            row_count=4000,
            forget_count=300,
            forget_digest="f" * 64,
            config_digest="c" * 64,
            method="calibrated",
        )
        self.happen(f"{key}/planned", "UnlearningPlanned", **asdict(replace(plan, **changes)))

    def judge(self, evidence, key="a-1", *, exact=False, policy=GatePolicy()):  # noqa: B008
        self.happen(f"{key}/unlearned", "CandidateMade")
        curves = self.keep_curves(key, evidence.forgetting.count)
        self.happen(f"{key}/evaluated", "CandidateEvaluated", **asdict(evidence), curves=curves)
        decision = decide(evidence, policy, exact=exact)
        event = "CandidateAccepted" if decision.passed else "CandidateRejected"
        self.happen(f"{key}/judged", event, **asdict(decision))

    def keep_curves(self, key, count):
        found = candidate_curves(reading(count, 1), reading(count, 2), "loss", min_class_rows=50)
        self.put(f"evidence/{key}.json", asdict(found))
        digest = bytes_digest(self.store.get(f"evidence/{key}.json"))
        return {"key": f"evidence/{key}.json", "digest": digest}

    def promote(self, key="a-1", model="income"):
        facts = {"model": model, "attempt": key, "version": 2, "digest": "d" * 64}
        self.happen(f"{key}/promoted", "ChampionPromoted", **facts)

    def erase(self):
        erased = {"rows_before": 4000, "rows_matched": 300, "rows_after": 3700}
        erased |= {"version_before": 1, "version_after": 2, "rows_matched_after": 0}
        purged = {"files_removed": 7, "leftover_files": 0}
        self.happen("erased/t", "RowsErased", table=TABLE, **erased)
        self.happen("purged/t", "FilesPurged", table=TABLE, **purged)
        self.certify("erased")

    def certify(self, outcome):
        for request in (d for d in self.judged if d.outcome == "accepted"):
            self.put(certificate_key(request.request_id), {"batch": BATCH, "outcome": outcome})

    def page(self):
        write_report(self.store, BATCH)
        return self.store.get(report_key(BATCH)).decode()

    def text(self):
        """The page as somebody reads it."""
        body = re.sub(r"<(style|svg).*?</\1>", " ", self.page(), flags=re.DOTALL)
        return " ".join(re.sub(r"<[^>]+>", " ", body).split())


@pytest.fixture
def batch(store):
    return Batch(store)


@pytest.fixture
def erased(batch):
    batch.plan()
    batch.judge(sample.FORGOTTEN)
    batch.promote()
    batch.erase()
    return batch


def test_a_batch_that_was_erased_says_what_was_asked_done_and_measured(erased):
    text = erased.text()
    assert "Erased: the rows of 3 deletion requests" in text
    assert "3 erased" in text
    assert "1 quarantined" in text
    assert "due on 2026-02-02" in text
    assert "Forgotten, as far as the attack can see" in text
    assert "Version 1 before; version 2 now" in text
    assert "Passed the gate; it became version 2." in text
    assert "here 53 times. Up to 55 counts as forgotten" in text
    assert "0.530; at most 0.550" in text
    assert "Had the model still remembered these 300 rows" in text
    assert "would have noticed in 97 of 100 cases" in text
    assert "4,000 \N{MINUS SIGN} 300 = 3,700" in text
    assert "Old files removed: 7, left over: 0." in text
    for sentence in NOT_PROVEN:
        assert sentence.replace("'", "&#39;") in text
    for digest in ("1", "c", "d", "f"):
        assert f"sha256:{digest * 64}" in text
    assert "Missing:" not in text
    assert "with a reservation" not in text


def test_the_page_is_closed_in_itself_small_and_names_nobody(erased):
    page = erased.page()
    assert page.count("<svg") == 4
    assert len(page.encode()) < 300_000
    assert not re.search(r"(src|href)=\"(?!#)|@import|url\((?!#)|<script|<link|<iframe", page)
    # Names of XML are no addresses that anything is loaded from.
    assert set(re.findall(r"https?://[^\s\"']+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert MARK not in page
    assert subject(0) not in page
    assert "CASE-" not in page
    assert "pseudonym" not in page


class Outline(HTMLParser):
    """Ids, headings, headers of tables and descriptions of pictures."""

    def __init__(self, page):
        super().__init__()
        self.ids, self.levels, self.scopes, self.labels, self.language = [], [], [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.levels += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []
        self.scopes += [found.get("scope")] if tag == "th" else []
        self.labels += [found["aria-label"]] if found.get("role") == "img" else []
        self.language = found.get("lang", self.language)


def test_the_page_can_be_read_without_seeing_it(erased):
    outline = Outline(erased.page())
    assert outline.language == "en"
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.levels[0] == 1
    assert outline.levels.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(outline.levels, outline.levels[1:], strict=False))
    assert set(outline.scopes) == {"col", "row"}
    assert len(outline.labels) == 4
    assert all(len(label) > 40 for label in outline.labels)


def test_the_same_facts_give_the_same_bytes_and_are_written_once(erased):
    erased.page()
    before = [(i.key, i.version) for i in erased.store.list_objects("")]
    write_report(erased.store, BATCH)
    assert [(i.key, i.version) for i in erased.store.list_objects("")] == before
    # Closing the batch is told by its certificates already.
    page = erased.page()
    erased.happen("closed", "BatchClosed")
    assert erased.page() == page


def test_figures_for_other_places_are_named_by_model(erased):
    facts = write_report(erased.store, BATCH)
    names = ("income/losses.png", "income/roc.png", "income/classes.png")
    assert tuple(report_figures(facts)) == names


def test_every_rung_is_told_with_its_reason(batch):
    batch.plan()
    batch.judge(sample.attacked(0.62))
    why = "The update left rows remembered: mia_auc_upper."
    batch.happen("a-1/next/stronger", "RungChosen", model="income", rung="stronger", reason=why)
    batch.plan("a-2", rung="stronger", reason=why)
    batch.judge(sample.attacked(0.6), "a-2")
    batch.plan("a-3", rung="retrain", method="retrain", reason="No update was enough.")
    batch.judge(sample.attacked(0.51), "a-3", exact=True)
    batch.promote("a-3")
    batch.erase()
    text = batch.text()
    assert (
        text.index("Update (calibrated)") < text.index("Stronger update") < text.index("Retrain :")
    )
    assert text.count("Did not pass (remembered). Failed: Are the rows still remembered?") == 2
    assert f"Stronger update (calibrated): {why}" in text
    assert "Retrain : No update was enough." in text
    assert "Passed the gate; it became version 2." in text
    assert "What it never saw it cannot remember" in text
    assert "only its usefulness was judged" in text
    # What judged the rungs before is not shown as if it judged the last.
    assert "✗ Failed" not in text


def test_what_too_few_rows_could_not_show_of_a_retrain_is_told_and_is_no_failure(batch):
    batch.plan(rung="retrain", method="retrain", reason="No update was enough.")
    few = replace(sample.FORGOTTEN.holdout_accuracy_loss, rows=20, possible=0.3)
    batch.judge(replace(sample.FORGOTTEN, holdout_accuracy_loss=few), exact=True)
    batch.promote()
    text = batch.text()
    assert "Passed the gate (on too few rows to tell: Would a loss for new people be seen?)" in text
    assert "what too few rows could not show did not count" in text
    assert "○ Not shown. On 20 rows" in text
    assert "✗ Failed" not in text
    (model,) = certified_models(batch.store, BATCH)
    assert model.facts["not_shown"] == ["possible_holdout_loss"]


def test_slices_that_were_not_judged_are_counted_on_the_page(batch):
    batch.plan()
    batch.judge(replace(sample.FORGOTTEN, small_slices=3))
    assert "3 slices have too few rows that it never saw for the gate" in batch.text()


def test_a_control_that_was_not_possible_stands_on_the_page(batch):
    batch.plan()
    probes = replace(sample.FORGOTTEN.probes, canaries=None, no_canaries="Too few holdout rows.")
    batch.judge(replace(sample.FORGOTTEN, probes=probes))
    batch.promote()
    assert "No control was possible. Too few holdout rows." in batch.text()


def test_few_rows_have_percentiles_and_no_picture_of_their_own(batch):
    batch.plan(forget_count=3)
    batch.judge(sample.few(3), policy=GatePolicy(undecided="accept"))
    batch.promote()
    batch.erase()
    text, page = batch.text(), batch.page()
    assert "3 of 3" in text
    assert "no line stands for one person" in text
    assert page.count("<svg") == 1
    assert "with a reservation" in text
    assert "whether it forgot cannot be told" in text
    assert "That is no proof of forgetting" in text
    assert "Accepted although the test cannot decide; it became version 2." in text
    assert "✗ Failed" in text
    assert "would have noticed in 8 of 100 cases" in text


def test_a_blocked_batch_is_open_and_says_why(batch):
    batch.plan()
    batch.judge(sample.attacked(0.7))
    chosen = {"rung": "wait", "reason": "No rung was enough.", "obstacle": "It has batch norm."}
    batch.happen("a-1/next/wait", "RungChosen", **chosen)
    facts = {"model": "income", "reason": "income failed the gate: mia_auc_upper."}
    batch.happen("a-1/blocked", "BatchBlocked", **facts)
    text = batch.text()
    assert "Not erased yet: a model did not pass the gate" in text
    assert "Due on 2026-02-02." in text
    assert "3 blocked" in text
    assert "income failed the gate: mia_auc_upper." in text
    assert "It was not retrained: It has batch norm." in text
    assert "here 70 times, more than the 55" in text
    assert "Erased" not in text


def test_a_model_that_forgot_is_not_called_untouched_when_nothing_is_left_to_plan(erased):
    erased.happen("income/untouched/2/2", "ModelUntouched", model="income")
    erased.happen("photos/untouched/1/2", "ModelUntouched", model="photos")
    text = erased.text()
    assert "photos was not trained on any of the rows" in text
    assert "income was not trained" not in text


def test_a_withdrawn_model_is_a_reservation(batch):
    batch.plan()
    batch.judge(sample.attacked(0.7))
    batch.happen("a-1/withdrawn", "ModelWithdrawn", model="income", reason="4 days are left.")
    batch.erase()
    text = batch.text()
    assert "with a reservation" in text
    assert "Model income: taken out of service." in text
    assert "nobody is served by it now. 4 days are left." in text
    assert "withdrawn now" in text


def test_a_batch_that_waits_and_one_that_was_rejected(batch):
    batch.plan()
    batch.happen("approval/1/requested", "ApprovalRequested", models=[ASKED])
    assert WAITS in batch.text()
    assert f"income has to forget 300 of 4000 rows. Answer with: expunge approve {BATCH}" in (
        batch.text()
    )
    assert "Not forgotten yet" in batch.text()
    assert "Missing:" not in batch.text()
    assert NOT_PROVEN[0] not in batch.text()
    answer = {"name": "Ada Example", "reason": "wrong file", "number": 1}
    batch.happen("approval/1/rejected", "BatchRejected", **answer)
    assert WAITS not in batch.text()
    assert "Ada Example rejected the batch: wrong file." in batch.text()


def test_who_approved_stands_on_the_page(batch):
    batch.plan()
    batch.happen("approval/1/requested", "ApprovalRequested", models=[ASKED])
    answer = {"name": "Ada Example", "reason": "ticket 4711", "number": 1}
    batch.happen("approval/1/approved", "BatchApproved", **answer)
    batch.judge(sample.FORGOTTEN)
    batch.promote()
    batch.erase()
    assert "Approved by Ada Example : ticket 4711" in batch.text()


def test_nothing_found_nothing_asked_and_nothing_finished(store):
    batch = Batch(store)
    batch.happen("income/untouched/1/1", "ModelUntouched", model="income")
    assert "Not finished" in batch.text()
    batch.certify("not_found")
    assert "No row of these data subjects was found" in batch.text()
    assert "income was not trained on any of the rows" in batch.text()
    assert NOT_PROVEN[0] not in batch.text()


def test_a_batch_without_accepted_requests(store):
    assert "Nothing to erase" in Batch(store, accepted=0).text()


def lose_curves(batch):
    batch.store.delete("evidence/a-1.json")


def change_curves(batch):
    batch.store.put("evidence/a-1.json", batch.store.get("evidence/a-1.json") + b" ")


@pytest.mark.parametrize(
    ("damage", "said"),
    [(lose_curves, "are missing; restore"), (change_curves, "were changed since; restore")],
)
def test_lost_or_changed_curves_are_said_and_not_drawn(erased, damage, said):
    damage(erased)
    text = erased.text()
    assert f"Missing: The curves under evidence/a-1.json {said} that object." in text
    assert "Replaced; part of the evidence is missing" in text
    assert "with a reservation" in text
    assert "<svg" not in erased.page()
    # What is still on record is still told.
    assert "here 53 times" in text


def test_lost_curves_of_few_rows_leave_the_percentiles_that_are_in_the_journal(batch):
    batch.plan(forget_count=2)
    batch.judge(sample.few(2), policy=GatePolicy(undecided="accept"))
    batch.promote()
    batch.erase()
    lose_curves(batch)
    assert "1 of 2 unknown 25.0" in batch.text()


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "The evidence was recorded but cannot be read."),
        (None, "The evidence was not recorded."),
    ],
)
def test_lost_or_broken_evidence_is_said_and_not_hidden(batch, facts, said):
    batch.plan()
    batch.happen("a-1/unlearned", "CandidateMade")
    if facts is not None:
        batch.happen("a-1/evaluated", "CandidateEvaluated", **facts)
    batch.happen(
        "a-1/judged", "CandidateAccepted", **asdict(decide(sample.FORGOTTEN, GatePolicy()))
    )
    batch.promote()
    batch.erase()
    text = batch.text()
    assert f"Missing: {said}" in text
    assert "with a reservation" in text
    assert "Forgotten, as far as" not in text
    assert "0.530; at most 0.550" in text


def test_a_promotion_without_a_decision_is_no_good_news(batch):
    batch.plan()
    batch.promote()
    batch.erase()
    text = batch.text()
    assert "part of the evidence is missing" in text
    assert "with a reservation" in text


def test_a_promotion_against_the_gate_is_said(batch):
    batch.plan()
    batch.judge(sample.attacked(0.7))
    batch.promote()
    batch.erase()
    text = batch.text()
    assert "Replaced by a version that did not pass" in text
    assert "Did not pass (remembered)" in text
    assert "with a reservation" in text


def test_names_and_reasons_are_text_and_never_markup(batch):
    bad = "<b>x</b>"
    batch.plan(model=bad, reason="<i>y</i>", dataset="<u>z</u>")
    batch.judge(sample.FORGOTTEN)
    batch.promote(model=bad)
    batch.happen("other", "ModelUntouched", model="<s>w</s>")
    batch.erase()
    page = batch.page()
    for text in (bad, "<i>y</i>", "<u>z</u>", "<s>w</s>"):
        assert text not in page
        assert text.replace("<", "&lt;").replace(">", "&gt;") in page
