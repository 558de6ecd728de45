"""Old versions are out of use at once and gone after the grace period, with every byte."""

import logging

import pytest
from hand_made_versions import MODEL, HandMadeVersions
from mlflow.tracking._tracking_service.utils import _get_store

from tasks.environment.settings import load_settings
from tasks.journal import journal
from tasks.journal.reading import record_enrollment
from tasks.registry import artifacts, mlflow_registry, model_files, model_versions
from tasks.registry.services import Services
from tasks.report import mlflow_mirror
from tasks.versions import retirement
from tasks.versions.old_versions import earlier, retirement_counts
from unlearning.errors import ConflictError, ModelError, TransientError, UnsupportedModelError

ADA, BEA, CYD = "zq7subject-1", "zq7subject-2", "zq7subject-3"


@pytest.fixture
def lineage(services, tmp_path, monkeypatch) -> HandMadeVersions:
    return HandMadeVersions(services, tmp_path, monkeypatch)


@pytest.fixture
def promoted(lineage) -> HandMadeVersions:
    """Version 1 remembers Ada, who left with version 2; the batch is closed."""
    lineage.promote("b-1", [ADA])
    lineage.close("b-1")
    return lineage


def everything(services):
    return [(i.key, i.version) for i in services.store.list_objects("")]


def test_the_parent_is_out_of_use_at_once(lineage, caplog):
    lineage.client.set_registered_model_alias(MODEL, "challenger", "1")
    with caplog.at_level(logging.WARNING):
        lineage.promote("b-1", [ADA])
    assert "version 1 lost the aliases challenger" in caplog.text
    assert lineage.client.get_registered_model(MODEL).aliases == {"champion": 2}
    with pytest.raises(ModelError, match="version 1 is retired"):
        model_files.load_model(lineage.services.registry, MODEL, 1)
    # These weights have no flavor, so that loading them ends otherwise than at the guard.
    for version, is_parent in ((1, True), (2, False)):
        with pytest.raises(UnsupportedModelError, match="not logged by mlflow"):
            model_files.load_model(lineage.services.registry, MODEL, version, is_parent=is_parent)
    (facts,) = lineage.events("VersionRetired")
    assert (facts["version"], facts["batch"], facts["aliases"]) == (1, "b-1", ["challenger"])
    assert (facts["retired_on"], facts["purge_on"]) == ("2026-01-10", "2026-02-09")
    assert len(lineage.files()) == 2
    assert retirement_counts(lineage.services, MODEL) == {"retired": 1, "purged": 0}


def test_a_retired_version_that_is_used_again_is_put_out_of_use_again(promoted, caplog):
    promoted.client.set_registered_model_alias(MODEL, "shadow", "1")
    promoted.client.delete_model_version_tag(MODEL, "1", mlflow_registry.RETIRED_TAG)
    retirement.retire(promoted.services, MODEL)
    assert "in use again" in caplog.text
    found = model_versions.registered_versions(promoted.services.registry, MODEL)[1]
    assert model_versions.is_quarantined(found)


def test_every_byte_is_gone_after_the_grace_period_and_the_places_were_listed(promoted):
    services, store = promoted.services, promoted.store
    store.put(f"ledgers/{promoted.digests[1]}/abc", b"mean gradient")
    before = promoted.files()
    promoted.today(2026, 2, 8)
    assert promoted.purge() == []
    promoted.today(2026, 2, 9)
    assert promoted.purge() == [1]

    (kept,) = promoted.files()
    assert kept in before
    assert promoted.versions() == [2]
    assert list(store.list_objects("ledgers/")) == []
    (facts,) = promoted.events("VersionPurged")
    assert [(one["before"], one["after"]) for one in facts["looked_at"]] == [(2, 0), (1, 0)]
    (model_id,) = facts["logged_models"]
    assert model_id in facts["looked_at"][0]["place"]
    assert retirement_counts(services, MODEL) == {"retired": 0, "purged": 1}

    again = everything(services)
    retirement.retire(services, MODEL)
    assert promoted.purge() == []
    assert retirement.purge(services, MODEL, 1) == facts
    assert everything(services) == again


