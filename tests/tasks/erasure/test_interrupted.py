"""A batch that stops half-way, and what others do before it goes on."""

import json
import shutil
from dataclasses import replace

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from erased_world import GONE, ROWS, TRAINING
from tables import rows, subject

from tasks import steps
from tasks.attempts import planning
from tasks.attempts.already_forgotten import forgotten_subjects
from tasks.enrolling import enroll, train
from tasks.erasure import erasure
from tasks.intake import batches
from tasks.journal.reading import record_enrollment
from tasks.records import certificates
from tasks.records.status import trace_subject
from tasks.registry import mlflow_registry
from tasks.report import facts, mlflow_mirror
from tasks.subjects import late_holds, open_batches, resolution, suppression_list
from tasks.tables import delta
from unlearning.errors import (
    ConflictError,
    DataError,
    TransientError,
)

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")


def away(*_):
    raise TransientError("MLflow is busy or away.")


def test_a_batch_that_stopped_after_its_rows_were_gone_ends_after_others(world, monkeypatch):
    world.submit("one", [50])
    (one,) = open_batches.open_batches(world.services)
    with monkeypatch.context() as patch:
        patch.setattr(mlflow_registry, "tag_version", away)
        with pytest.raises(TransientError):
            world.process(one)
    world.submit("two", [60])
    (two,) = set(open_batches.open_batches(world.services)) - {one}
    world.process(two)
    stands = world.enrolled()
    assert world.champion() == stands.version == 4

    world.process(one)
    assert world.requests()["one-50"].status == "erased"
    assert [m["version"] for m in world.certificate("one-50")["models"]] == [3]
    assert (world.champion(), world.enrolled()) == (4, stands)
    assert open_batches.unfinished(world.services) == []


def test_a_model_trained_anew_while_a_batch_has_not_ended_is_asked_too(world, monkeypatch):
    world.submit("one", [50])
    (one,) = open_batches.open_batches(world.services)
    with monkeypatch.context() as patch:
        patch.setattr(mlflow_registry, "tag_version", away)
        with pytest.raises(TransientError):
            world.process(one)
    stands = world.train()
    world.process(one)
    assert world.requests()["one-50"].status == "erased"
    assert (world.champion(), world.enrolled().digest) == (4, stands.digest)


def test_a_snapshot_that_another_batch_purged_is_not_looked_at(world, monkeypatch):
    """Two batches deleted rows and removed files, and then both stopped."""
    world.deliver_again(1, 2)
    named = []
    with monkeypatch.context() as patch:
        patch.setattr(erasure, "advance_models", away)
        for name, number in (("one", 1), ("two", 2)):
            world.submit(name, [number])
            (batch,) = set(open_batches.open_batches(world.services)) - set(named)
            named.append(batch)
            with pytest.raises(TransientError):
                world.process(batch)
    world.run()
    assert {world.requests()[i].status for i in ("one-1", "two-2")} == {"erased"}
    assert world.enrolled().dataset_version == DeltaTable(world.table).version()
    assert world.enrolled().row_count == ROWS - len(GONE)


def stop_before(monkeypatch, world, module, name):
    """A run over requests of two subjects who are back is killed at this call."""
    world.deliver_again(1, 2)
    world.submit("r", [1, 2])
    with monkeypatch.context() as patch:
        patch.setattr(module, name, killed)
        with pytest.raises(KeyboardInterrupt):
            world.run()


def killed(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("module", "name"),
    [(erasure, "_arithmetic"), (erasure, "vacuum"), (certificates, "bytes_digest")],
)
def test_a_hold_that_comes_after_the_deletion_is_late(world, monkeypatch, caplog, module, name):
    stop_before(monkeypatch, world, module, name)
    world.hold(1)
    world.run()
    assert not world.there() & set(GONE)
    assert {world.requests()[i].status for i in ("r-1", "r-2")} == {"erased"}
    assert world.certificate("r-1")["outcome"] == "erased"
    assert "ALARM: A legal hold was placed on 1 subjects" in caplog.text
    told = [e["name"] for one in trace_subject(world.services, subject(1)) for e in one["events"]]
    assert told.count("HoldTooLate") == 1
    world.release(1)
    before = world.effects()
    world.run()
    assert world.effects() == before


