"""What the process of a preparation gives, asked as it is there."""

from zipfile import ZipFile

import pyarrow as pa
import pytest
from safetensors.numpy import load_file

from tasks.datasets import preparation_process
from tasks.datasets.preparation_process import FILES, MADE, ROWS

MAKES = """\
def prepare(rows, model):
    return {what}
"""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Lays rows, a file and the owner's code into a folder, and asks there."""
    monkeypatch.chdir(tmp_path)
    with ZipFile(FILES, "w") as archive:
        archive.writestr("extra_files/known.txt", "3")
    with pa.ipc.new_file(ROWS, pa.schema({"x": pa.int32()})) as writer:
        writer.write_table(pa.table({"x": pa.array([1, 2], pa.int32())}))

    def ask(what):
        code: dict = {}
        exec(MAKES.format(what=what), code)  # noqa: S102 - the owner's own
        monkeypatch.setattr(preparation_process, "_prepare", lambda: code["prepare"])
        return preparation_process.answer({})

    return ask


def test_a_single_array_has_no_name(asked):
    assert asked('rows["x"].to_numpy() * 0.5') == {"names": [""]}
    (array,) = load_file(MADE).values()
    assert (array.tolist(), str(array.dtype)) == ([0.5, 1.0], "float32")


def test_arrays_have_names_and_plain_types_and_see_the_files_of_the_model(asked):
    known = 'int((model / "extra_files" / "known.txt").read_text())'
    what = f'{{"a": rows["x"].to_numpy() + {known}, "b": rows["x"].to_numpy() > 1}}'
    assert asked(what) == {"names": ["a", "b"]}
    found = load_file(MADE)
    assert (found["0"].tolist(), str(found["0"].dtype)) == ([4, 5], "int64")
    assert (found["1"].tolist(), str(found["1"].dtype)) == ([False, True], "bool")


@pytest.mark.parametrize(("what", "odd"), [('["a", "b"]', "<U1"), ("{}", "nothing")])
def test_what_is_no_number_is_told(asked, what, odd):
    assert asked(what) == {"odd": odd}
