"""Retired versions are gone after the grace period, with every byte, unless one is needed."""

from datetime import date

import pytest
from click.testing import CliRunner
from hand_made_versions import MODEL
from mlflow.cli import gc
from small_tables import MARK

from tasks.environment.settings import load_settings
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.models import ModelWithdrawn
from tasks.journal.events.versions import VersionPurged, VersionRetired
from tasks.journal.reading import record_enrollment
from tasks.registry import artifacts, mlflow_registry, model_versions
from tasks.registry.services import Services
from tasks.versions import purging, retirement
from tasks.versions.old_versions import retirement_counts
from unlearning.errors import ConflictError

ADA, BEA = f"{MARK}-1", f"{MARK}-2"


def everything(services):
    return [(i.key, i.version) for i in services.store.list_objects("")]


def test_every_byte_is_gone_after_the_grace_period_and_the_places_were_listed(promoted):
    services, store = promoted.services, promoted.store
    store.put(f"ledgers/{promoted.digests[1]}/abc", b"mean gradient")
    before = promoted.files()
    promoted.today(2026, 1, 31)
    assert promoted.purge() == []
    promoted.today(2026, 2, 1)
    assert promoted.purge() == [1]

    (kept,) = promoted.files()
    assert kept in before
    assert promoted.versions() == [2]
    assert list(store.list_objects("ledgers/")) == []
    (facts,) = promoted.events(VersionPurged)
    assert [(one.before, one.after) for one in facts.looked_at] == [(2, 0), (1, 0)]
    (model_id,) = facts.logged_models
    assert model_id in facts.looked_at[0].place
    assert retirement_counts(services, MODEL) == {"retired": 0, "purged": 1}

    again = everything(services)
    retirement.retire(services, MODEL)
    assert promoted.purge() == []
    assert purging.purge(services, MODEL, 1) == facts
    assert everything(services) == again


def test_a_later_setting_does_not_move_the_day_that_was_promised(promoted, monkeypatch):
    monkeypatch.setenv("EXPUNGE_RETIREMENT_DAYS", "5")
    promoted.services = Services.open(load_settings())
    promoted.promote("b-2", [BEA])
    first, second = promoted.events(VersionRetired)
    assert (first.purge_on, second.purge_on) == (date(2026, 2, 1), date(2026, 1, 15))


def test_no_setting_keeps_a_version_until_its_requests_are_due(made, monkeypatch):
    monkeypatch.setenv("EXPUNGE_RETIREMENT_DAYS", "400")
    made.services = Services.open(load_settings())
    made.promote("b-1", [ADA])
    (retired,) = made.events(VersionRetired)
    assert retired.purge_on == date(2026, 2, 1)  # the request came on 2 January


@pytest.mark.parametrize("when", ["before the files", "before ours", "before the record"])
def test_a_killed_purge_is_finished_and_recorded_once(promoted, monkeypatch, when):
    promoted.today(2026, 3, 1)
    promoted.store.put(f"ledgers/{promoted.digests[1]}/abc", b"mean gradient")

    def killed(*_):
        raise KeyboardInterrupt

    is_deleted = model_versions.is_deleted

    def killed_once_it_is(*arguments):
        return killed() if is_deleted(*arguments) else False

    with monkeypatch.context() as patch:
        if when == "before the files":
            patch.setattr(artifacts, "wipe", killed)
        elif when == "before ours":
            patch.setattr(type(promoted.store), "delete", killed)
        else:
            patch.setattr(model_versions, "is_deleted", killed_once_it_is)
        with pytest.raises(KeyboardInterrupt):
            promoted.purge()
    assert promoted.events(VersionPurged) == []
    assert 1 not in promoted.versions()

    assert promoted.purge() == [1]
    (facts,) = promoted.events(VersionPurged)
    assert (facts.looked_at[0].before, facts.looked_at[0].after) == (2, 0)
    assert len(promoted.files()) == 1


def test_an_open_batch_keeps_its_parent_and_its_candidate(made):
    made.promote("b-1", [ADA])
    made.today(2026, 6, 1)
    assert made.purge() == []
    (action,) = retirement.survey(made.services, MODEL)
    assert (action.verb, action.reason) == ("keep", "b-1 is not closed and needs it")
    with pytest.raises(ConflictError, match="must stay for now: b-1 is not closed"):
        purging.purge(made.services, MODEL, 1)
    assert len(made.files()) == 2
    made.close("b-1")
    assert made.purge() == [1]


