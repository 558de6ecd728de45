"""What is left of an object is counted, in a directory as in a bucket."""

from tasks.store.kept_versions import locked, locks_all, versions_left


def test_an_object_is_left_until_it_is_deleted_and_its_neighbour_does_not_count(any_store):
    any_store.put("a/photo.png", b"1")
    any_store.put("a/photo.png.old", b"1")
    assert versions_left(any_store, "a/photo.png") == 1
    any_store.delete("a/photo.png")
    assert versions_left(any_store, "a/photo.png") == 0
    assert versions_left(any_store, "a") == 0 if any_store.uri.startswith("s3:") else True


def test_versions_and_markers_of_a_bucket_count(s3_bucket, services):
    from tasks.store.opening import open_store

    store = open_store(f"s3://{s3_bucket}/p", services.settings)
    for data in (b"1", b"2"):
        store.put("a", data)
    store.client.delete_object(Bucket=s3_bucket, Key="p/a")  # pyright: ignore[reportAttributeAccessIssue]
    assert versions_left(store, "a") == 3


def test_a_link_counts_though_it_leads_nowhere(store, services):
    place = services.settings.home / "store"
    (place / "a").symlink_to(place / "nowhere")
    assert versions_left(store, "a") == 1


def test_without_locks_nothing_is_locked(any_store):
    any_store.put("a", b"1")
    assert locked(any_store, ["a"]) == 0
    assert not locks_all(any_store)
