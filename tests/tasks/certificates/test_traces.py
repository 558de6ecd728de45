"""What `expunge trace` says: of a subject by pseudonym, and of every version that was enrolled."""

import json

import pytest
from factories import disposition, promotion, retired

from tasks.certificates.traces import trace_subject, trace_version
from tasks.journal.events import ids
from tasks.journal.events.attempts import VersionRegistered
from tasks.journal.events.catalog import model_stream, request_stream
from tasks.journal.events.models import ModelWithdrawn
from tasks.journal.events.requests import RequestAccepted
from tasks.journal.events.versions import AliasLost
from unlearning.errors import DataError
from unlearning.policy.digests import pseudonym


def tell(batch, event_id, facts):
    batch.services.journal.append(model_stream("income"), event_id, facts)


def test_a_subject_is_traced_by_pseudonym_through_every_event(batch):
    assert trace_subject(batch.services, "somebody") == []
    who = pseudonym(batch.services.settings.pseudonym_secret(), "somebody")
    accepted = RequestAccepted(disposition=disposition("r-7", subject=who), batch=batch.name)
    batch.services.journal.append(request_stream("r-7"), "accepted", accepted)
    (found,) = trace_subject(batch.services, "somebody")
    assert found["record_id"] == "r-7"
    (event,) = found["events"]
    assert (event["name"], event["status"]) == ("RequestAccepted", "accepted")
    assert "somebody" not in json.dumps(found)


def test_a_version_is_traced_back_to_the_one_that_was_enrolled(batch):
    batch.enroll()
    batch.plan()
    batch.promote()
    again = batch.plan("a-2", batch="b-next", parent_version=2)
    tell(batch, again.ids.promoted, promotion(again, version=3))
    tell(batch, ids.retired(1), retired(1))
    newest, middle, oldest = trace_version(batch.services, "income", 3)
    assert (newest["version"], newest["batch"], newest["since"]) == (3, "b-next", [])
    assert (middle["version"], middle["batch"]) == (2, batch.name)
    assert (oldest["version"], oldest["row_count"]) == (1, 100)
    (became,) = oldest["since"]
    assert (became["what"], became["purge_on"]) == ("retired", "2026-02-09")


def test_a_version_says_by_which_recipe_it_was_trained_and_would_be(batch):
    recipe = f"recipes/{'5e' * 32}.py"
    batch.enroll(recipe=recipe)
    batch.plan()
    batch.make(recipe=recipe)
    batch.promote()
    newest, oldest = trace_version(batch.services, "income", 2)
    assert newest["trained_by"] == f"the owner's recipe, SHA-256 {'5e' * 32}"
    assert oldest["recipe"] == "5e" * 32


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (ModelWithdrawn(attempt="a-1", batch="b-1"), "withdrawn"),
        (AliasLost(found=1), "alias taken away"),
    ],
)
def test_a_version_out_of_service_is_known_with_what_took_it_out(batch, event, said):
    batch.enroll()
    tell(batch, "out", event)
    (found,) = trace_version(batch.services, "income", 1)
    assert [one["what"] for one in found["since"]] == [said]


def test_a_version_that_was_made_and_never_served_is_known(batch):
    batch.enroll()
    made = batch.plan()
    _, of = batch.of(made.key)
    batch.happen(made.ids.registered, VersionRegistered(**of, version=7))
    (found,) = trace_version(batch.services, "income", 7)
    assert (found["made_in"], found["parent_version"]) == (batch.name, made.parent_version)
    assert (found["served"], found["since"]) == (False, [])


def test_a_misspelt_model_and_an_unknown_version_are_told_apart(batch):
    batch.enroll()
    with pytest.raises(DataError, match="Version 7 of income was never enrolled"):
        trace_version(batch.services, "income", 7)
    with pytest.raises(DataError, match="No model 'incme' is enrolled here"):
        trace_version(batch.services, "incme", 1)
