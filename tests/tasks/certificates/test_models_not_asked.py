"""What is said of models that could not be asked: out of service, or taken out by a person."""

from factories import dataset
from hand_made_batch import TABLE

from tasks.certificates.certified_models import certified_models
from tasks.certificates.limits import Ground, not_proven
from tasks.certificates.models_not_asked import note_out_of_service, why_out_of_service
from tasks.journal.events import ids
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.models import ModelUnenrolled, ModelWithdrawn
from tasks.journal.events.versions import AliasLost


def the_only(batch):
    (model,) = certified_models(batch.services, batch.name)
    return model.stated


def tell(batch, model, event_id, facts):
    batch.services.journal.append(model_stream(model), event_id, facts)


def test_a_model_that_another_batch_withdrew_is_noted_with_that_batch(batch):
    batch.enroll()
    batch.enroll("photos", dataset=dataset(uri="file:///other"))
    for model in ("income", "photos"):
        tell(batch, model, "w", ModelWithdrawn(attempt="a-0", batch="b-0"))
    for _ in range(2):
        note_out_of_service(batch.services, batch.name, TABLE)
    (noted,) = batch.history().out_of_service
    assert (noted.model, why_out_of_service(noted)) == ("income", "was withdrawn by batch b-0")
    facts = the_only(batch)
    assert facts["outcome"] == "out of service"
    assert "withdrawn_by" not in facts


def test_a_model_that_lost_its_alias_is_noted_and_one_in_service_is_not(batch):
    batch.enroll()
    note_out_of_service(batch.services, batch.name, TABLE)
    assert batch.history().out_of_service == []
    tell(batch, "income", ids.alias_change(1, 1, None), AliasLost(found=1))
    note_out_of_service(batch.services, batch.name, TABLE)
    (noted,) = batch.history().out_of_service
    assert why_out_of_service(noted).startswith("lost its alias")


def test_what_the_batch_withdrew_itself_is_not_noted_as_out_before(batch):
    batch.enroll()
    tell(batch, "income", "w", ModelWithdrawn(attempt="a-1", batch=batch.name))
    note_out_of_service(batch.services, batch.name, TABLE)
    assert batch.history().out_of_service == []


def test_a_model_that_was_taken_out_is_said_to_be_not_asked_by_whom_and_why(batch):
    batch.enroll()
    tell(batch, "income", "w", ModelWithdrawn(attempt="a-0", batch="b-0"))
    out = ModelUnenrolled(name="Ada", reason="Nobody uses it.")
    tell(batch, "income", ids.unenrolled(3), out)
    note_out_of_service(batch.services, batch.name, TABLE)
    facts = the_only(batch)
    assert facts["outcome"] == "not asked"
    assert facts["reason"].startswith("It was taken out by Ada on 20")
    assert facts["reason"].endswith(
        ": Nobody uses it; it may still be served, and its weights were not made to forget these "
        "rows."
    )
    said = not_proven(Ground(is_found=True, is_erased=True, models=[facts]))
    assert any("had been taken out by the person named in taken_out_by" in one for one in said)
