"""Whoever was erased stays erased: after a restore, a second delivery, a rollback by hand."""

import json
import shutil
from dataclasses import replace
from datetime import timedelta

import mlflow.pytorch
import numpy as np
import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from conftest import forget_settings
from deltalake import DeltaTable, write_deltalake
from erased_world import GONE, ROWS, TRAINING
from tables import MARK, rows, subject

from tasks import steps
from tasks.attempts import candidates, failures, ladder, planning
from tasks.enrolling import enroll
from tasks.erasure import erasure
from tasks.intake import batches
from tasks.models.timed_trainings import retrain_forecast
from tasks.records import certificates
from tasks.registry import mlflow_registry, model_files
from tasks.report import mlflow_mirror
from tasks.store import journal
from tasks.subjects import open_batches, resolution, suppression_list
from tasks.tables import delta
from tasks.versions import erasure_floor, retirement
from unlearning.errors import (
    ConflictError,
    DataError,
    OutOfMemoryError,
    SettingsError,
)
from unlearning.gate.gate import no_candidate
from unlearning.training.architectures import mlp

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_the_first_erasure_is_on_the_suppression_list(world):
    listed = suppression_list.load(world.store)
    assert len(listed.subjects) == len(GONE)
    assert world.champion() == 2
    assert not world.there() & set(GONE)
    assert world.replay() == ([], 0)
    for info in world.store.list_objects(""):
        if not info.key.startswith("requests/"):
            assert MARK.encode() not in world.store.get(info.key), info.key


def test_a_retrain_that_ran_in_one_go_is_timed(world):
    (event,) = world.events("RetrainTimed")
    timed = event.facts["timed"]
    assert (timed["rows"], timed["epochs"]) == (ROWS - len(GONE), TRAINING.epochs)
    assert timed["seconds"] > 0
    assert world.enrolled().deletions.trained_rows == ROWS - len(GONE)
    assert world.events("ChampionPromoted")[0].facts["trained_rows"] == ROWS - len(GONE)
    assert retrain_forecast(world.store, world.enrolled(), 0) is not None


def test_a_restored_table_is_erased_again_and_the_model_is_left_alone(world):
    digest = world.enrolled().digest
    world.restore()
    assert world.there() >= set(GONE)

    assert world.replay() == ([], len(GONE))
    (restored,) = world.events("SnapshotRestored")
    assert restored.facts["erased_rows"] == len(GONE)
    assert world.enrolled().row_count == ROWS - len(GONE)
    before = world.effects()
    assert world.replay() == ([], 0)
    assert world.effects() == before

    world.run()
    assert not world.there() & set(GONE)
    assert len(world.there()) == ROWS - len(GONE)
    assert (world.champion(), world.enrolled().digest) == (2, digest)
    assert world.enrolled().row_count == ROWS - len(GONE)
    replays = {i: e for i, e in world.requests().items() if i.startswith("replay-")}
    assert {e.status for e in replays.values()} == {"erased"}
    assert len(replays) == len(GONE)
    for name, event in replays.items():
        (first,) = world.certificate(name)["earlier_certificates"]
        pseudonym = event.facts["subject"]
        assert json.loads(world.store.get(first))["request"]["subject_pseudonym"] == pseudonym
        assert first.startswith("certificates/R-")
        assert first in event.facts["reason"]


def test_after_a_replay_all_is_as_ever(world):
    world.restore()
    world.replay()
    world.run()
    before = world.effects()
    assert world.replay() == ([], 0)
    world.run()
    assert world.effects() == before
    world.submit("next", range(20, 30))
    world.run()
    assert world.champion() == 3
    assert not world.there() & {*GONE, *range(20, 30)}


def test_the_same_copy_restored_twice_is_erased_twice(world):
    for _ in range(2):
        world.restore()
        assert world.replay() == ([], len(GONE))
        world.run()
        assert not world.there() & set(GONE)
    replays = [e.status for i, e in world.requests().items() if i.startswith("replay-")]
    assert replays == ["erased"] * 2 * len(GONE)


