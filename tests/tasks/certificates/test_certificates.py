"""Certificates: one for each answered request, from what is on record, always the same bytes."""

import json

import pytest
from erased_world import Unreported
from factories import approved, preflight
from small_tables import MARK
from worked_on import away, resolved

from tasks.certificates.certificates import certificate_key, certify
from tasks.certificates.limits import Ground, not_proven
from tasks.journal.events import ids
from tasks.journal.events.batches import ApprovalRequested, TableGone
from tasks.journal.events.catalog import request_stream
from tasks.journal.events.requests import (
    RequestAccepted,
    RequestErased,
    SubjectNotFound,
)
from tasks.journal.journal import Journal
from tasks.journal.reading import read_batch
from tasks.registry.services import Services
from tasks.report import mlflow_mirror
from tasks.subjects import open_batches
from tasks.subjects.matches import matches_key
from tasks.subjects.suppression_list import suppress
from tasks.versions import retirement
from unlearning.errors import ConflictError, DataError, TransientError
from unlearning.policy.digests import bytes_digest


@pytest.fixture
def ready(erased):
    """A batch with nothing left to do but certify: its short certificates are taken away."""
    erased.enroll()
    for request in erased.wanted:
        erased.store.delete(certificate_key(request.request_id))
        accepted = RequestAccepted(disposition=request, batch=erased.name)
        stream = request_stream(request.record_id)
        erased.services.journal.append(stream, ids.disposition(erased.name), accepted)
    suppress(erased.services, erased.name)
    return erased


def certificate(batch, number=0):
    return json.loads(batch.store.get(certificate_key(f"CASE-{number}")))


def latest(batch, number=0):
    return batch.services.journal.latest([f"r-{number}"])[f"r-{number}"]


def test_a_certificate_binds_request_rows_tables_and_models_together(ready):
    assert certify(ready.services, ready.name) == 3
    body = certificate(ready)
    assert (body["outcome"], body["batch"]) == ("erased", ready.name)
    assert body["request"]["due_on"] == "2026-02-02"
    assert body["request"]["subject_pseudonym"] == "pseudonym"
    (table,) = body["tables"]
    assert (table["rows_before"], table["rows_matched"], table["rows_after"]) == (4000, 300, 3700)
    assert (table["files_removed"], table["files_left_over"], table["hits"]) == (7, 0, 0)
    assert table["rows_of_this_request"] == 1
    assert [(m["model"], m["version"]) for m in body["models"]] == [("income", 2)]
    told = Ground(is_found=True, is_erased=True, is_partly_by_words=True, models=body["models"])
    assert body["not_proven"] == not_proven(told)
    assert body["code_version"] == "9.9"
    assert "approved_by" not in body
    assert MARK not in json.dumps(body)


def test_the_request_is_closed_with_the_digest_of_its_certificate(ready):
    certify(ready.services, ready.name)
    told = latest(ready)
    assert isinstance(told.facts, RequestErased)
    assert told.facts.reason == "1 row erased; unlearned from income"
    data = ready.store.get(told.facts.certificate)
    assert told.facts.certificate_digest == bytes_digest(data)


def test_rounds_in_one_table_are_stated_as_one(ready):
    ready.erase(number=2, before=3750, matched=10)
    for request in ready.wanted:
        ready.store.delete(certificate_key(request.request_id))
    certify(ready.services, ready.name)
    (table,) = certificate(ready)["tables"]
    assert (table["version_before"], table["version_after"]) == (1, 3)
    assert (table["rows_before"], table["rows_matched"], table["rows_after"]) == (4000, 310, 3740)
    assert table["rows_appended"] == 50
    assert table["files_removed"] == 14


def test_a_second_run_writes_nothing_new(ready):
    certify(ready.services, ready.name)
    before = [(i.key, i.version) for i in ready.store.list_objects("")]
    certify(ready.services, ready.name)
    assert [(i.key, i.version) for i in ready.store.list_objects("")] == before


def test_a_certificate_that_was_written_before_its_event_counts_as_it_is(ready):
    certify(ready.services, ready.name)
    key = certificate_key("CASE-1")
    first = json.loads(ready.store.get(key))
    ready.put(key, {**first, "models": []})
    for group in list(ready.store.list_objects("journal/sheets/")):
        if b"RequestErased" in ready.store.get(group.key):
            ready.store.delete(group.key)
    again = Services.open(ready.services.settings)
    certify(again, ready.name)
    told = again.journal.latest(["r-1"])["r-1"].facts
    assert isinstance(told, RequestErased)
    assert told.certificate_digest == bytes_digest(ready.store.get(key))


@pytest.mark.parametrize("change", [{"outcome": "not_found"}, {"batch": "b-other"}])
def test_another_certificate_in_its_place_is_never_overwritten(ready, change):
    certify(ready.services, ready.name)
    key = certificate_key("CASE-2")
    ready.put(key, {**json.loads(ready.store.get(key)), **change})
    with pytest.raises(ConflictError, match=f"Another certificate lies under {key}"):
        certify(ready.services, ready.name)
    assert change.items() <= json.loads(ready.store.get(key)).items()


