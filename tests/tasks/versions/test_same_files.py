"""Copies that were downloaded and logged anew are found by the bytes of their weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from logged_models import log_model

from tasks.enrolling import enroll
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.versions import VersionExamined
from tasks.registry import all_versions, artifacts
from tasks.registry.downloads import downloaded
from tasks.versions import copies, retirement, same_files
from tasks.versions.old_versions import read_version_history
from unlearning.training.architectures import mlp

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")


def logged_anew(world, version, name, alias=""):
    """The files of a version of ours, in a run of somebody else and without a tag."""
    client = world.services.registry.client
    experiment = client.create_experiment(f"of {name}")
    run = client.create_run(experiment).info
    with downloaded(world.services.settings, f"models:/income/{version}") as folder:
        client.log_artifacts(run.run_id, str(folder), "model")
    client.create_registered_model(name)
    made = client.create_model_version(name, f"{run.artifact_uri}/model", run_id=run.run_id)
    if alias:
        client.set_registered_model_alias(name, alias, made.version)


def put_anew(world, data, inside, name="theirs"):
    """A version of somebody else with these bytes at a place of its own choice."""
    client = world.services.registry.client
    run = client.create_run(client.create_experiment(f"of {name}")).info
    folder, _, file = f"model/{inside}".rpartition("/")
    (world.folder / file).write_bytes(data)
    client.log_artifact(run.run_id, str(world.folder / file), folder)
    client.create_registered_model(name)
    client.create_model_version(name, f"{run.artifact_uri}/model", run_id=run.run_id)


def weights(world, version=1):
    """The bytes of our weights, and where they lie in their version."""
    with downloaded(world.services.settings, f"models:/income/{version}") as folder:
        (file,) = folder.rglob("*.pt2")
        return file.read_bytes(), str(file.relative_to(folder))


def seen(world):
    found = copies.copies(world.services, "income")
    return [(one.model, one.version, one.original, one.is_by_files) for one in found]


def test_a_copy_without_source_and_tag_raises_an_alarm(world):
    logged_anew(world, 1, "theirs", alias="live")
    logged_anew(world, 2, "forgot", alias="live")
    (alarm,) = retirement.retire(world.services, "income")
    assert "theirs version 1 has the alias live and holds the weights of income version 1" in alarm
    assert seen(world) == [("theirs", 1, 1, True)]


def test_a_file_that_comes_with_a_model_is_none_of_its_weights(world):
    """A scaler that two models share makes neither a copy of the other."""
    (scaler := world.folder / "scaler.pkl").write_bytes(b"mean and deviation")
    (code := world.folder / "helpers").mkdir()
    (code / "table.bin").write_bytes(b"a lookup table")
    beside: Any = {"extra_files": [str(scaler)], "code_paths": [str(code)]}
    mine = log_model(world.services, mlp(40, (8,), 2, seed=3), form="pt2", **beside)
    enroll.enroll_version(world.services, world.source(), mine, trust_pickle=False, trust_code=True)
    world.submit("next", [30])
    world.run()
    other = mlp(40, (5,), 2, seed=4)
    log_model(world.services, other, form="pt2", model="theirs", **beside)
    same_files.examine(world.services, "income")
    assert seen(world) == []


def test_weights_that_are_added_later_to_a_version_in_service_are_found(world):
    put_anew(world, b"a readme", "readme.bin")
    client = world.services.registry.client
    client.set_registered_model_alias("theirs", "live", "1")
    same_files.examine(world.services, "income")
    assert seen(world) == []
    before = world.effects()
    same_files.examine(world.services, "income")
    assert world.effects() == before
    place = Path(unquote(urlsplit(client.get_model_version("theirs", "1").source).path))
    for _ in range(2):
        (place / "later.pt").write_bytes(weights(world)[0])
        same_files.examine(world.services, "income")
        assert seen(world) == [("theirs", 1, 1, True)]
        (place / "later.pt").unlink()
        same_files.examine(world.services, "income")
        assert seen(world) == []
    client.delete_registered_model("theirs")
    same_files.examine(world.services, "income")
    assert seen(world) == []


@pytest.mark.parametrize("inside", ["extra_files/model.pth", "code/w.pt", "data/old.backup"])
def test_weights_that_were_put_elsewhere_or_renamed_are_found(world, inside):
    put_anew(world, weights(world)[0], inside)
    same_files.examine(world.services, "income")
    assert seen(world) == [("theirs", 1, 1, True)]


def test_a_version_listed_by_names_of_weights_alone_is_listed_again(world):
    put_anew(world, weights(world)[0], "extra_files/model.pth")
    (one,) = (
        v for v in all_versions.listed_versions(world.services.registry) if v.model != "income"
    )
    before = VersionExamined(
        model=one.model, version=one.version, source=one.source, sizes={}, digests={}
    )
    world.services.journal.append(model_stream("income"), "examined/before", before)
    same_files.examine(world.services, "income")
    assert seen(world) == [("theirs", 1, 1, True)]


def test_weights_of_other_libraries_may_have_any_name(world):
    data, path = weights(world)
    put_anew(world, data, "model.json")
    same_files.examine(world.services, "income")
    versions = read_version_history(world.services, "income")
    files = versions.model.weights.files
    files[1]["model.json"] = files[1].pop(path)
    files[1]["MLmodel"] = files[1]["model.json"]
    listed = all_versions.listed_versions(world.services.registry)
    assert same_files.same_files(versions, listed) == {}
    spec = replace(versions.enrollment.dataset, types=("double",))
    versions = replace(versions, enrollment=replace(versions.enrollment, dataset=spec))
    found = same_files.same_files(versions, listed)
    assert {(one.model, number) for one, number in found.items()} >= {("theirs", 1)}


def test_what_was_looked_into_is_read_no_second_time(world, monkeypatch):
    logged_anew(world, 1, "theirs")
    assert retirement.retire(world.services, "income") == []
    (note,) = copies.notes(world.services, "income")
    assert "theirs version 1 holds the weights of income version 1" in note
    before = world.effects()
    for name in ("sizes", "digest"):
        monkeypatch.setattr(artifacts, name, lambda *_: pytest.fail("read again"))
    retirement.retire(world.services, "income")
    assert world.effects() == before


def test_a_file_of_another_size_is_not_downloaded(world, monkeypatch):
    monkeypatch.setattr(artifacts, "digest", lambda *_: pytest.fail("downloaded"))
    client = world.services.registry.client
    run = client.create_run(client.create_experiment("small")).info
    client.log_text(run.run_id, "x", "model/data/model.pt2")
    client.create_registered_model("small")
    client.create_model_version("small", f"{run.artifact_uri}/model")
    same_files.examine(world.services, "income")
    assert seen(world) == []


@pytest.mark.parametrize("source", ["nowhere", "nobody://bucket/model", "sftp://host/model"])
def test_a_version_that_cannot_be_read_holds_up_nothing(world, source):
    """Nobody installed what reads the last one."""
    client = world.services.registry.client
    client.create_registered_model("lost")
    client.create_model_version("lost", source if ":" in source else f"{world.folder}/{source}")
    logged_anew(world, 1, "theirs")
    retirement.retire(world.services, "income")
    assert ("theirs", 1, 1, True) in seen(world)


def test_no_password_of_an_address_comes_into_the_journal(world):
    client = world.services.registry.client
    client.create_registered_model("far")
    client.create_model_version("far", "https://anna:s3cret@host:8443/model?sig=t0ken")
    same_files.examine(world.services, "income")
    one = next(v for v in all_versions.listed_versions(world.services.registry) if v.model == "far")
    same_files._note(world.services, "income", one, {}, {})  # noqa: SLF001 - as if it answered
    kept = b"".join(world.store.get(i.key) for i in world.store.list_objects("journal/"))
    assert b"https://host:8443/model" in kept
    assert not any(word in kept for word in (b"anna", b"s3cret", b"t0ken"))


def test_certificates_name_the_copy(world):
    logged_anew(world, 1, "theirs")
    world.submit("next", [30])
    world.run()
    (model,) = world.certificate("next-30")["models"]
    assert [(c["model"], c["is_by_files"]) for c in model["copies"]] == [("theirs", True)]
