"""An owner's preparation of rows runs confined, and what it gives is looked at."""

from dataclasses import replace

import pyarrow as pa
import pytest

from tasks.datasets import preparations
from tasks.datasets.encoding import to_tensors
from tasks.datasets.preparations import keep_preparation, prepared
from tasks.journal.events.enrollment import DatasetSpec
from unlearning.errors import ConflictError, UnfitRowsError

TABLE = pa.table({"x": [1.0, None, 3.0], "word": ["a", "b", "a"], "label": [0, 1, 0]})
SPEC = DatasetSpec("u", ("x", "word"), "label", "subject_id")


@pytest.fixture(autouse=True)
def _no_workers():
    """Each test has a store of its own, and processes of its own."""
    yield
    preparations.forget()


@pytest.fixture
def made(services):
    """Keeps code of this body; gives what it makes of the table."""

    def make(body, files=None):
        code = f"import numpy as np\n\n\ndef prepare(rows, model):\n    {body}\n"
        key = keep_preparation(services.store, code.encode(), files or {}, "")
        return prepared(TABLE, replace(SPEC, preparation=key), services.settings)

    return make


def test_it_has_the_features_and_the_files_of_the_model_and_nothing_else(made):
    body = (
        'return {"n": np.full(3, len(rows.column_names)), "x": rows["x"].fill_null('
        'float((model / "extra_files/mean.txt").read_text())).to_numpy()}'
    )
    found = made(body, {"extra_files/mean.txt": b"2.5"})
    assert found["x"].tolist() == [1.0, 2.5, 3.0]
    assert found["n"].tolist() == [2, 2, 2]  # no label
    with pytest.raises(UnfitRowsError, match="raises PermissionError in line 5"):
        made("return open('/etc/shadow').read()")


BAD = {
    "fewer rows": ("return np.zeros((2, 1))", "makes 2 rows of 3"),
    "no rows": ("return np.float32(1)", "makes 1 rows of 3"),
    "no numbers": ('return rows["word"].to_pylist()', "in place of numbers"),
    "nothing": ("return None", "in place of numbers"),
    "not finite": ("return np.full((3, 1), np.nan)", "not finite"),
    "too large": ("return np.full(3, 2**24 + 1)", "beyond 16,777,216"),
    "a bad name": ('return {"a b": np.zeros(3)}', "name that is none of an argument"),
    "an error": ("return rows['gone']", "raises KeyError in line 5"),
    "an end": ("import os; os._exit(3)", "ended with status 3"),
}


@pytest.mark.parametrize(("body", "said"), BAD.values(), ids=BAD)
def test_what_it_must_not_do_is_refused_in_one_sentence(made, body, said):
    with pytest.raises(UnfitRowsError, match=said) as caught:
        made(body)
    assert "enrol the model again with --prepare" in str(caught.value)


def test_one_that_hangs_is_ended(made, monkeypatch):
    monkeypatch.setattr(preparations, "_SECONDS", 1.0)
    with pytest.raises(UnfitRowsError, match="did not answer within 1 s"):
        made("import time; time.sleep(600)")


def test_rows_are_what_it_makes_side_by_side_by_name(services):
    code = b"import numpy as np\ndef prepare(rows, model):\n"
    code += b'    return {"b": np.arange(3), "a": np.ones((3, 2))}\n'
    key = keep_preparation(services.store, code, {}, "")
    inputs, labels = to_tensors(TABLE, replace(SPEC, preparation=key), services.settings)
    assert inputs.tolist() == [[1, 1, 0], [1, 1, 1], [1, 1, 2]]
    assert labels.tolist() == [0, 1, 0]


def test_one_that_was_replaced_in_the_store_is_refused(services):
    key = keep_preparation(services.store, b"def prepare(rows, model): ...", {}, "")
    other = keep_preparation(services.store, b"def prepare(rows, model): 0", {}, "")
    preparations.forget()
    services.store.put(key, services.store.get(other))
    with pytest.raises(ConflictError, match="holds another file"):
        prepared(TABLE, replace(SPEC, preparation=key), services.settings)
    services.store.delete(key)
    with pytest.raises(ConflictError, match="is gone from the store"):
        prepared(TABLE, replace(SPEC, preparation=key), services.settings)


def test_the_same_code_and_files_are_kept_once(services):
    files = {"extra_files/a": b"1", "extra_files/b": b"2"}
    one = keep_preparation(services.store, b"code", files, "")
    other = keep_preparation(services.store, b"code", dict(reversed(files.items())), "")
    assert one == other != keep_preparation(services.store, b"code", {}, "")
