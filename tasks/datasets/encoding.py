"""Table rows as what models read: inputs and labels, by the specification of their data set.

Letters: N rows, F numbers of one row.
"""

from collections.abc import Sequence
from math import prod

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from tasks.datasets.images import is_bytes, pixels
from tasks.datasets.objects import with_objects
from tasks.datasets.preparations import LARGEST_WHOLE, prepared
from tasks.datasets.texts import token_ids
from tasks.environment.settings import Settings
from tasks.journal.events.enrollment import DatasetSpec
from tasks.registry.opaque.cells import encoded
from tasks.tables.subject_ids import is_text
from unlearning.errors import UnfitRowsError
from unlearning.model.rows import TensorRows


def to_tensors(
    table: pa.Table, spec: DatasetSpec, settings: Settings | None = None
) -> tuple[Tensor, Tensor]:
    """Inputs float32 [N, *shape] and labels int64 [N]; texts as the ids of their tokens.

    The settings say where tokenizer and objects behind addresses lie, and where images are decoded;
    nothing else needs them.

    Where the model takes rows as the table has them, inputs are float64 [N, F], and features may be
    missing (`tasks.registry.opaque.cells`). Where the label is a number to be predicted, it is the
    last of F + 1 numbers of a flat row, and every row is of class 1 (`unlearning.model.adapted`).

    Raises:
        UnfitRowsError: a value is missing, a label is none of the classes, or rows have another
            number of features than they should.
    """
    if settings is not None:
        table = with_objects(table, spec, settings)
    whole = () if spec.types or spec.preparation else spec.features
    if any(table[name].null_count for name in (*whole, spec.label)):
        raise UnfitRowsError(
            f"A feature or label is missing in {spec.uri}; fill or drop such rows."
        )
    if spec.types:
        inputs = encoded(table, spec.features, spec.types)
    else:
        inputs = torch.from_numpy(_matrix(table, spec, settings))
        inputs = inputs if has_images_beside(table.schema, spec) else inputs.div_(spec.scale)
    if spec.shape and len(inputs) and not spec.inputs:
        if inputs.shape[1] != prod(spec.shape):
            raise UnfitRowsError(
                f"Rows of {spec.uri} have {inputs.shape[1]} features, which do not make the shape "
                f"{list(spec.shape)}; change --shape or --features."
            )
        if spec.target == "class":
            inputs = inputs.reshape(-1, *spec.shape)
    if spec.target == "number":
        return _with_numbers(inputs, table, spec)
    return inputs, torch.from_numpy(class_numbers(table[spec.label], spec))


def feature_values(inputs: Tensor, spec: DatasetSpec) -> Tensor:
    """The features alone, [N, F], of inputs that `to_tensors` gave."""
    flat = inputs.flatten(1)
    return flat[:, :-1] if spec.target == "number" else flat


def class_numbers(labels: pa.ChunkedArray | pa.Array, spec: DatasetSpec) -> np.ndarray:
    """The class of each label, int64 [N]: its place among `spec.classes`, or the label itself.

    Raises:
        UnfitRowsError: a label is none of the classes.
    """
    if not spec.classes and is_text(labels.type):
        raise UnfitRowsError(
            f"The labels of {spec.uri} are text, and the model does not say which class is which; "
            "name its classes in the order of its scores with --classes."
        )
    if not spec.classes:
        return labels.to_numpy(zero_copy_only=False).astype(np.int64)
    places = pc.index_in(  # pyright: ignore[reportAttributeAccessIssue] - made as it is imported
        class_texts(labels), value_set=pa.array(spec.classes, pa.string())
    )
    if places.null_count:
        raise UnfitRowsError(
            f"{places.null_count} rows of {spec.uri} have a label that is none of the classes "
            f"named; name all of them with --classes, or mend the column {spec.label!r}."
        )
    return places.to_numpy(zero_copy_only=False).astype(np.int64)