def test_a_copy_whose_other_rows_do_not_add_up_is_left_to_people(world):
    world.restore()
    write_deltalake(world.table, rows(3, first=900), mode="append")
    (why,), count = world.replay()
    assert f"{ROWS - len(GONE) + 3} rows" in why
    assert "restore a later copy" in why
    assert count == len(GONE)
    assert world.events("SnapshotRestored") == []


def test_a_table_that_grew_since_is_no_restored_table(world):
    write_deltalake(world.table, rows(3, first=900), mode="append")
    before = world.effects()
    assert world.replay() == ([], 0)
    assert world.effects() == before


def test_rows_delivered_again_are_found_by_the_replay(world):
    world.deliver_again(1, 2)
    assert world.replay() == ([], 2)
    world.run()
    assert not world.there() & set(GONE)
    assert world.champion() == 2


def test_training_leaves_out_who_was_erased(world):
    clean = world.train()
    world.deliver_again(1, 2)
    again = world.train()
    assert again.digest == clean.digest
    assert again.row_count == clean.row_count == ROWS - len(GONE)
    assert again.dataset_version > clean.dataset_version
    assert (again.relearned, world.events("ErasedSubjectsLearned")) == ("", [])


def test_a_model_of_others_that_learned_from_them_has_to_forget(world):
    world.deliver_again(1, 2)
    module = mlp(inputs=40, hidden=(8,), classes=2, seed=3)
    run_id = mlflow_registry.ensure_run(
        mlflow_registry.TRAINING_EXPERIMENT, "elsewhere", "elsewhere"
    )
    uri = model_files.log_new(run_id, module, np.zeros((2, 40), dtype=np.float32))
    mlflow_registry.create_version("income", uri, run_id, {})
    world.set_alias(3)
    found = enroll.adopt_version(world.store, world.source(), None, trust_pickle=False)
    assert found.row_count == ROWS - len(GONE) + 2
    assert len(world.events("ErasedSubjectsLearned")) == 1
    assert len(suppression_list.not_known_to(world.store, found)) == len(GONE) - 2
    # Another policy for the same weights changes nothing of that.
    again = enroll.adopt_version(world.store, world.source(), None, trust_pickle=False)
    assert again.relearned == found.relearned

    assert world.replay() == ([], 2)
    world.run()
    assert world.champion() == 4
    assert not world.there() & set(GONE)
    body = world.certificate(next(i for i in world.requests() if i.startswith("replay-")))
    assert [(m["parent_version"], m["version"], m["forget_count"]) for m in body["models"]] == [
        (3, 4, 2)
    ]
    assert body["earlier_certificates"]
    assert len(suppression_list.not_known_to(world.store, world.enrolled())) == len(GONE)
    assert world.enrolled().row_count == ROWS - len(GONE)


def test_another_request_of_somebody_who_is_gone_cites_the_first_certificate(world):
    world.submit("later", [1, 800])
    world.run()
    found = world.requests()
    assert {found[i].status for i in ("later-1", "later-800")} == {"not_found"}
    assert world.certificate("later-1")["earlier_certificates"] == ["certificates/R-1.json"]
    assert "earlier_certificates" not in world.certificate("later-800")
    assert found["later-1"].facts["reason"].endswith("erased before, see certificates/R-1.json")