def test_a_hold_that_comes_between_list_and_purge_is_seen(promoted):
    promoted.today(2026, 6, 1)
    assert purging.due(promoted.services, MODEL) == [1]
    promoted.hold(ADA)
    with pytest.raises(ConflictError, match="legal hold"):
        purging.purge(promoted.services, MODEL, 1)
    assert len(promoted.files()) == 2


def test_what_a_killed_registration_logged_besides_goes_too(promoted):
    run = promoted.client.get_model_version(MODEL, "2").run_id
    promoted.log(mlflow_registry.AUDIT_EXPERIMENT, run)
    promoted.promote("b-2", [BEA])
    promoted.close("b-2")
    promoted.today(2026, 6, 1)
    assert promoted.purge() == [1, 2]
    assert len(promoted.files()) == 1


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

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(artifacts, "wipe", killed)
        with pytest.raises(KeyboardInterrupt):
            purging.purge(promoted.services, MODEL, lost)
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


def test_files_outside_of_mlflow_s_folders_are_left_to_people(made, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "model.pt").write_bytes(b"weights")
    outside = made.version_of(elsewhere.as_uri(), made.run("theirs", ""), {}, "other")
    record_enrollment(made.services.journal, made.enrollment(outside))
    made.champion = outside
    made.promote("b-1", [ADA])
    made.close("b-1")
    made.today(2026, 6, 1)
    assert made.purge() == [1]
    kept = retirement.survey(made.services, MODEL)[-1]
    assert kept.reason == (
        f"its files lie at {elsewhere.as_uri()}, which is not a folder of its own: delete them"
    )
    (elsewhere / "model.pt").unlink()
    assert made.purge() == [outside]


@pytest.mark.parametrize("name", ["m-shared", f"m-{'0' * 32}"])
def test_a_foreign_folder_named_like_one_of_mlflow_s_is_left_to_people(made, tmp_path, name):
    folder = tmp_path / "lake" / name
    folder.mkdir(parents=True)
    (folder / "others.parquet").write_bytes(b"data of another team")
    foreign = made.version_of(folder.as_uri(), made.run("theirs", ""), {}, "other")
    record_enrollment(made.services.journal, made.enrollment(foreign))
    made.champion = foreign
    made.promote("b-1", [ADA])
    made.close("b-1")
    made.today(2026, 6, 1)
    assert made.purge() == [1]
    assert (folder / "others.parquet").exists()


def test_a_version_whose_training_run_is_gone_is_retired_and_purged(made):
    run = made.client.get_model_version(MODEL, "1").run_id
    made.client.delete_run(run)
    uri = load_settings().tracking_uri
    done = CliRunner().invoke(
        gc, ["--backend-store-uri", uri, "--tracking-uri", uri, "--run-ids", run]
    )
    assert done.exit_code == 0, done.output
    made.promote("b-1", [ADA])
    made.close("b-1")
    assert made.verbs() == {1: "wait"}
    made.today(2026, 6, 1)
    assert made.purge() == [1]
    assert len(made.files()) == 1


def test_a_version_that_somebody_deleted_is_purged_all_the_same(promoted):
    promoted.client.delete_model_version(MODEL, "1")
    assert len(promoted.files()) == 2  # MLflow only forgets where they are
    promoted.today(2026, 6, 1)
    assert promoted.purge() == [1]
    assert len(promoted.files()) == 1


def test_a_withdrawn_model_keeps_no_version_that_remembers(made):
    attempt = made.batch("b-1", [ADA])
    made.services.registry.drop_alias(MODEL)
    facts = ModelWithdrawn(attempt=attempt.key, batch="b-1")
    made.services.journal.append(model_stream(MODEL), attempt.ids.withdrawn, facts)
    made.store.put(f"ledgers/{made.digests[1]}/abc", b"mean gradient")
    retirement.retire(made.services, MODEL)
    made.today(2026, 6, 1)
    assert made.verbs() == {1: "keep"}
    made.close("b-1")
    assert made.purge() == [1]
    assert list(made.store.list_objects("ledgers/")) == []
    assert made.files() == []