def class_texts(labels: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Labels as text, as `spec.classes` names them, of whichever type they are stored in."""
    if pa.types.is_dictionary(labels.type):
        labels = labels.cast(labels.type.value_type)
    return labels.cast(pa.string())


def has_images_beside(schema: pa.Schema, spec: DatasetSpec) -> bool:
    """Whether images are among several named inputs: shape and scale are theirs alone."""
    return any(are_bytes(schema, n, spec) for one in spec.inputs for n in one.columns)


def are_bytes(schema: pa.Schema, name: str, spec: DatasetSpec) -> bool:
    """Whether a feature is read as bytes, be they in its column or behind addresses."""
    return spec.is_address(name) or is_bytes(schema.field(name).type)


def joined(parts: Sequence[tuple[Tensor, Tensor]], spec: DatasetSpec) -> TensorRows:
    """The rows of all parts, at least one.

    Raises:
        UnfitRowsError: they have different numbers of features.
    """
    if len({inputs.shape[1:] for inputs, _ in parts}) > 1:
        raise ragged(spec)
    inputs, labels = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return TensorRows(inputs, labels)


def ragged(spec: DatasetSpec) -> UnfitRowsError:
    """What to say of rows of different lengths."""
    return UnfitRowsError(
        f"Rows of {spec.uri} have missing features or different numbers of them; mend them."
    )


def is_list(kind: pa.DataType) -> bool:
    """Whether a column of this type holds lists."""
    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _with_numbers(inputs: Tensor, table: pa.Table, spec: DatasetSpec) -> tuple[Tensor, Tensor]:
    wanted = inputs.numpy().dtype
    numbers = table[spec.label].to_numpy(zero_copy_only=False).astype(wanted)
    if not np.isfinite(numbers).all():
        raise UnfitRowsError(
            f"A label in {spec.uri} is not a finite number; mend the column {spec.label!r}."
        )
    flat = inputs.reshape(len(numbers), -1)
    rows = torch.cat([flat, torch.from_numpy(numbers).unsqueeze(1)], dim=1)
    return rows, torch.ones(len(numbers), dtype=torch.int64)


def _matrix(table: pa.Table, spec: DatasetSpec, settings: Settings | None) -> np.ndarray:
    if not table.num_rows:
        return np.zeros((0, 0), dtype=np.float32)
    if spec.preparation and settings is not None:
        arrays = prepared(table, spec, settings).values()
        flat = [one.reshape(len(one), -1).astype(np.float32) for one in arrays]
        return np.concatenate(flat, axis=1)
    first = table[spec.features[0]].combine_chunks()
    if spec.tokenizer and settings is not None:
        return token_ids(first, spec.tokenizer, settings).astype(np.float32)
    if is_text(first.type):
        raise UnfitRowsError(
            f"Column {spec.features[0]!r} of {spec.uri} holds texts, which only a model with a "
            "tokenizer of its own reads; name columns of numbers with --features."
        )
    order = [name for one in spec.inputs for name in one.columns] or spec.features
    blocks = [_block(table[name].combine_chunks(), name, spec, settings) for name in order]
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)


def _block(column: pa.Array, name: str, spec: DatasetSpec, settings: Settings | None) -> np.ndarray:
    """The numbers of one column, float32 [N, as many as a list or an image of it has]."""
    if is_bytes(column.type):
        assert settings is not None
        found = pixels(column, spec.shape, spec.uri, settings)
        return found / np.float32(spec.scale) if spec.inputs else found
    if not is_list(column.type):
        values = column.to_numpy(zero_copy_only=False)
        return _checked(values, name, spec).reshape(len(column), 1)
    lengths = column.value_lengths().unique()
    values = column.flatten()
    if len(lengths) > 1 or values.null_count:
        raise ragged(spec)
    found = _checked(values.to_numpy(zero_copy_only=False), name, spec)
    return found.reshape(len(column), -1)


def _checked(values: np.ndarray, name: str, spec: DatasetSpec) -> np.ndarray:
    """The values in float32, which holds all whole numbers up to 2^24 and no more."""
    found = values.astype(np.float32)
    if (
        name in spec.whole
        and not (
            (values == np.round(values)) & (np.abs(found) <= LARGEST_WHOLE) & (found == values)
        ).all()
    ):
        raise UnfitRowsError(
            f"A feature {name!r} in {spec.uri} is no whole number up to {LARGEST_WHOLE:,}, which "
            "the model takes alone; mend that column, or number its entries anew from 0."
        )
    return found


def widths(table: pa.Table, spec: DatasetSpec) -> list[int]:
    """How many numbers of a row go into each of the named inputs; there is at least one row."""

    def width(name: str) -> int:
        column = table[name]
        if is_bytes(column.type):
            return prod(spec.shape)
        return len(column[0].as_py()) if is_list(column.type) else 1

    return [sum(map(width, one.columns)) for one in spec.inputs]