def test_who_approved_stands_in_the_certificate(ready):
    asked = ApprovalRequested(preflight=preflight(batch=ready.name))
    ready.happen(ids.asked(1), asked)
    ready.happen(ids.approved(1), approved())
    certify(ready.services, ready.name)
    assert certificate(ready)["approved_by"] == "Ada"


def test_a_subject_without_rows_gets_a_certificate_of_the_search(ready):
    found = json.loads(ready.store.get(matches_key(ready.name, 1)))
    del found[0]["rows"]["r-0"]
    ready.put(matches_key(ready.name, 1), found)
    fresh = Services.open(ready.services.settings)
    certify(fresh, ready.name)
    body = certificate(ready)
    assert body["outcome"] == "not_found"
    assert "tables" not in body
    told = latest(ready)
    assert isinstance(told.facts, SubjectNotFound)
    assert told.facts.reason == "no table has a row of exactly this id"
    assert body["not_proven"] == not_proven(Ground(is_found=False))
    (searched,) = body["tables_searched"]
    assert (searched["column"], searched["version"], searched["rows"]) == ("subject_id", 1, 4000)


def test_rows_that_others_deleted_before_are_not_counted_as_erased(ready):
    found = json.loads(ready.store.get(matches_key(ready.name, 1)))
    found[0]["rows"]["r-0"] = 0
    ready.put(matches_key(ready.name, 2), found)
    certify(ready.services, ready.name)
    assert latest(ready).facts.reason == (
        "others had deleted the rows before; purged from the files; unlearned from income"
    )


def test_a_table_that_is_no_more_is_stated_as_gone(ready):
    rows = {d.record_id: 2 for d in ready.wanted}
    gone = {"uri": "file:///gone", "column": "subject_id", "version": 3, "row_count": 9}
    ready.put(matches_key(ready.name, 2), [{**gone, "rows": rows}])
    ready.happen(ids.gone("file:///gone"), TableGone(table="file:///gone"))
    certify(ready.services, ready.name)
    tables = {one["table"]: one for one in certificate(ready)["tables"]}
    assert tables["file:///gone"]["outcome"] == "gone"
    assert tables["file:///gone"]["rows_of_this_request"] == 2
    assert latest(ready).facts.reason == (
        "1 row erased; 2 rows in file:///gone not erased, for it could not be opened; "
        "unlearned from income"
    )


def test_a_batch_that_was_never_judged_answers_nobody(services):
    with pytest.raises(DataError, match="b-none was never validated"):
        certify(services, "b-none")


APPEND_ALL = Journal.append_all


def cut_off(journal, entries):
    """The store goes away when certificates are written, before anybody is told of them."""
    entries = list(entries)
    if any(isinstance(entry.facts, RequestErased) for entry in entries):
        away()
    APPEND_ALL(journal, entries)


@pytest.mark.filterwarnings("ignore")  # MLflow and torch warn of their own type hints and formats
@pytest.mark.parametrize("is_told", [False, True])
def test_a_model_lost_between_two_tries_changes_no_certificate(world, monkeypatch, is_told):
    made = resolved(world, 50)
    with monkeypatch.context() as patch:
        if is_told:
            patch.setattr(mlflow_mirror, "close", away)
        else:
            patch.setattr(Journal, "append_all", cut_off)
        with pytest.raises(TransientError):
            world.process(made)
    before = world.certificate("X-50")
    # MLflow is restored from a copy that lacks the version which forgot.
    world.services.registry.drop_alias("income")
    world.services.registry.client.delete_model_version("income", "3")
    world.set_alias(2)
    world.run()
    assert world.certificate("X-50") == before
    assert read_batch(world.services.journal, made).is_closed
    assert world.requests()["X-50"].status == "erased"


@pytest.mark.filterwarnings("ignore")  # as above
def test_a_version_retired_between_two_tries_to_certify_changes_no_certificate(world, monkeypatch):
    made = resolved(world, 50)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append_all", cut_off)
        with pytest.raises(TransientError):
            world.process(made)
    said = world.certificate("X-50")
    retirement.retire(world.services, "income")
    certify(world.services, made)
    assert world.requests()["X-50"].status == "erased"
    assert world.certificate("X-50") == said


def test_who_asked_again_while_a_batch_waited_is_told_which_batch_forgot_and_erased(world):
    first = resolved(world, 50)
    world.submit("Y", [50])
    (second,) = set(open_batches.open_batches(world.services)) - {first}
    steps = Unreported(world.services)
    steps.validate_batch(second)
    steps.resolve_rows(second)
    assert steps.plan_unlearning(second, "income") is not None
    world.process(first)
    world.process(second)
    said = world.requests()["Y-50"].facts
    assert said.reason.startswith(
        "the rows were erased with another request of the same person; left out when income was "
        f"retrained in batch {first}; erased before"
    )
    (model,) = world.certificate("Y-50")["models"]
    assert (model["model"], model["in_batch"]) == ("income", first)