@pytest.mark.parametrize("was_found", [True, False])
def test_rows_that_others_delete_first_are_purged_and_forgotten_all_the_same(world, was_found):
    world.submit("X", [50])
    (batch,) = open_batches.open_batches(world.store)
    if was_found:
        batches.validate(world.store, batch)
        resolution.resolve(world.store, batch)
        world.unlearn(batch, "income")
    DeltaTable(world.table).delete(f"subject_id = '{subject(50)}'")
    world.process(batch)

    certificate = world.certificate("X-50")
    assert (certificate["outcome"], certificate["models"][0]["forget_count"]) == ("erased", 1)
    (table,) = certificate["tables"]
    assert table["rows_matched"] == table["rows_of_this_request"] == 0
    assert table["rows_before"] == table["rows_after"] == ROWS - len(GONE) - 1
    assert table["files_left_over"] == table["hits"] == 0
    event = world.requests()["X-50"]
    assert "others had deleted the rows before" in event.facts["reason"]
    assert event.facts["subject"] in suppression_list.load(world.store).subjects
    assert world.enrolled().dataset_version == delta.open_table(world.table).version()
    assert world.enrolled().row_count == ROWS - len(GONE) - 1
    assert delta.leftover_files(world.table) == 0


def test_whoever_is_back_under_a_hold_waits_and_is_asked_for_once(world):
    hold = json.dumps({"subject_id": subject(1)}).encode()
    world.store.put("requests/holds/court.jsonl", hold)
    world.deliver_again(1, 2)
    assert world.replay() == ([], 2)
    world.run()
    assert world.there() & set(GONE) == {1}
    assert sorted(e.status for i, e in world.requests().items() if i.startswith("replay-")) == [
        "erased",
        "on_hold",
    ]
    assert world.replay() == ([], 0)
    assert world.enrolled().row_count == ROWS - len(GONE)
    world.store.delete("requests/holds/court.jsonl")
    world.run()
    assert not world.there() & set(GONE)


def test_a_hold_between_the_list_and_the_deletion_takes_its_subject_off_the_list(
    world, monkeypatch
):
    hold = json.dumps({"subject_id": subject(50)}).encode()
    world.submit("r", [50, 51])
    with monkeypatch.context() as patch:
        suppress = suppression_list.suppress

        def hold_then(store, batch):
            suppress(store, batch)
            store.put("requests/holds/court.jsonl", hold)

        patch.setattr(suppression_list, "suppress", hold_then)
        with pytest.raises(ConflictError, match="legal hold"):
            world.run()
    before = suppression_list.load(world.store)
    world.run()
    listed, named = (
        suppression_list.load(world.store),
        batches.pseudonyms([subject(50), subject(51)]),
    )
    assert named[subject(50)] in before.subjects - listed.subjects
    assert named[subject(51)] in listed.subjects
    assert listed.digest != before.digest
    assert world.there() & {50, 51} == {50}
    assert world.replay() == ([], 0)

    world.store.delete("requests/holds/court.jsonl")
    world.run()
    assert 50 not in world.there()
    assert named[subject(50)] in suppression_list.load(world.store).subjects
    found = world.certificate("r-50")
    assert "earlier_certificates" not in found
    # The model forgot the row in the batch that the hold took it out of, and is not asked again.
    assert world.champion() == 3
    assert [(m["model"], m["version"], m["forget_count"]) for m in found["models"]] == [
        ("income", 3, 2)
    ]
    assert world.requests()["r-50"].facts["reason"] == "1 row erased and unlearned"


def test_a_rollback_by_hand_is_undone_once(world):
    world.set_alias(1)
    (breach,) = erasure_floor.breaches(world.store)
    assert (breach.found, breach.floor) == (1, 2)
    assert erasure_floor.enforce(world.store) == []
    assert world.champion() == 2
    before = world.effects()
    assert erasure_floor.enforce(world.store) == []
    assert world.effects() == before
    world.set_alias(1)
    erasure_floor.enforce(world.store)
    assert world.champion() == 2
    assert len(world.events("AliasRestored")) == 2


