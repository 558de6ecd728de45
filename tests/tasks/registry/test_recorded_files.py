"""Files are those on record, or they are refused before anything reads them."""

from hashlib import sha256

import pytest

from tasks.registry.recorded_files import file_digests, refuse_changed
from unlearning.errors import ChangedWeightsError

FILES = {"MLmodel": b"flavors", "data/model.pt2": b"weights", "code/net.py": b"class Net: ..."}
ROWS = {"input_example.json": b"[[1, 0]]", "serving_input_example.json": b"{}"}


def write(folder, files):
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def test_every_file_has_a_digest_but_for_rows_of_people_and_notes_of_the_download(tmp_path):
    write(tmp_path, FILES | ROWS | {"registered_model_meta": b"model_name: income"})
    found = file_digests(tmp_path)
    assert found.keys() == FILES.keys()
    assert found["MLmodel"] == sha256(b"flavors").hexdigest()


def exchanged(files):
    return files | {"data/model.pt2": b"others"}


def added(files):
    return files | {"code/other.py": b"import os"}


def removed(files):
    return {path: data for path, data in files.items() if path != "code/net.py"}


@pytest.mark.parametrize("change", [exchanged, added, removed])
def test_a_file_that_was_changed_added_or_removed_is_named(tmp_path, change):
    write(tmp_path / "before", FILES)
    write(tmp_path / "now", change(FILES))
    recorded = file_digests(tmp_path / "before")
    with pytest.raises(ChangedWeightsError, match=r"1 files of income .*(pt2|py) among them"):
        refuse_changed(file_digests(tmp_path / "now"), recorded, "income version 1")


def test_files_as_they_were_are_let_through(tmp_path):
    write(tmp_path, FILES)
    refuse_changed(file_digests(tmp_path), file_digests(tmp_path), "income version 1")
