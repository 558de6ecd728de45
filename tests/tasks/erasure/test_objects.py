"""Objects that rows point to go with the rows, and nothing else does."""

import shutil

import pytest
from object_world import ObjectWorld, key_of, photo
from small_tables import MARK, subject
from worked_on import resolved

from flows import planned_run
from tasks.attempts import inputs, planning
from tasks.erasure import objects
from tasks.intake.object_lists import object_lists
from tasks.journal.reading import read_batch
from tasks.store.files import FileStore
from unlearning.errors import DataError, SnapshotChangedError

pytestmark = pytest.mark.filterwarnings("ignore")


def named(services):
    """Keys of the store that name somebody, in their name or in their bytes."""
    found = {info.key: services.store.get(info.key) for info in services.store.list_objects("")}
    return [key for key, data in found.items() if MARK in key or MARK.encode() in data]


def test_objects_go_with_the_rows_and_come_back_with_nobody(services, tmp_path, caplog):
    (tmp_path / "tables").mkdir()
    world = ObjectWorld(services, tmp_path / "tables", (tmp_path / "photos").as_uri())
    world.point(7, "both.png")
    world.point(900, "both.png")  # of somebody else, who stays
    world.objects.put("both.png", photo([1] * 40))
    world.objects.put("orphan.png", b"x")
    for name in ("tables/train", "photos"):
        shutil.copytree(tmp_path / name, tmp_path / "as-it-was" / name)
    batch = resolved(world, 4, 5, 7)
    planned = planning.plan(services, batch, "income")
    assert planned is not None
    world.objects.put(key_of(4), photo([1] * 40))
    with pytest.raises(SnapshotChangedError, match="what its rows point to"):
        inputs.inputs(services, planned)
    assert planning.plan(services, batch, "income").forget_digest != planned.forget_digest
    world.run()
    left = world.keys()
    assert left.isdisjoint(map(key_of, (4, 5, 7)))
    assert left > {"both.png", "orphan.png", *map(key_of, (3, 6, 8))}
    (table,) = world.certificate("X-5")["tables"]
    assert table["objects"] == [
        {
            "prefix": world.prefix,
            "objects_erased": 3,
            "objects_shared": 1,
            "objects_missing": 0,
            "objects_left_over": 0,
        }
    ]
    said = " ".join(world.certificate("X-4")["not_proven"])
    assert "others that show the person" in said
    assert "rows of others point to them too" in said
    assert named(services) == []
    assert MARK not in caplog.text

    for name in ("tables/train", "photos"):
        shutil.rmtree(tmp_path / name)
        shutil.copytree(tmp_path / "as-it-was" / name, tmp_path / name)
    assert world.replay()[1] == 3
    world.run()
    assert world.keys() == left


def killed(*_):
    raise KeyboardInterrupt


def test_a_run_that_was_killed_between_rows_and_objects_goes_on(pointing, monkeypatch):
    pointing.point(3, "second.png")
    pointing.objects.put("second.png", b"x")
    with monkeypatch.context() as patch:
        patch.setattr(objects, "versions_left", killed)
        with pytest.raises(KeyboardInterrupt):
            pointing.erase()
    (noted,) = object_lists(pointing.services, "b")
    assert set(noted.keys) == {key_of(3), key_of(70), "second.png"} < pointing.there()
    real = FileStore.delete

    def delete(store, key):
        real(store, key)
        if store.uri == pointing.prefix:
            killed()

    with monkeypatch.context() as patch:
        patch.setattr(FileStore, "delete", delete)
        with pytest.raises(KeyboardInterrupt):
            pointing.erase()
    (done,) = pointing.erase()
    assert (done.erased, done.shared, done.missing, done.left_over) == (3, 0, 0, 0)
    assert not pointing.there() & {*noted.keys}
    assert pointing.erase() == [done]


def test_rows_that_come_again_make_another_round(pointing):
    pointing.erase()
    pointing.objects.put(key_of(3), photo([0] * 40))
    pointing.point(3, f"{pointing.prefix}/{key_of(3)}")
    first, second = pointing.erase()
    assert (first.erased, second.erased) == (2, 1)
    assert key_of(3) not in pointing.there()


def test_the_plan_of_a_run_deletes_no_objects_of_a_batch_that_stopped(pointing):
    pointing.batch.erase()
    planned_run._Walk(pointing.services).erase_objects("b")  # noqa: SLF001
    assert {key_of(3), key_of(70)} <= pointing.there()


def test_an_address_of_something_else_stops_a_batch_before_a_row_is_deleted(pointing):
    pointing.point(3, "file:///etc/passwd")
    with pytest.raises(DataError, match=r"1 rows of .* not below") as refused:
        pointing.erase()
    assert MARK not in str(refused.value)
    assert read_batch(pointing.services.journal, "b").tables == {}


def test_a_folder_or_a_loop_stops_a_batch_before_a_row_is_deleted(pointing, tmp_path):
    pointing.objects.put("album/x.png", b"x")
    pointing.point(3, "album")
    with pytest.raises(DataError, match=r"1 addresses below .* a folder"):
        pointing.erase()
    loop = tmp_path / "photos" / f"{MARK}.png"
    loop.symlink_to(loop.name)
    pointing.point(3, loop.name)
    with pytest.raises(DataError, match=r"1 links lie below") as refused:
        pointing.erase()
    assert MARK not in str(refused.value)
    assert read_batch(pointing.services.journal, "b").tables == {}
    assert "album/x.png" in pointing.there()


def test_a_link_by_which_rows_of_others_name_an_object_stops_a_batch(pointing, tmp_path):
    pointing.objects.put("album/both.png", b"x")
    (tmp_path / "photos" / "link").symlink_to("album")
    pointing.point(3, "album/both.png")
    pointing.point(900, "link/both.png")
    with pytest.raises(DataError, match=r"1 links lie below"):
        pointing.erase()
    assert read_batch(pointing.services.journal, "b").tables == {}
    assert "album/both.png" in pointing.there()


def test_every_version_in_a_bucket_goes(pointing_to_bucket):
    pointing = pointing_to_bucket
    client, bucket = pointing.objects.client, pointing.objects.bucket
    client.put_object(Bucket=bucket, Key=f"people/photos/{key_of(3)}", Body=b"newer")
    client.delete_object(Bucket=bucket, Key=f"people/photos/{key_of(70)}")
    client.create_multipart_upload(Bucket=bucket, Key=f"people/photos/{key_of(70)}")
    (done,) = pointing.erase()
    assert (done.erased, done.missing) == (2, 0)
    for number in (3, 70):
        found = client.list_object_versions(
            Bucket=bucket, Prefix=f"people/photos/{subject(number)}"
        )
        assert not found.get("Versions")
        assert not found.get("DeleteMarkers")
    assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")
    assert len(pointing.there()) == 79