def test_a_rollback_that_is_undone_and_not_recorded_is_found_undone(world, monkeypatch):
    world.set_alias(1)
    with monkeypatch.context() as patch:
        move = mlflow_registry.move_alias

        def die(*arguments, **named):
            move(*arguments, **named)
            raise KeyboardInterrupt

        patch.setattr(mlflow_registry, "move_alias", die)
        with pytest.raises(KeyboardInterrupt):
            erasure_floor.enforce(world.store)
    assert world.champion() == 2
    assert list(erasure_floor.breaches(world.store)) == []
    world.set_alias(1)
    erasure_floor.enforce(world.store)
    assert world.champion() == 2
    assert len(world.events("AliasRestored")) == 1


def test_without_the_version_that_forgot_the_alias_is_dropped(world):
    mlflow_registry.client().delete_model_version("income", "2")
    world.set_alias(1)
    (lost,) = erasure_floor.enforce(world.store)
    assert "Train income anew" in lost
    assert world.champion() is None
    assert world.enrolled().is_withdrawn
    assert erasure_floor.enforce(world.store) == []
    # Set once more, it is dropped once more, and cannot be enrolled to get around that.
    world.set_alias(1)
    with pytest.raises(ConflictError, match="trained without them"):
        enroll.adopt_version(world.store, world.source(), None, trust_pickle=False)
    assert len(erasure_floor.enforce(world.store)) == 1
    assert world.champion() is None
    assert world.train().version == 3
    assert not world.enrolled().is_withdrawn
    assert erasure_floor.enforce(world.store) == []


def test_a_batch_on_the_table_of_a_model_without_a_floor_is_certified(world):
    mlflow_registry.client().delete_model_version("income", "2")
    world.set_alias(1)
    erasure_floor.enforce(world.store)
    world.submit("next", [50])
    world.run()
    assert 50 not in world.there()
    assert world.requests()["next-50"].status == "erased"
    (model,) = world.certificate("next-50")["models"]
    assert (model["outcome"], model["parent_version"]) == ("out of service", 2)
    assert model["reason"].startswith("It lost its alias, since no version")


