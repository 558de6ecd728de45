"""Copies of weights that remember are found under any name, and versions unknown here are named."""

import pytest
from hand_made_versions import MODEL
from small_tables import MARK

from tasks.journal.events.statements import CopySeen, VersionSeen
from tasks.registry.mlflow_registry import DIGEST_TAG
from tasks.versions import copies, retirement

ADA = f"{MARK}-1"


def copied(made, source, to, alias=""):
    version = int(made.client.copy_model_version(source, to).version)
    if alias:
        made.client.set_registered_model_alias(to, alias, str(version))
    return version


def registered(made, source, to="theirs", **tags):
    made.client.create_registered_model(to)
    return int(made.client.create_model_version(to, source, tags=tags).version)


def seen(made):
    return [(one.model, one.version, one.original) for one in copies.copies(made.services, MODEL)]


def test_a_copy_that_serves_under_another_name_raises_an_alarm(made, caplog):
    copied(made, f"models:/{MODEL}/1", "prod-income", "champion")
    assert copies.copies(made.services, MODEL) == []  # nobody was erased yet
    made.promote("b-1", [ADA])
    (found,) = copies.copies(made.services, MODEL)
    assert found == CopySeen(
        model="prod-income", version=1, aliases=("champion",), original=1, is_by_source=True
    )
    assert "prod-income version 1 has the alias champion" in caplog.text
    (alarm,) = retirement.alarms(made.services, MODEL)
    assert "holds the weights of income version 1" in alarm
    assert retirement.retire(made.services, MODEL) == [alarm]
    assert retirement.has_work(made.services, MODEL)
    made.client.delete_registered_model_alias("prod-income", "champion")
    assert retirement.alarms(made.services, MODEL) == []
    assert "delete it" in copies.notes(made.services, MODEL)[0]


def test_a_copy_of_a_copy_is_found_also_where_the_one_between_is_deleted(promoted):
    copied(promoted, f"models:/{MODEL}/1", "stage")
    copied(promoted, "models:/stage/1", "prod")
    assert seen(promoted) == [("prod", 1, 1), ("stage", 1, 1)]
    promoted.client.delete_model_version("stage", "1")
    assert seen(promoted) == [("prod", 1, 1)]


@pytest.mark.parametrize("form", ["the logged model", "the folder", "the version"])
def test_the_same_files_registered_by_another_address_are_a_copy(promoted, form):
    first = promoted.client.get_model_version(MODEL, "1")
    place = promoted.client.get_model_version_download_uri(MODEL, "1")
    sources = {"the logged model": first.source, "the folder": place}
    registered(promoted, sources.get(form, f"models:/{MODEL}/1"))
    assert seen(promoted) == [("theirs", 1, 1)]


def test_other_files_with_the_digest_of_the_weights_in_their_tag_are_named_as_that(promoted):
    model_id, _ = promoted.log("theirs", promoted.run("theirs", ""))
    registered(promoted, f"models:/{model_id}", **{DIGEST_TAG: promoted.digests[1]})
    (found,) = copies.copies(promoted.services, MODEL)
    assert (found.model, found.is_by_source) == ("theirs", False)


def test_a_copy_is_found_after_its_original_was_purged(promoted):
    model_id, _ = promoted.log("theirs", promoted.run("theirs", ""))
    registered(promoted, f"models:/{model_id}", **{DIGEST_TAG: promoted.digests[1]})
    promoted.today(2026, 6, 1)
    assert promoted.purge() == [1]
    assert seen(promoted) == [("theirs", 1, 1)]


def test_a_copy_of_the_version_that_forgot_is_none(promoted):
    copied(promoted, f"models:/{MODEL}/2", "prod", "champion")
    assert seen(promoted) == []
    assert not retirement.has_work(promoted.services, MODEL)


def test_versions_that_nobody_enrolled_are_named_and_left_alone(promoted):
    model_id, _ = promoted.log("theirs", promoted.run("theirs", ""))
    theirs = int(promoted.client.create_model_version(MODEL, f"models:/{model_id}").version)
    promoted.client.set_registered_model_alias(MODEL, "challenger", str(theirs))
    found = copies.unknown_versions(promoted.services, MODEL)
    assert found == [VersionSeen(model=MODEL, version=theirs, aliases=("challenger",))]
    (note,) = copies.notes(promoted.services, MODEL)
    assert "version 3, under the alias challenger, was neither enrolled nor" in note
    assert theirs not in promoted.verbs()


def test_what_a_batch_states_of_them_stays_as_it_was_found_first(promoted):
    copied(promoted, f"models:/{MODEL}/1", "prod", "live")
    stated = copies.state_other_versions(promoted.services, "b-1", MODEL)
    assert [(one.model, one.aliases) for one in stated.copies] == [("prod", ("live",))]
    promoted.client.delete_model_version("prod", "1")
    assert copies.state_other_versions(promoted.services, "b-1", MODEL) == stated


def test_versions_that_nobody_would_ask_are_told_of_before_one_is_enrolled(made):
    services, client = made.services, made.client
    assert list(copies.unasked(services, MODEL, 1)) == []
    first = client.get_model_version(MODEL, "1").source
    client.create_model_version(MODEL, first)  # the same files
    numbers = [client.create_model_version(MODEL, f"s3://theirs/{n}").version for n in range(2)]
    (said,) = copies.unasked(services, MODEL, 1)
    assert f"versions {', '.join(map(str, numbers))} of {MODEL}" in said
    (said,) = copies.unasked(services, MODEL, int(numbers[0]))
    assert f"version {numbers[1]} of" in said
    assert any("nobody asks it to forget" in one for one in copies.notes(services, MODEL))
