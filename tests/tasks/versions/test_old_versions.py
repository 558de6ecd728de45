"""Which versions remember whom, what keeps them, and what certificates say of them."""

from dataclasses import replace

import pytest
from hand_made_versions import MODEL
from small_tables import MARK

from tasks.journal.events.attempts import AttemptPlanned
from tasks.journal.events.catalog import model_stream
from tasks.journal.reading import record_enrollment
from tasks.versions import retirement
from tasks.versions.old_versions import earlier

ADA, BEA, CYD = f"{MARK}-1", f"{MARK}-2", f"{MARK}-3"


def test_a_plan_that_was_overtaken_keeps_nothing(promoted):
    attempt = promoted.batch("b-2", [BEA], parent=1)
    promoted.today(2026, 6, 1)
    assert promoted.verbs() == {1: "keep"}
    again = AttemptPlanned(attempt=replace(attempt, key="a-again", parent_version=2))
    promoted.happen("b-2", again.attempt.ids.planned, again)
    assert promoted.verbs() == {1: "purge"}


def test_a_hold_keeps_the_parent_of_its_subjects_batch_and_no_other(promoted):
    promoted.promote("b-2", [BEA])
    promoted.close("b-2")
    promoted.hold(BEA)
    promoted.today(2026, 6, 1)
    assert promoted.verbs() == {1: "purge", 2: "keep"}
    assert promoted.purge() == [1]
    kept = retirement.survey(promoted.services, MODEL)[-1]
    assert kept.reason.startswith("a legal hold names a subject of b-2")
    events = promoted.services.journal.read(model_stream(MODEL))
    assert MARK not in str([e.facts for e in events])
    promoted.store.delete("requests/holds/h.jsonl")
    assert promoted.purge() == [2]


def test_the_same_weights_under_another_number_are_retired_as_well(made):
    source = made.client.get_model_version(MODEL, "1").source
    run = made.run("theirs", "")
    twin = made.version_of(source, run, {}, made.digests[1])
    record_enrollment(made.services.journal, made.enrollment(twin))
    made.champion = twin
    made.promote("b-1", [ADA])
    made.close("b-1")
    made.today(2026, 6, 1)
    assert made.purge() == [1, 2]
    assert made.versions() == [3]
    assert len(made.files()) == 1


def test_a_version_sent_twice_to_the_registry_goes_with_its_twin(promoted):
    first = promoted.client.get_model_version(MODEL, "2")
    tags = dict(first.tags)
    made = promoted.client.create_model_version(MODEL, first.source, first.run_id, tags=tags)
    assert promoted.verbs() == {1: "wait"}  # as good as the champion
    promoted.promote("b-2", [BEA])
    promoted.close("b-2")
    promoted.today(2026, 6, 1)
    assert promoted.purge() == [1, 2, int(made.version)]
    assert len(promoted.files()) == 1


@pytest.mark.parametrize("source", ["the files", "the version"])
def test_old_weights_that_somebody_registered_anew_go_with_them(promoted, source):
    first = promoted.client.get_model_version(MODEL, "1").source
    anew = first if source == "the files" else f"models:/{MODEL}/1"
    made = int(promoted.client.create_model_version(MODEL, anew).version)
    assert promoted.verbs() == {1: "wait", made: "retire"}
    retirement.retire(promoted.services, MODEL)
    promoted.today(2026, 6, 1)
    assert promoted.purge() == [1, made]
    assert promoted.versions() == [2]
    assert len(promoted.files()) == 1


def test_files_that_another_model_shares_stay_until_that_one_is_gone(promoted):
    promoted.client.copy_model_version(f"models:/{MODEL}/1", "theirs")
    promoted.today(2026, 6, 1)
    (action,) = retirement.survey(promoted.services, MODEL)
    assert (action.verb, action.reason) == (
        "keep",
        "theirs version 1 lies in the same files; delete it",
    )
    promoted.client.delete_model_version("theirs", "1")
    assert promoted.purge() == [1]


def test_files_that_another_model_serves_by_their_address_stay(promoted):
    place = promoted.client.get_model_version_download_uri(MODEL, "1")
    promoted.client.create_registered_model("prod")
    promoted.client.create_model_version("prod", place)
    promoted.client.set_registered_model_alias("prod", "champion", "1")
    promoted.today(2026, 6, 1)
    (action,) = retirement.survey(promoted.services, MODEL)
    assert action.reason == "prod version 1 lies in the same files; delete it"
    assert promoted.purge() == []
    assert len(promoted.files()) == 2


def test_a_folder_in_which_another_version_lies_stays(made):
    run = made.run("theirs", "")
    root = made.client.get_run(run).info.artifact_uri
    outer = made.version_of(f"{root}/model", run, {}, "other")
    record_enrollment(made.services.journal, made.enrollment(outer))
    made.champion = outer
    made.promote("b-1", [ADA])
    made.close("b-1")
    made.client.create_registered_model("prod")
    made.client.create_model_version("prod", f"runs:/{run}/model/b")
    made.today(2026, 6, 1)
    assert made.purge() == [1]
    assert retirement.survey(made.services, MODEL)[-1].reason == (
        "prod version 1 lies in a folder in or around its own; register it from another folder"
    )


def test_a_candidate_that_was_registered_and_never_promoted_goes_when_its_batch_is_closed(promoted):
    attempt = promoted.batch("b-2", [BEA])
    lost = promoted.candidate("b-2", attempt)
    assert lost not in promoted.verbs()
    promoted.close("b-2")
    retirement.retire(promoted.services, MODEL)
    promoted.today(2026, 6, 1)
    assert promoted.purge() == [1, lost]
    assert promoted.versions() == [2]


def test_a_certificate_says_until_when_earlier_versions_exist_and_says_it_for_ever(promoted):
    moment = len(promoted.services.journal.read(model_stream(MODEL)))

    def stated(batch):
        return earlier(promoted.services, MODEL, batch, as_of=moment)

    said = stated("b-1")
    proof = "event purged/1 in journal/models/income/"
    assert said == [{"version": 1, "exists_until": "2026-02-01", "proof": proof}]
    promoted.promote("b-2", [BEA])
    promoted.close("b-2")
    assert [one["version"] for one in stated("b-2")] == [1, 2]
    promoted.today(2026, 6, 1)
    promoted.purge()
    promoted.promote("b-3", [CYD])
    assert stated("b-1") == said
    assert [one["version"] for one in stated("b-3")] == [3]