@pytest.mark.parametrize("damage", ["exchanged", "cut off", "gone"])
def test_damaged_weights_of_the_floor_are_not_served(world, damage):
    world.set_alias(1)
    (data,) = model_files.load_model("income", 2).directory.rglob("*.pt2")
    kept = data.read_bytes()
    try:
        if damage == "exchanged":
            (other,) = model_files.load_model("income", 1).directory.rglob("*.pt2")
            shutil.copy(other, data)
        elif damage == "cut off":
            data.write_bytes(kept[: len(kept) // 2])
        else:
            data.unlink()
        assert len(erasure_floor.enforce(world.store)) == 1
        assert world.champion() is None
    finally:
        data.write_bytes(kept)


@pytest.mark.parametrize(
    ("place", "name", "error", "expected"),
    [
        (
            mlflow.artifacts,
            "download_artifacts",
            ClientError({"Error": {"Code": "ExpiredToken"}}, "GetObject"),
            DataError,
        ),
        (mlflow.artifacts, "download_artifacts", NoCredentialsError(), SettingsError),
        (mlflow.pytorch, "load_model", ModuleNotFoundError("torchvision"), SettingsError),
        (mlflow.pytorch, "load_model", RuntimeError("archive version"), SettingsError),
        (mlflow.pytorch, "load_model", TypeError("unexpected argument"), SettingsError),
    ],
    ids=["access", "credentials", "code", "another torch", "another package"],
)
def test_weights_out_of_reach_are_not_taken_for_lost(
    world, monkeypatch, place, name, error, expected
):
    def refuse(*_, **__):
        raise error

    world.set_alias(1)
    with monkeypatch.context() as patch:
        patch.setattr(place, name, refuse)
        with pytest.raises(expected):
            erasure_floor.enforce(world.store)
    assert not world.enrolled().is_withdrawn
    assert erasure_floor.enforce(world.store) == []
    assert world.champion() == 2


def test_a_version_that_is_not_on_record_is_not_the_floors_business(world):
    source = mlflow_registry.client().get_model_version("income", "2").source
    mlflow_registry.client().create_model_version("income", source)
    world.set_alias(3)
    before = world.effects()
    assert erasure_floor.enforce(world.store) == []
    assert world.effects() == before
    world.submit("next", [50])
    with pytest.raises(ConflictError, match="enrol version 3"):
        world.run()


def test_old_weights_under_a_new_number_are_a_rollback_as_well(world):
    source = mlflow_registry.client().get_model_version("income", "1").source
    mlflow_registry.client().create_model_version("income", source)
    world.set_alias(3)
    (breach,) = erasure_floor.breaches(world.store)
    assert (breach.found, breach.floor) == (3, 2)
    assert erasure_floor.enforce(world.store) == []
    assert world.champion() == 2


def test_a_copy_of_weights_that_remember_is_refused(world):
    source = mlflow_registry.client().get_model_version("income", "1").source
    mlflow_registry.client().create_model_version("income", source)
    with pytest.raises(ConflictError, match="trained without them"):
        enroll.adopt_version(world.store, world.source(), 3, trust_pickle=False)


def test_a_candidate_of_an_older_snapshot_is_refused_by_its_tags(world):
    module = mlp(inputs=40, hidden=(8,), classes=2, seed=3)
    run_id = mlflow_registry.ensure_run(
        mlflow_registry.TRAINING_EXPERIMENT, "elsewhere", "elsewhere"
    )
    uri = model_files.log_new(run_id, module, np.zeros((2, 40), dtype=np.float32))
    tags = {"expunge.dataset": world.table, "expunge.dataset_version": "0"}
    mlflow_registry.create_version("income", uri, run_id, tags)
    with pytest.raises(ConflictError, match="trained without them"):
        enroll.adopt_version(world.store, world.source(), 3, trust_pickle=False)
    mlflow_registry.tag_version("income", 3, {"expunge.dataset_version": "90"})
    assert enroll.adopt_version(world.store, world.source(), 3, trust_pickle=False).version == 3


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (suppression_list, "suppress"),
        (delta, "delete_rows"),
        (erasure, "purge_files"),
        (erasure, "advance_models"),
        (certificates, "certify"),
    ],
)
def test_a_replay_that_is_killed_goes_on_where_it_was(world, monkeypatch, module, name):
    world.restore()
    world.replay()
    with monkeypatch.context() as patch:
        real = getattr(module, name)

        def die(*arguments):
            real(*arguments)
            raise KeyboardInterrupt

        patch.setattr(erasure if name == "delete_rows" else module, name, die)
        with pytest.raises(KeyboardInterrupt):
            world.run()
    world.replay()
    world.run()
    assert not world.there() & set(GONE)
    assert world.champion() == 2
    replays = [e.status for i, e in world.requests().items() if i.startswith("replay-")]
    assert replays == ["erased"] * len(GONE)
    assert world.replay() == ([], 0)


def test_a_version_retired_between_two_tries_to_certify_changes_no_certificate(world, monkeypatch):
    world.submit("next", [50])
    (batch,) = open_batches.open_batches(world.store)
    with monkeypatch.context() as patch:
        real = certificates._certify_one

        def cut_off(*arguments):
            real(*arguments)
            raise KeyboardInterrupt

        patch.setattr(certificates, "_certify_one", cut_off)
        with pytest.raises(KeyboardInterrupt):
            world.process(batch)
    said = world.certificate("next-50")
    retirement.retire(world.store, "income")
    certificates.certify(world.store, batch)
    assert world.requests()["next-50"].status == "erased"
    assert world.certificate("next-50") == said