def test_a_hold_that_comes_before_the_deletion_keeps_rows_and_request(world, monkeypatch):
    stop_before(monkeypatch, world, erasure, "delete_rows")
    world.hold(1)
    world.run()
    assert world.there() & set(GONE) == {1}
    assert [world.requests()[i].status for i in ("r-1", "r-2")] == ["on_hold", "erased"]
    world.release(1)
    world.run()
    assert not world.there() & set(GONE)
    assert world.certificate("r-1")["outcome"] == "erased"


def test_whom_a_hold_keeps_out_of_the_batch_that_took_over_is_not_learned_again(world):
    world.submit("one", [50, 60])
    (one,) = open_batches.open_batches(world.services)
    batches.validate(world.services, one)
    resolution.resolve(world.services, one)
    world.unlearn(one, "income")
    plan = planning.plan(world.services, one, "income")
    mlflow_mirror.block(world.services, plan, ["utility"], "Another model failed.")
    world.hold(50)
    world.submit("two", [70])
    world.run()
    assert [world.requests()[f"one-{n}"].status for n in (50, 60)] == ["on_hold", "erased"]
    assert world.there() & {50, 60} == {50}
    assert forgotten_subjects(world.services, world.enrolled()) == {subject(50)}


def test_a_hold_keeps_rows_in_one_table_that_are_gone_from_another(world, monkeypatch):
    write_deltalake(world.holdout, rows(1, first=1), mode="append")
    stop_before(monkeypatch, world, erasure, "vacuum")  # the holdout table comes first
    world.hold(1)
    world.hold(2)
    world.run()
    assert world.there() & set(GONE) == {1, 2}
    assert {world.requests()[i].status for i in ("r-1", "r-2")} == {"on_hold"}
    assert 1 not in world.there(world.holdout)
    assert delta.leftover_files(world.services.settings, world.holdout) == 0


def test_a_table_of_a_model_that_was_enrolled_while_a_batch_waited_is_erased_too(world):
    world.submit("r", [900])
    (batch,) = open_batches.open_batches(world.services)
    batches.validate(world.services, batch)
    resolution.resolve(world.services, batch)  # then somebody must approve it
    place = f"file://{world.folder}/photos"
    write_deltalake(place, rows(200, first=750, seed=5))
    source = world.source(model="photos", dataset=replace(world.source().dataset, uri=place))
    version = train.train_version(world.services, source, (8,), TRAINING)
    enroll.adopt_version(world.services, source, version, trust_pickle=False)
    world.process(batch)
    assert 900 not in world.there(place)
    assert world.requests()["r-900"].status == "erased"
    assert world.certificate("r-900")["tables"][0]["table"] == place
    assert world.services.registry.alias_version("photos") == 2
    (pseudonym,) = batches.pseudonyms(world.services, [subject(900)]).values()
    assert pseudonym in suppression_list.load(world.services).subjects


def test_a_version_trained_on_a_copy_without_the_subjects_frees_a_batch_that_waits(world):
    world.submit("r", [50])
    (batch,) = open_batches.open_batches(world.services)
    batches.validate(world.services, batch)
    resolution.resolve(world.services, batch)
    plan = planning.plan(world.services, batch, "income")
    assert plan is not None  # which no rung could carry out, and somebody does it by hand
    place = f"file://{world.folder}/copy"
    kept = DeltaTable(world.table).to_pyarrow_table().to_pylist()
    kept = [row for row in kept if row["subject_id"] != subject(50)]
    write_deltalake(place, pa.Table.from_pylist(kept))
    source = world.source(dataset=replace(world.source().dataset, uri=place))
    version = train.train_version(world.services, source, (8,), TRAINING)
    enroll.adopt_version(world.services, source, version, trust_pickle=False)
    world.process(batch)
    assert world.requests()["r-50"].status == "erased"
    assert 50 not in world.there()
    assert world.champion() == version
    assert not world.enrolled().is_withdrawn