def test_a_later_setting_does_not_move_the_day_that_was_promised(promoted, monkeypatch):
    monkeypatch.setenv("EXPUNGE_RETIREMENT_DAYS", "400")
    promoted.services = Services.open(load_settings())
    promoted.today(2026, 2, 9)
    assert promoted.purge() == [1]
    promoted.promote("b-2", [BEA])
    assert promoted.events("VersionRetired")[-1]["purge_on"] == "2027-03-16"


@pytest.mark.parametrize("when", ["before the files", "between the files", "before the record"])
def test_a_killed_purge_is_finished_and_recorded_once(promoted, monkeypatch, when):
    promoted.today(2026, 3, 1)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if when == "before the files":
            patch.setattr(artifacts, "wipe", killed)
        elif when == "between the files":
            patch.setattr(retirement, "_wipe", killed)
        else:
            patch.setattr(retirement, "_look_again", killed)
        with pytest.raises(KeyboardInterrupt):
            promoted.purge()
    assert promoted.events("VersionPurged") == []
    assert 1 not in promoted.versions()

    assert promoted.purge() == [1]
    (facts,) = promoted.events("VersionPurged")
    assert facts["looked_at"][0] == {**facts["looked_at"][0], "before": 2, "after": 0}
    assert len(promoted.files()) == 1


