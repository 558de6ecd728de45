import json
import sys

import pytest
from logged_models import every_byte


@pytest.mark.usefixtures("home")
def test_an_empty_place_is_not_one_where_all_is_well(expunge, monkeypatch):
    monkeypatch.setitem(sys.modules, "flows.process_deletions", None)
    said = " ".join(expunge("run").out.split())
    assert "No model is enrolled in file:///" in said
    assert "EXPUNGE_HOME and EXPUNGE_STORE name the place" in said
    assert "every request is answered" not in said


@pytest.mark.usefixtures("world")
def test_with_nothing_new_a_run_starts_no_flow(expunge, monkeypatch):
    monkeypatch.setitem(sys.modules, "flows.process_deletions", None)
    said = expunge("run")
    assert said.status == 0
    assert "Nothing new in" in said.out


def test_a_file_that_may_still_be_growing_is_named_by_number(expunge, home, monkeypatch):
    monkeypatch.setenv("EXPUNGE_SETTLE_SECONDS", "3600")
    (incoming := home / "store/requests/incoming").mkdir(parents=True)
    (incoming / "daily.csv").write_text("request_id,subject_id\n")
    said = " ".join(expunge("run").out.split())
    assert "Left for the next run: 1 file in" in said
    assert "daily" not in said


def test_a_plan_prints_what_would_be_done_and_leaves_every_byte(expunge, world, template):
    folder, _ = template
    world.submit("S", [20])
    before = every_byte(folder / "home", folder / "tables")
    said = " ".join(expunge("run", "--plan").out.split())
    assert "nothing was changed" in said
    assert "S-20" in said
    assert "Erased by a retrain." in said
    facts = json.loads(expunge("run", "--json").out)
    assert [one["requests"][0]["request_id"] for one in facts["batches"]] == ["S-20"]
    said = expunge("run", "--html", folder / "plan.html").out
    assert "S-20" in said
    assert str(folder / "plan.html") in said
    assert "Erased by a retrain." in (folder / "plan.html").read_text()
    assert every_byte(folder / "home", folder / "tables") == before
