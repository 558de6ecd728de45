"""The same files are the same bytes, wherever and whenever they were logged."""

import os

import pytest
from mlflow.models import Model

from tasks.registry.confined.left_files import TooLargeError
from tasks.registry.opaque.archive import description, packed, unpack
from unlearning.errors import MissingDataError


def written(folder, run="a", **files):
    folder.mkdir()
    model = Model(run_id=run, flavors={"sklearn": {"pickled_model": "model.pkl"}})
    model.save(str(folder / "MLmodel"))
    for name, text in {"model_pkl": "weights", **files}.items():
        (folder / name.replace("_", ".", 1)).write_text(text)
    return folder


def test_run_hour_and_input_example_are_no_part_of_it(tmp_path):
    one = written(tmp_path / "one", run="a")
    other = written(tmp_path / "other", run="b")
    (other / "input_example.json").write_text("a row")
    (other / "registered_model_meta").write_text("wages")
    os.utime(other / "model.pkl", (1, 1))
    assert packed(one) == packed(other)
    assert packed(one) != packed(written(tmp_path / "third", model_pkl="other weights"))


def test_it_comes_out_as_it_went_in(tmp_path):
    files = packed(written(tmp_path / "one"))
    unpack(files, tmp_path / "out")
    assert packed(tmp_path / "out") == files
    assert (tmp_path / "out" / "model.pkl").read_text() == "weights"
    assert description(files)["flavors"] == {"sklearn": {"pickled_model": "model.pkl"}}


def test_links_are_not_followed(tmp_path):
    folder = written(tmp_path / "one")
    files = packed(folder)
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "far").symlink_to(tmp_path, target_is_directory=True)
    assert packed(folder) == files


def test_more_bytes_than_are_wanted_are_refused(tmp_path):
    with pytest.raises(TooLargeError):
        packed(written(tmp_path / "one", model_pkl="x" * 100_000), most_bytes=50_000)


@pytest.mark.parametrize("files", [b"", b"no zip"])
def test_what_is_no_model_is_refused(files):
    with pytest.raises(MissingDataError, match="damaged"):
        description(files)


def test_a_damaged_description_is_refused(tmp_path):
    folder = written(tmp_path / "one")
    (folder / "MLmodel").write_text("{")
    with pytest.raises(MissingDataError, match="damaged"):
        packed(folder)