def test_a_retirement_that_was_cut_off_is_finished(lineage, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(
            model_versions, "quarantine", lambda *_: (_ for _ in ()).throw(TransientError)
        )
        with pytest.raises(TransientError):
            lineage.promote("b-1", [ADA])
    assert lineage.verbs() == {1: "retire"}
    retirement.retire(lineage.services, MODEL)
    assert lineage.verbs() == {1: "wait"}


def test_an_open_batch_keeps_its_parent_and_its_candidate(lineage):
    lineage.promote("b-1", [ADA])
    lineage.today(2026, 6, 1)
    assert lineage.purge() == []
    (action,) = retirement.survey(lineage.services, MODEL)
    assert (action.verb, action.reason) == ("keep", "b-1 is not closed and needs it")
    with pytest.raises(ConflictError, match="must stay for now: b-1 is not closed"):
        retirement.purge(lineage.services, MODEL, 1)
    assert len(lineage.files()) == 2
    lineage.close("b-1")
    assert lineage.purge() == [1]


def test_a_plan_that_was_overtaken_keeps_nothing(promoted):
    attempt = promoted.batch("b-2", [BEA], parent=1)
    promoted.today(2026, 6, 1)
    assert promoted.verbs() == {1: "keep"}
    plan = {"key": attempt, "model": MODEL, "parent_version": 2}
    promoted.happen("b-2", f"{attempt}/planned/2", "UnlearningPlanned", **plan)
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
    assert "zq7" not in str([e.facts for e in promoted.services.journal.read(stream(MODEL))])
    promoted.store.delete("requests/holds/h.jsonl")
    assert promoted.purge() == [2]


def test_a_hold_that_comes_between_list_and_purge_is_seen(promoted):
    promoted.today(2026, 6, 1)
    assert retirement.due(promoted.services, MODEL) == [1]
    promoted.hold(ADA)
    with pytest.raises(ConflictError, match="legal hold"):
        retirement.purge(promoted.services, MODEL, 1)
    assert len(promoted.files()) == 2


def test_the_champion_is_never_touched_and_people_are_called_if_it_remembers(promoted, caplog):
    promoted.today(2026, 6, 1)
    promoted.services.registry.set_alias(MODEL, 1)
    assert promoted.verbs() == {1: "alarm"}
    (alarm,) = retirement.retire(promoted.services, MODEL)
    assert "income version 1 must not go on: it is served" in alarm
    assert "ALARM" in caplog.text
    assert promoted.purge() == []
    with pytest.raises(ConflictError, match="must stay"):
        retirement.purge(promoted.services, MODEL, 1)
    assert promoted.client.get_registered_model(MODEL).aliases == {"champion": 1}
    assert len(promoted.files()) == 2


def test_a_version_that_got_the_alias_back_before_it_was_retired_is_left_alone(
    lineage, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(retirement, "retire", lambda *_: [])
        lineage.promote("b-1", [ADA])
    lineage.services.registry.set_alias(MODEL, 1)
    assert retirement.retire(lineage.services, MODEL) != []
    assert lineage.events("VersionRetired") == []
    found = model_versions.registered_versions(lineage.services.registry, MODEL)[1]
    assert (found.aliases, found.tags) == (("champion",), {})


def test_the_same_weights_under_another_number_are_retired_as_well(lineage):
    source = lineage.client.get_model_version(MODEL, "1").source
    run = lineage.run("theirs", "")
    twin = lineage.version_of(source, run, {}, lineage.digests[1])
    record_enrollment(lineage.services.journal, lineage.enrollment(twin))
    lineage.champion = twin
    lineage.promote("b-1", [ADA])
    lineage.close("b-1")
    lineage.today(2026, 6, 1)
    assert lineage.purge() == [1, 2]
    assert lineage.versions() == [3]
    assert len(lineage.files()) == 1


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
    assert (action.verb, action.reason) == ("keep", "theirs version 1 lies in the same files")
    promoted.client.delete_model_version("theirs", "1")
    assert promoted.purge() == [1]


def test_what_a_killed_registration_logged_besides_goes_too(promoted):
    run = promoted.client.get_model_version(MODEL, "2").run_id
    promoted.log(mlflow_registry.AUDIT_EXPERIMENT, run)
    promoted.promote("b-2", [BEA])
    promoted.close("b-2")
    promoted.today(2026, 6, 1)
    assert promoted.purge() == [1, 2]
    assert len(promoted.files()) == 1


def test_a_candidate_that_was_registered_and_never_promoted_goes_when_its_batch_is_closed(promoted):
    attempt = promoted.batch("b-2", [BEA])
    lost = promoted.candidate("b-2", attempt)
    assert lost not in promoted.verbs()
    promoted.close("b-2")
    retirement.retire(promoted.services, MODEL)
    promoted.today(2026, 6, 1)
    assert promoted.purge() == [1, lost]
    assert promoted.versions() == [2]


@pytest.mark.parametrize("kind", ["abandoned", "registered anew"])
def test_a_purge_of_a_version_not_on_record_is_finished_after_it_was_cut_off(
    promoted, monkeypatch, kind
):
    if kind == "abandoned":
        lost = promoted.candidate("b-2", promoted.batch("b-2", [BEA]))
        promoted.close("b-2")
    else:
        made = promoted.client.create_model_version(MODEL, f"models:/{MODEL}/1")
        lost = int(made.version)
    retirement.retire(promoted.services, MODEL)
    promoted.today(2026, 6, 1)

    def killed(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(artifacts, "wipe", killed)
        with pytest.raises(KeyboardInterrupt):
            retirement.purge(promoted.services, MODEL, lost)
    assert lost not in promoted.versions()
    assert promoted.purge() == [1, lost]
    assert len(promoted.files()) == 1
    assert retirement_counts(promoted.services, MODEL) == {"retired": 0, "purged": 2}


def test_versions_of_others_are_left_alone(promoted):
    theirs = promoted.register("theirs", "", {})
    promoted.services.registry.set_alias(MODEL, 2)
    promoted.today(2026, 6, 1)
    assert promoted.purge() == [1]
    assert promoted.versions() == [2, theirs]


def test_files_outside_of_mlflow_s_folders_are_left_to_people(lineage, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "model.pt").write_bytes(b"weights")
    outside = lineage.version_of(elsewhere.as_uri(), lineage.run("theirs", ""), {}, "other")
    record_enrollment(lineage.services.journal, lineage.enrollment(outside))
    lineage.champion = outside
    lineage.promote("b-1", [ADA])
    lineage.close("b-1")
    lineage.today(2026, 6, 1)
    assert lineage.purge() == [1]
    kept = retirement.survey(lineage.services, MODEL)[-1]
    assert kept.reason == (
        f"its files lie at {elsewhere.as_uri()}, which is not a folder of its own: delete them"
    )
    (elsewhere / "model.pt").unlink()
    assert lineage.purge() == [outside]


@pytest.mark.parametrize("name", ["m-shared", f"m-{'0' * 32}"])
def test_a_foreign_folder_named_like_one_of_mlflow_s_is_left_to_people(lineage, tmp_path, name):
    folder = tmp_path / "lake" / name
    folder.mkdir(parents=True)
    (folder / "others.parquet").write_bytes(b"data of another team")
    foreign = lineage.version_of(folder.as_uri(), lineage.run("theirs", ""), {}, "other")
    record_enrollment(lineage.services.journal, lineage.enrollment(foreign))
    lineage.champion = foreign
    lineage.promote("b-1", [ADA])
    lineage.close("b-1")
    lineage.today(2026, 6, 1)
    assert lineage.purge() == [1]
    assert (folder / "others.parquet").exists()


def test_a_version_whose_training_run_is_gone_is_retired_and_purged(lineage):
    run = lineage.client.get_model_version(MODEL, "1").run_id
    lineage.client.delete_run(run)
    # What `mlflow gc` does; it would need a command line of its own.
    _get_store(store_uri=load_settings().tracking_uri)._hard_delete_run(run)
    lineage.promote("b-1", [ADA])
    lineage.close("b-1")
    assert lineage.verbs() == {1: "wait"}
    lineage.today(2026, 6, 1)
    assert lineage.purge() == [1]
    assert len(lineage.files()) == 1


def test_a_version_that_somebody_deleted_is_purged_all_the_same(promoted):
    promoted.client.delete_model_version(MODEL, "1")
    assert len(promoted.files()) == 2  # MLflow only forgets where they are
    promoted.today(2026, 6, 1)
    assert promoted.purge() == [1]
    assert len(promoted.files()) == 1


def test_a_version_that_was_deleted_before_it_was_retired_raises_an_alarm(lineage, caplog):
    lineage.client.delete_model_version(MODEL, "1")
    lineage.promote("b-1", [ADA])
    assert "version 1 was deleted in MLflow before it was retired" in caplog.text


def test_a_withdrawn_model_keeps_no_version_that_remembers(lineage):
    attempt = lineage.batch("b-1", [ADA])
    lineage.services.registry.drop_alias(MODEL)
    facts = {"attempt": attempt, "batch": "b-1"}
    lineage.services.journal.append(
        journal.Entry(stream(MODEL), f"{attempt}/withdrawn", "ModelWithdrawn", facts)
    )
    lineage.store.put(f"ledgers/{lineage.digests[1]}/abc", b"mean gradient")
    retirement.retire(lineage.services, MODEL)
    lineage.today(2026, 6, 1)
    assert lineage.verbs() == {1: "keep"}
    lineage.close("b-1")
    assert lineage.purge() == [1]
    assert list(lineage.store.list_objects("ledgers/")) == []
    assert lineage.files() == []


def test_candidates_of_closed_batches_go_and_those_of_open_ones_stay(promoted):
    services, store = promoted.services, promoted.store
    promoted.batch("b-2", [BEA])
    attempt = promoted.batch("b-3", [CYD])
    promoted.happen("b-2", "a/blocked", "BatchBlocked")
    promoted.happen("b-2", "superseded/b-3", "BatchSuperseded", by="b-3")
    assert retirement.drop_leftovers(services) == 4  # b-1 was closed by hand, b-2 by b-3
    left = {i.key for f in ("candidates/", "checkpoints/") for i in store.list_objects(f)}
    assert left == {f"candidates/{attempt}.safetensors", f"checkpoints/{attempt}.safetensors"}
    mlflow_mirror.close(services, "b-3")
    assert retirement.drop_leftovers(services) == 0


def test_a_certificate_says_until_when_earlier_versions_exist_and_says_it_for_ever(promoted):
    moment = len(promoted.services.journal.read(stream(MODEL)))

    def stated(batch):
        return earlier(promoted.services, MODEL, batch, as_of=moment)

    said = stated("b-1")
    proof = "event purged/1 in journal/models/income/"
    assert said == [{"version": 1, "exists_until": "2026-02-09", "proof": proof}]
    promoted.promote("b-2", [BEA])
    promoted.close("b-2")
    assert [one["version"] for one in stated("b-2")] == [1, 2]
    promoted.today(2026, 6, 1)
    promoted.purge()
    promoted.promote("b-3", [CYD])
    assert stated("b-1") == said
    assert [one["version"] for one in stated("b-3")] == [3]