def test_a_table_found_late_changes_no_other_and_keeps_nobody_under_a_hold_on_the_list(world):
    world.submit("r", [50, 900])
    (batch,) = open_batches.open_batches(world.services)
    batches.validate(world.services, batch)
    resolution.resolve(world.services, batch)
    suppression_list.suppress(world.services, batch)
    before = delta.open_table(world.services.settings, world.table).version()
    erasure.erase_rows(world.services, batch, world.table)
    places = [f"file://{world.folder}/{name}" for name in ("photos", "of-one-known-before")]
    for place, first in zip(places, (880, 45), strict=True):
        write_deltalake(place, rows(25, first=first))
        late = replace(world.enrolled().dataset, uri=place)
        record_enrollment(world.services.journal, replace(world.enrolled(), model=place[-6:], dataset=late))
    resolution.resolve(world.services, batch)
    assert [suppression_list.put_on_found(world.services, batch) for _ in range(2)] == [1, 0]
    stated = [suppression_list.last_version_with(world.services, t) for t in (world.table, *places)]
    assert stated == [before, 0, 0]

    known, late = (batches.pseudonyms(world.services, [subject(n)])[subject(n)] for n in (50, 900))
    assert {known, late} <= suppression_list.load(world.services).subjects
    world.hold(900)
    late_holds.withhold(world.services, batch)
    assert suppression_list.take_off_withheld(world.services, batch) == 1
    listed = suppression_list.load(world.services).subjects
    assert known in listed
    assert late not in listed


def test_a_model_stays_untouched_when_the_first_of_two_tables_was_erased(world):
    place = f"file://{world.folder}/valid"  # comes after the training table
    shutil.copytree(world.folder / "holdout", world.folder / "valid")
    enroll.adopt_version(world.services, world.source(holdout=place), None, trust_pickle=False)
    write_deltalake(world.table, rows(1, first=800), mode="append")  # since it was trained
    world.submit("r", [800, 300])
    world.run()
    assert 800 not in world.there()
    assert 300 not in world.there(place)
    assert {world.requests()[i].status for i in ("r-800", "r-300")} == {"erased"}
    assert world.champion() == 2


def resolved(world, *numbers):
    """A batch as far as its search."""
    world.submit("X", numbers)
    (batch,) = open_batches.open_batches(world.services)
    batches.validate(world.services, batch)
    resolution.resolve(world.services, batch)
    return batch


def move_table(world, *, without=()):
    """The owner writes the table anew elsewhere, trains and enrols there."""
    place = f"file://{world.folder}/train-v2"
    whole = DeltaTable(world.table).to_pyarrow_table()
    left_out = {subject(number) for number in without}
    kept = [name not in left_out for name in whole["subject_id"].to_pylist()]
    write_deltalake(place, whole.filter(kept))
    source = world.source(dataset=replace(world.source().dataset, uri=place))
    version = train.train_version(world.services, source, (8,), replace(TRAINING, seed=5))
    enroll.adopt_version(world.services, source, version, trust_pickle=False)
    return place


def test_a_hold_protects_rows_in_a_table_that_no_model_uses_any_more(world):
    batch = resolved(world, 50, 60)
    world.unlearn(batch, "income")
    suppression_list.suppress(world.services, batch)
    move_table(world, without=[50])
    world.hold(50)
    world.run()
    assert world.requests()["X-50"].status == "on_hold"
    assert world.requests()["X-60"].status == "erased"
    assert world.there() & {50, 60} == {50}


def test_a_table_that_is_no_more_holds_up_nothing_and_the_certificate_says_so(world, caplog):
    batch = resolved(world, 50, 60)
    place = move_table(world)
    shutil.rmtree(world.folder / "train")
    world.run()
    assert not world.there(place) & {50, 60}
    assert "is no more, and no model is enrolled on it" in caplog.text
    certificate = world.certificate("X-50")
    outcomes = {t["table"]: t.get("outcome") for t in certificate["tables"]}
    assert outcomes == {world.table: "gone", place: None}
    page = facts.batch_facts(world.services, batch)
    assert any(f"The table {world.table}" in aside for aside in page.asides)
    assert world.services.journal.read(batches.stream(batch))[-1].status == "closed"
    assert world.replay() == ([], 0)


