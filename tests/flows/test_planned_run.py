"""A plan tells what the next run would do, is kept by that run, and changes nothing."""

from dataclasses import replace

import pytest
from logged_models import every_byte
from small_tables import MARK, subject

from flows.planned_run import plan
from tasks.journal.reading import record_enrollment
from tasks.registry.services import Services
from tasks.subjects import open_batches
from unlearning.config.approval_policy import ApprovalPolicy


def planned(world):
    return plan(Services.rehearsing(world.services.settings))


def test_a_plan_names_requests_rows_models_and_what_follows(world):
    world.submit("S", [20, 21])
    (one,) = planned(world).batches
    assert sorted(r.request_id for r in one.requests) == ["S-20", "S-21"]
    assert {r.status for r in one.requests} == {"accepted"}
    assert one.rows == {world.table: 2}
    assert (one.due_on, one.waits, one.trouble) == ("2026-12-20", (), "")
    (model,) = one.models
    assert (model.preflight.model, model.preflight.forget_count) == ("income", 2)
    assert (model.preflight.method, model.prospect.ending) == ("retrain", "Erased by a retrain.")
    assert MARK not in repr(one)


def test_a_plan_changes_no_byte_of_store_registry_and_tables(world, template):
    folder, _ = template
    world.submit("S", [20])
    world.hold(21)
    before = every_byte(folder / "home", folder / "tables")
    assert planned(world).batches
    assert every_byte(folder / "home", folder / "tables") == before


def test_the_run_does_what_was_planned(world):
    world.submit("S", [20])
    (one,) = planned(world).batches
    assert open_batches.open_batches(world.services) == [one.batch]
    world.run()
    assert world.certificate("S-20")["outcome"] == "erased"
    assert planned(world).batches == ()


def test_a_batch_that_would_wait_says_why(world):
    strict = replace(world.enrolled(), approval=ApprovalPolicy(max_rows=1))
    record_enrollment(world.services.journal, strict)
    world.submit("S", [20, 21])
    (one,) = planned(world).batches
    assert "income has to forget 2 rows; without approval 1." in one.waits


def test_what_would_stop_a_batch_is_told(world):
    world.services.registry.drop_alias("income")
    world.submit("S", [20])
    (one,) = planned(world).batches
    assert "alias" in one.trouble
    assert one.models == ()


def test_requests_that_would_not_be_accepted_are_told_as_they_would_be(world):
    world.hold(20)
    world.store.put("requests/incoming/x.csv", b"request_id,subject_id\nX-1,\n")
    world.submit("S", [20])
    found = {r.status for one in planned(world).batches for r in one.requests}
    assert found == {"on_hold", "quarantined"}


def test_a_file_that_may_be_growing_is_left_for_later(world, monkeypatch):
    monkeypatch.setenv("EXPUNGE_SETTLE_SECONDS", "3600")
    from tasks.environment.settings import load_settings

    world.submit("S", [20])
    found = plan(Services.rehearsing(load_settings()))
    assert (found.batches, found.growing) == ((), 1)
    assert subject(20) not in repr(found)


@pytest.mark.parametrize("method", ["calibrated"])
def test_a_model_without_a_known_power_promises_nothing(world, method):
    enrolled = world.enrolled()
    other = replace(enrolled, unlearning=replace(enrolled.unlearning, method=method))
    record_enrollment(world.services.journal, other)
    world.submit("S", [20])
    (one,) = planned(world).batches
    (model,) = one.models
    assert model.preflight.method == method
    assert "power is not known yet" in model.prospect.ending


def test_who_need_not_wait_is_planned_apart_from_who_must(world):
    limited = replace(world.enrolled(), approval=ApprovalPolicy(max_share=0.03))
    record_enrollment(world.services.journal, limited)
    world.submit("large", range(30, 45))
    world.submit("small", [20, 21])
    waiting, ahead = planned(world).batches
    assert (waiting.models[0].preflight.forget_count, bool(waiting.waits)) == (15, True)
    assert (ahead.models[0].preflight.forget_count, ahead.waits) == (2, ())
    assert {r.request_id for r in ahead.requests} == {"small-20", "small-21"}


def test_who_a_model_without_alias_does_not_concern_is_planned_apart(world):
    world.services.registry.drop_alias("income")
    world.submit("S", [20])
    world.submit("N", [9999])
    standing, ahead = planned(world).batches
    assert "alias" in standing.trouble
    assert (ahead.trouble, {r.request_id for r in ahead.requests}) == ("", {"N-9999"})
