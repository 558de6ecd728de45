"""The plan as a page: all that is printed stands on it, it is closed in itself, and all is text."""

import re
from html.parser import HTMLParser

import pytest
from made_plans import batch, model, request

from flows.commands.plan_page import plan_page, write_plan
from flows.planned_run import Plan
from unlearning.errors import SettingsError

STORE = "file:///store"


class Text(HTMLParser):
    """What a reader sees."""

    def __init__(self):
        super().__init__()
        self.words: list[str] = []
        self.is_style = False

    def handle_starttag(self, tag, attrs):
        self.is_style = tag == "style"

    def handle_data(self, data):
        self.words += [] if self.is_style else data.split()


def page(*found, growing=0):
    return plan_page(Plan(batches=found, growing=growing), STORE)


def text(html):
    parser = Text()
    parser.feed(html)
    return " ".join(parser.words)


def test_each_batch_stands_there_with_requests_rows_models_and_costs():
    said = text(page(batch(requests=tuple(request(f"CASE-{n}") for n in range(5)))))
    for part in (
        "Nothing was changed.",
        "5 requests, such as CASE-0",
        "Due on 2026-12-20",
        "file:///train",
        "income version 1, serving",
        "5 of 100",
        "3.0 seconds; a retrain 40.0 seconds",
        "25%",
        "It is over the budget. Erased by a retrain.",
        STORE,
    ):
        assert part in said


def test_a_batch_that_waits_or_stops_says_why():
    said = text(page(batch(waits=("5 rows are many.",)), batch(trouble="The alias is gone.")))
    assert "It would wait for approval. 5 rows are many." in said
    assert "It would stop. The alias is gone." in said
    assert "1 batch would stop. 1 batch would wait for a person." in said
    assert "0 rows to erase now" in said


def test_where_nothing_is_open_that_is_said_and_files_to_come_are_counted():
    said = text(page(growing=2))
    assert "Nothing is open" in said
    assert "2 files that may still be growing" in said


def test_the_recipe_of_a_retrain_is_named():
    named = model(seconds=3.0, retrain_seconds=40.0, recipe="1a2b3c4d5e6f")
    assert "a retrain by recipe 1a2b3c4d5e6f 40.0 seconds" in text(page(batch(models=(named,))))


def test_the_page_loads_and_runs_nothing_and_all_that_came_from_elsewhere_is_text():
    bad = '<script>alert(1)</script><img src=x onerror="1">'
    html = page(batch(requests=(request(bad),), rows={bad: 1}, trouble=bad))
    assert not re.search(r"(src|href)=\"|@import|url\(|<script|<link|<iframe|<img|https?:", html)
    assert text(html).count("alert(1)") == 3


def test_a_place_where_nothing_can_be_written_is_named(tmp_path):
    with pytest.raises(SettingsError, match="cannot be written to"):
        write_plan(Plan(batches=(), growing=0), tmp_path / "no" / "plan.html", STORE)