def test_a_table_that_models_need_is_only_away(world):
    batch = resolved(world, 50)
    (world.folder / "train").rename(world.folder / "elsewhere")
    with pytest.raises(DataError):
        world.process(batch)
    (world.folder / "elsewhere").rename(world.folder / "train")
    world.run()
    assert world.requests()["X-50"].status == "erased"


@pytest.mark.parametrize("is_told", [False, True])
def test_a_model_lost_between_two_tries_changes_no_certificate(world, monkeypatch, is_told):
    batch = resolved(world, 50)
    with monkeypatch.context() as patch:
        real = certificates._certify_one

        def written(*given):
            real(*given)
            raise TransientError("The store is away.")

        if is_told:
            patch.setattr(mlflow_mirror, "close", away)
        else:
            patch.setattr(certificates, "_certify_one", written)
        with pytest.raises(TransientError):
            world.process(batch)
    before = world.certificate("X-50")
    # MLflow is restored from a copy that lacks the version which forgot.
    world.services.registry.drop_alias("income")
    world.services.registry.client.delete_model_version("income", "3")
    world.set_alias(2)
    world.run()
    assert world.certificate("X-50") == before
    assert world.services.journal.read(batches.stream(batch))[-1].status == "closed"
    assert world.requests()["X-50"].status == "erased"


def test_a_certificate_that_somebody_changed_is_not_ours(world, monkeypatch):
    batch = resolved(world, 50)
    with monkeypatch.context() as patch:
        patch.setattr(mlflow_mirror, "close", away)
        with pytest.raises(TransientError):
            world.process(batch)
    key = certificates.certificate_key("X-50")
    changed = {**world.certificate("X-50"), "tables": []}
    world.store.put(key, json.dumps(changed, indent=2).encode())
    with pytest.raises(ConflictError, match="Another certificate"):
        world.process(batch)


def test_a_hold_on_somebody_who_is_answered_holds_up_nobody(world, monkeypatch):
    batch = resolved(world, 50, 60)
    with monkeypatch.context() as patch:
        patch.setattr(mlflow_mirror, "close", away)
        with pytest.raises(TransientError):
            world.process(batch)
    world.deliver_again(50)
    world.hold(50)
    world.run()
    assert world.services.journal.read(batches.stream(batch))[-1].status == "closed"
    assert world.requests()["X-50"].status == "erased"
    assert 50 in world.there()
    assert world.replay()[1] == 1  # for the next run, where the hold counts


@pytest.mark.parametrize("is_late", [False, True])
def test_who_is_delivered_while_the_batch_is_at_work_is_erased_too(world, is_late):
    batch = resolved(world, 50, 900)
    world.unlearn(batch, "income")
    suppression_list.suppress(world.services, batch)
    erasure.erase_rows(world.services, batch, world.table)
    if is_late:
        erasure.purge_files(world.services, batch, world.table)
    write_deltalake(world.table, rows(1, first=900), mode="append")
    with pytest.raises(ConflictError, match="who had none"):
        resolution.close_search(world.services, batch)
    world.run()
    assert world.requests()["X-900"].status == "erased"
    assert not world.there() & {50, 900}
    first, second = world.certificate("X-50"), world.certificate("X-900")
    assert [t["rows_of_this_request"] for t in first["tables"]] == [1]
    assert [t["rows_of_this_request"] for t in second["tables"]] == [1]
    (table,) = second["tables"]
    assert table["rows_matched"] == 2
    assert table["rows_after"] == table["rows_before"] - 2 + table["rows_appended"]
    assert world.enrolled().dataset_version == DeltaTable(world.table).version()
    assert world.replay() == ([], 0)


def test_a_model_without_the_alias_is_enrolled_with_a_warning_and_then_nothing_runs(world, caplog):
    version = world.champion()
    world.services.registry.drop_alias("income")
    enroll.adopt_version(world.services, world.source(), version, trust_pickle=False)
    assert "No version of income holds the alias 'champion'" in caplog.text
    with pytest.raises(DataError, match="Until then all requests wait"):
        steps.served_models.fn()
    world.set_alias(version)
    caplog.clear()
    enroll.adopt_version(world.services, world.source(), version, trust_pickle=False)
    assert "holds the alias" not in caplog.text
    assert steps.served_models.fn() == ["income"]
