"""Whoever learned from a table and was never enrolled is named, and asked nothing."""

from two_tables import work_off

from tasks.journal.reading import read_batch
from tasks.registry.mlflow_registry import DATASET_TAG
from tasks.subjects import open_batches
from tasks.versions import strangers
from unlearning.errors import DataError


def register(world, model="income-old", **tags):
    client = world.services.registry.client
    client.create_registered_model(model)
    source = client.get_model_version("income", "1").source
    client.create_model_version(model, source, tags=tags)


def test_a_model_that_names_the_table_is_told_in_status_and_certificate(world):
    assert strangers.notes(world.services) == []
    register(world, **{DATASET_TAG: world.table})
    (note,) = strangers.notes(world.services)
    assert note == (
        f"income-old version 1 names {world.table} as its data, by its tag, and was never "
        "enrolled: nobody asks it to forget. Enrol it with `expunge enroll`."
    )
    world.submit("S", [20])
    assert work_off(world, ("income",)) == []
    told = world.certificate("S-20")
    (table,) = told["tables"]
    assert table["models_never_enrolled"] == [{"model": "income-old", "version": 1, "aliases": []}]
    assert any("models_never_enrolled" in one for one in told["not_proven"])


def test_what_expunge_made_and_copies_of_what_it_looks_after_are_no_strangers(world):
    world.services.registry.client.copy_model_version("models:/income/2", "prod-income")
    register(world, "other", **{DATASET_TAG: "s3://lake/other"})
    assert strangers.strangers(world.services, [world.table]) == []
    world.submit("S", [20])
    work_off(world, ("income",))
    told = world.certificate("S-20")
    assert "models_never_enrolled" not in told["tables"][0]
    assert not any("models_never_enrolled" in one for one in told["not_proven"])


def test_a_search_that_mlflow_refuses_for_good_holds_up_no_certificate(world, monkeypatch):
    def refused(*_):
        raise DataError("MLflow refused the search; grant it.")

    monkeypatch.setattr(strangers, "naming", refused)
    world.submit("S", [20])
    (batch,) = open_batches.open_batches(world.services)
    assert work_off(world, ("income",)) == []
    stated = read_batch(world.services.journal, batch).stated.strangers[world.table]
    assert (stated.versions, stated.why_not) == ((), "MLflow refused the search; grant it.")
    told = world.certificate("S-20")
    assert told["tables"][0]["models_never_enrolled_unknown"] == stated.why_not
    assert any("models_never_enrolled" in one for one in told["not_proven"])