def test_a_model_enrolled_while_a_batch_is_at_work_has_to_forget_too(world, monkeypatch):
    world.submit("next", range(20, 30))
    with monkeypatch.context() as patch:
        real = suppression_list.suppress

        def enrol_meanwhile(store, batch):
            world.enroll_copy(before, "late")
            real(store, batch)

        before = world.enrolled()
        patch.setattr(suppression_list, "suppress", enrol_meanwhile)
        with pytest.raises(ConflictError, match="late was enrolled while"):
            world.run()
    assert world.there() >= set(range(20, 30))
    world.run()
    assert not world.there() & set(range(20, 30))
    assert mlflow_registry.alias_version("late") == 2


def test_nobody_is_listed_before_every_model_was_asked(world):
    world.submit("X", [50])
    (batch,) = open_batches.open_batches(world.store)
    batches.validate(world.store, batch)
    resolution.resolve(world.store, batch)
    before = world.enrolled()
    world.unlearn(batch, "income")
    world.enroll_copy(before, "late")
    with pytest.raises(ConflictError, match="late was enrolled while"):
        steps.suppress_subjects.fn(batch)
    assert batch not in suppression_list.load(world.store).by_batch


def test_the_list_of_a_batch_that_another_takes_over_excuses_no_model(world):
    world.submit("X", [50])
    (first,) = open_batches.open_batches(world.store)
    batches.validate(world.store, first)
    resolution.resolve(world.store, first)
    before = world.enrolled()
    world.unlearn(first, "income")
    suppression_list.suppress(world.store, first)
    world.enroll_copy(before, "late")
    blocked = planning.plan(world.store, first, "late")
    mlflow_mirror.block(world.store, blocked, ["holdout_accuracy_loss"], "No rung was enough.")

    world.submit("Y", [60])
    (second,) = open_batches.open_batches(world.store)
    assert suppression_list.load(world.store).by_batch[first] == {}
    batches.validate(world.store, second)
    resolution.resolve(world.store, second)
    assert planning.plan(world.store, second, "late").forget_count == 2
    world.process(second)
    models = world.certificate("X-50")["models"]
    assert {m["model"]: m["forget_count"] for m in models} == {"income": 1, "late": 2}


def test_a_machine_without_code_or_memory_costs_no_overdue_model_its_alias(world, monkeypatch):
    world.submit("next", range(20, 30))
    (batch,) = open_batches.open_batches(world.store)
    batches.validate(world.store, batch)
    resolution.resolve(world.store, batch)
    attempt = planning.plan(world.store, batch, "income")
    later = journal.now() + timedelta(days=90)

    def fail(error):
        raise error

    for place, name, error, expected in (
        (mlflow.pytorch, "load_model", ModuleNotFoundError("torchvision"), SettingsError),
        (candidates, "unlearn", MemoryError(), OutOfMemoryError),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(journal, "now", lambda: later)
            patch.setattr(place, name, lambda *_, error=error, **__: fail(error))
            with pytest.raises(expected, match=r"(install|free) .* run"):
                failures.failure_of(world.store, attempt, candidates.make_candidate)
    assert ladder.may_retrain(world.store, replace(attempt, method="calibrated"))
    assert not ladder.may_retrain(world.store, attempt)  # it is one
    with monkeypatch.context() as patch:
        patch.setattr(mlflow.pytorch, "load_model", lambda *_, **__: fail(ImportError()))
        with pytest.raises(SettingsError, match="installed here"):
            ladder.choose_rung(world.store, attempt, no_candidate("It was not made."))
    names = [e.name for e in journal.read(world.store, batches.stream(batch))]
    assert not {"CandidateFailed", "RungChosen"} & set(names)
    assert world.champion() == 2
    world.run()
    assert world.champion() == 3
    assert world.requests()["next-20"].status == "erased"


def test_a_list_of_another_key_is_refused(world, monkeypatch):
    monkeypatch.setenv("EXPUNGE_PSEUDONYM_KEY", "0" * 64)
    forget_settings()
    with pytest.raises(SettingsError, match="another EXPUNGE_PSEUDONYM_KEY"):
        suppression_list.load(world.store)
