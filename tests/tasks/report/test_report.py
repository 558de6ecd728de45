"""The page of a batch: what was recorded is said, nobody is named, and it stands by itself."""

import re
from html.parser import HTMLParser

import sample_evidence as sample
from hand_made_batch import BATCH
from small_tables import MARK, subject

from tasks.certificates.limits import Ground, not_proven
from tasks.journal.events import ids
from tasks.journal.events.batches import BatchClosed, ModelUntouched
from tasks.report.report import report_figures, write_report
from unlearning.config.gate_policy import GatePolicy


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
    assert "Old files that are gone: 7, left over: 0." in text
    updated = {"method": "calibrated", "is_exact": False, "outcome": "forgotten"}
    ground = Ground(is_found=True, is_erased=True, is_partly_by_words=True, models=[updated])
    for sentence in not_proven(ground):
        assert sentence.replace("'", "&#39;") in text
    for digest in ("1", "c", "d", "f"):
        assert f"sha256:{digest * 64}" in text
    assert "others that the update did not read" in text
    assert "shown and not judged" not in text
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
    write_report(erased.services, BATCH)
    assert [(i.key, i.version) for i in erased.store.list_objects("")] == before
    # Closing the batch is told by its certificates already.
    page = erased.page()
    erased.happen(ids.CLOSED, BatchClosed())
    assert erased.page() == page


def test_figures_for_other_places_are_named_by_model(erased):
    facts = write_report(erased.services, BATCH)
    names = ("income/losses.png", "income/roc.png", "income/classes.png")
    assert tuple(report_figures(facts)) == names


def test_few_rows_have_percentiles_and_no_picture_of_their_own(batch):
    batch.plan(forget_count=6)
    batch.judge(sample.few(6), policy=GatePolicy(undecided="accept"))
    batch.promote()
    batch.erase()
    text, page = batch.text(), batch.page()
    assert "6 of 6" in text
    assert "no line stands for one person" in text
    assert page.count("<svg") == 1
    assert "with a reservation" in text
    assert "whether it forgot cannot be told" in text
    assert "That is no proof of forgetting" in text
    assert "Accepted although the test cannot decide; it became version 2." in text
    assert "✗ Failed" in text
    assert "would have noticed in 8 of 100 cases" in text


def test_lost_curves_of_few_rows_leave_the_percentiles_that_are_in_the_journal(batch):
    batch.plan(forget_count=6)
    batch.judge(sample.few(6), policy=GatePolicy(undecided="accept"))
    batch.promote()
    batch.erase()
    batch.store.delete("curves/a-1.json")
    assert "1 of 6 unknown" in batch.text()


def test_names_and_reasons_are_text_and_never_markup(batch):
    bad = "<b>x</b>"
    batch.plan(model=bad, reason="<i>y</i>", dataset="<u>z</u>")
    batch.judge()
    batch.promote()
    batch.happen("other", ModelUntouched(model="<s>w</s>"))
    batch.erase()
    page = batch.page()
    for text in (bad, "<i>y</i>", "<u>z</u>", "<s>w</s>"):
        assert text not in page
        assert text.replace("<", "&lt;").replace(">", "&gt;") in page


def test_a_page_about_few_people_has_no_number_that_describes_one_of_them(batch):
    batch.plan(forget_count=6, subject_count=4)
    batch.judge(sample.few(6), policy=GatePolicy(undecided="accept"))
    batch.promote()
    batch.erase()
    text, page = batch.text(), batch.page()
    assert "What was measured on the forget rows: Withheld: fewer than 5 people" in text
    assert "Right answers on forget rows" not in text
    assert "Attacker is right" not in text
    assert "no line stands for one person" not in text
    assert "<svg" not in page
    assert "withheld; at most" in text
    assert "Right answers on rows it never saw" in text
