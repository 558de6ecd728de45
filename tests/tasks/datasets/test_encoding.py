"""Rows as models read them: features in a tensor, labels as classes or as numbers."""

from io import BytesIO

import factories
import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from tasks.datasets import images
from tasks.datasets.encoding import feature_values, joined, to_tensors, widths
from tasks.journal.events.enrollment import DatasetSpec, InputColumns
from unlearning.errors import DataError, UnfitRowsError


def dataset(uri="u", **changes):
    return factories.dataset(uri=uri, **changes)


def test_features_may_be_a_list_or_columns_with_shape_and_scale():
    listed = pa.table({"features": [[0, 255], [255, 0]], "label": [0, 1], "subject_id": ["a", "b"]})
    inputs, labels = to_tensors(
        listed, DatasetSpec("u", ("features",), "label", "subject_id", (1, 2), 255.0)
    )
    assert inputs.tolist() == [[[0.0, 1.0]], [[1.0, 0.0]]]
    assert labels.tolist() == [0, 1]
    columns = pa.table({"x": [1.5, 2.5], "y": [3, 4], "label": [1, 0]})
    assert to_tensors(columns, DatasetSpec("u", ("y", "x"), "label", "s"))[0].tolist() == [
        [3.0, 1.5],
        [4.0, 2.5],
    ]


@pytest.mark.parametrize("features", [[[1], [1, 2]], [[1, 2], None], [[1, None], [1, 2]]])
def test_ragged_or_missing_features_are_refused(features):
    table = pa.table({"features": features, "label": [0, 1]})
    with pytest.raises(DataError):
        to_tensors(table, dataset("u"))


def test_parts_of_different_width_do_not_make_one_table():
    narrow, wide = (torch.zeros(2, n) for n in (3, 4))
    labels = torch.zeros(2, dtype=torch.int64)
    assert joined([(narrow, labels), (narrow, labels)], dataset("u")).count == 4
    with pytest.raises(UnfitRowsError, match="different numbers"):
        joined([(narrow, labels), (wide, labels)], dataset("u"))


@pytest.mark.parametrize(
    ("labels", "classes", "found"),
    [
        (["no", "yes", "no"], ("yes", "no"), [1, 0, 1]),
        ([-1, 1, 1], ("-1", "1"), [0, 1, 1]),
        ([True, False, True], ("false", "true"), [1, 0, 1]),
        (pa.array(["b", "a", "b"]).dictionary_encode(), ("a", "b"), [1, 0, 1]),
    ],
)
def test_labels_of_any_kind_are_places_among_the_classes_named(labels, classes, found):
    table = pa.table({"features": [[1], [2], [3]], "label": labels})
    assert to_tensors(table, dataset(classes=classes))[1].tolist() == found


def test_a_label_that_nobody_named_is_refused_without_being_said():
    table = pa.table({"features": [[1], [2]], "label": ["no", "zq7secret"]})
    with pytest.raises(UnfitRowsError, match="--classes") as refused:
        to_tensors(table, dataset(classes=("no", "yes")))
    assert "zq7secret" not in str(refused.value)


def test_a_number_that_is_predicted_goes_along_with_its_row():
    table = pa.table({"features": [[2, 4], [6, 8]], "label": [0.5, -1.5]})
    spec = dataset(target="number", shape=(1, 2), scale=2.0)
    inputs, labels = to_tensors(table, spec)
    assert inputs.tolist() == [[1.0, 2.0, 0.5], [3.0, 4.0, -1.5]]
    assert labels.tolist() == [1, 1]
    assert feature_values(inputs, spec).tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_a_number_that_is_not_finite_is_refused():
    table = pa.table({"features": [[2], [6]], "label": [0.5, float("nan")]})
    with pytest.raises(UnfitRowsError, match="not a finite number"):
        to_tensors(table, dataset(target="number"))


def test_texts_are_refused_where_no_tokenizer_reads_them():
    table = pa.table({"text": ["a", "b"], "label": [0, 1]})
    with pytest.raises(UnfitRowsError, match="holds texts, which only a model with a tokenizer"):
        to_tensors(table, DatasetSpec("u", ("text",), "label", "s"))


SEVERAL = (InputColumns("item", ("item",)), InputColumns("context", ("ages", "price")))


def several(**changes):
    columns = {"price": [1.5, 2.5], "ages": [[1, 2], [3, 4]], "item": [7, 9], "label": [0, 1]}
    names = ("item", "ages", "price")
    return pa.table(columns | changes), dataset(features=names, inputs=SEVERAL, whole=("item",))


def test_rows_of_several_inputs_are_their_numbers_side_by_side():
    table, spec = several()
    assert to_tensors(table, spec)[0].tolist() == [[7.0, 1.0, 2.0, 1.5], [9.0, 3.0, 4.0, 2.5]]
    assert widths(table, spec) == [1, 3]


def png(values):
    written = BytesIO()
    Image.fromarray(np.array(values, dtype=np.uint8)).save(written, "PNG")
    return written.getvalue()


def test_shape_and_scale_are_those_of_the_image_among_several_inputs(services):
    shown, told = InputColumns("photo", ("photo",)), InputColumns("context", ("price", "age"))
    photos = [png([[0, 255]]), png([[51, 102]])]
    table = pa.table({"photo": photos, "price": [1.5, 2.5], "age": [40, 50], "label": [0, 1]})
    names = ("photo", "price", "age")
    spec = dataset(features=names, inputs=(told, shown), shape=(1, 1, 2), scale=255.0)
    rows, _ = to_tensors(table, spec, services.settings)
    assert rows.numpy() == pytest.approx(np.array([[1.5, 40, 0, 1], [2.5, 50, 0.2, 0.4]]))
    assert widths(table, spec) == [2, 2]
    images.forget()


@pytest.mark.parametrize("items", [[2**24 + 1, 0], [-(2**24) - 1, 0], [1.5, 0.0]])
def test_what_is_no_whole_number_that_a_row_can_hold_is_refused(items):
    table, spec = several(item=items)
    with pytest.raises(UnfitRowsError, match=r"'item' .* no whole number up to 16,777,216"):
        to_tensors(table, spec)
    assert len(to_tensors(several(price=items)[0], spec)[0]) == 2


@pytest.mark.parametrize("items", [[2**24, 0], [7.0, 0.0], [True, False]])
def test_whole_numbers_are_taken_however_they_are_stored(items):
    table, spec = several(item=items)
    assert to_tensors(table, spec)[0][:, 0].tolist() == [float(one) for one in items]


def test_rows_go_as_the_table_has_them_where_its_types_are_named():
    table = pa.table({"job": ["a", None], "age": [41, None], "label": [1, 0]})
    spec = DatasetSpec("u", ("job", "age"), "label", "s", types=("string", "int64"))
    inputs, labels = to_tensors(table, spec)
    assert inputs.dtype == torch.float64
    assert inputs.isnan().tolist() == [[False, False], [True, True]]
    assert labels.tolist() == [1, 0]
    number = DatasetSpec("u", ("job",), "age", "s", types=("string",), target="number")
    rows, _ = to_tensors(table.slice(0, 1), number)
    assert rows[0, -1] == 41


def test_labels_of_text_need_names_for_the_classes():
    table = pa.table({"job": ["a"], "label": ["yes"]})
    with pytest.raises(UnfitRowsError, match="--classes"):
        to_tensors(table, DatasetSpec("u", ("job",), "label", "s", types=("string",)))
