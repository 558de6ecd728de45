"""Rows of a pinned table as tensors, and what a table must hold for that."""

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable
from torch import Tensor

from tasks.datasets.encoding import class_numbers, is_list, ragged, to_tensors
from tasks.datasets.fragments import TableShare
from tasks.datasets.images import is_bytes, why_no_images
from tasks.datasets.objects import batches_with_objects
from tasks.datasets.streams import cut, read_ahead
from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from tasks.journal.events.enrollment import DatasetSpec
from tasks.tables.delta import arrow_dataset, arrow_schema, matching, open_table
from tasks.tables.subject_ids import is_text, why_no_subject
from unlearning.errors import DataError

_MOST_VALUES = 50
"""Values of a slice column; one with more is rather a name than a group."""


class TableRows:
    """Rows of a table read as a stream, in file order; memory does not grow with their number.

    The next chunks are read and decoded by a thread while the caller works on the one before.
    """

    def __init__(
        self,
        settings: Settings,
        spec: DatasetSpec,
        version: int | None,
        *,
        only: Sequence[str] | None = None,
        without: Sequence[str] = (),
        uri: str | None = None,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        """Open the table.

        Args:
            settings: How the table is reached.
            spec: How its rows become inputs and labels.
            version: Version of the table; None for the newest.
            only: The subjects whose rows are meant; None for all.
            without: The subjects whose rows are left out.
            uri: Another table of the same columns.
            part: Rank and number of ranks: together they read every row once, each its own.
        """
        self._settings, self._spec = settings, spec
        table = open_table(settings, uri or spec.uri, version)
        where = None if only is None else matching(table, spec.subject, only)
        if without:
            where = ~matching(table, spec.subject, without)
        self._share = TableShare(table, where, part)
        self.count = self._share.count

    def chunks(self, size: int) -> Generator[tuple[Tensor, Tensor]]:
        """(inputs, labels) of exactly `size` rows at a time, fewer only at the end.

        Raises:
            UnfitRowsError: a value is missing, or rows have different numbers of features.
        """
        return read_ahead(self._chunks(size))

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """The same rows as the table has them, features and label alone, in the same order.

        Only the bytes of objects stand for their addresses.
        """
        with translated("table"):
            for batch in self._share.batches([*self._spec.features, self._spec.label], size):
                yield from batches_with_objects(batch, self._spec, self._settings)

    def _chunks(self, size: int) -> Generator[tuple[Tensor, Tensor]]:
        if size < 1:
            raise ValueError(f"The chunk size is {size}; give at least 1.")
        width: int | None = None
        with translated("table"):
            batches = self._share.batches([*self._spec.features, self._spec.label], size)
            for table in cut(batches, size):
                inputs, labels = to_tensors(table, self._spec, self._settings)
                width = width or inputs[0].numel()
                if inputs[0].numel() != width:
                    raise ragged(self._spec)
                yield inputs, labels


def label_counts(settings: Settings, spec: DatasetSpec, version: int | None) -> Counter[int]:
    """Rows of the table by class; cost: one pass over the label column, in memory of a batch.

    Where the label is a number to be predicted, every row is of class 1.
    """
    if spec.target == "number":
        return Counter({1: open_table(settings, spec.uri, version).count()})
    counts: Counter[int] = Counter()
    with translated("table"):
        for batch in arrow_dataset(open_table(settings, spec.uri, version)).to_batches(
            columns=[spec.label]
        ):
            found, numbers = np.unique(class_numbers(batch[spec.label], spec), return_counts=True)
            counts.update(dict(zip(found.tolist(), numbers.tolist(), strict=True)))
    return counts


def check_columns(
    settings: Settings, spec: DatasetSpec, version: int | None, holdout: str = ""
) -> None:
    """Refuse a specification that its table does not fit, nor the newest holdout if one is named.

    Cost: the schema; with slices also a pass over their columns, ended at the first refusal.

    Raises:
        DataError: a column is missing or has a type that cannot be used, or a slice names people
            or has more than 50 values.
    """
    for error in column_errors(settings, spec, version, holdout):
        raise error


def column_errors(
    settings: Settings, spec: DatasetSpec, version: int | None, holdout: str = ""
) -> Iterator[DataError]:
    """Everything for which `check_columns` refuses the specification."""
    tables = {spec.uri: open_table(settings, spec.uri, version)}
    if holdout:
        tables[holdout] = open_table(settings, holdout)
    schemas = {uri: arrow_schema(table) for uri, table in tables.items()}
    missing = list(_missing(spec, {uri: schema.names for uri, schema in schemas.items()}))
    yield from missing
    for uri, table in tables.items():
        yield from _type_errors(spec, {f.name: f.type for f in schemas[uri]})
        if spec.slices and not missing:
            try:
                _check_slices(replace(spec, uri=uri), table, schemas[uri])
            except DataError as error:
                yield error


def _missing(spec: DatasetSpec, columns: Mapping[str, Sequence[str]]) -> Iterator[DataError]:
    """Columns that are not there; what several tables lack is told once."""
    flags = {spec.label: "--label", spec.subject: "--subject-column"}
    flags |= dict.fromkeys(spec.slices, "--slices") | dict.fromkeys(spec.features, "--features")
    flags |= dict.fromkeys((one.column for one in spec.objects), "--objects")
    for name, flag in flags.items():
        lacking = [uri for uri, names in columns.items() if name not in names]
        if not lacking:
            continue
        there = [one for one in columns[lacking[0]] if all(one in columns[u] for u in lacking)]
        have, they = ("has", "it has") if len(lacking) == 1 else ("have", "both have")
        yield DataError(
            f"{' and '.join(lacking)} {have} no column {name!r}; {they} {', '.join(there)}.",
            line=f"{flag} COLUMN{'=PREFIX' if flag == '--objects' else ''}",
        )


def _type_errors(spec: DatasetSpec, kinds: Mapping[str, pa.DataType]) -> Iterator[DataError]:
    """What is wrong with the types of the columns that are there."""
    # What a model takes as the table has it was looked at by `tasks.registry.opaque.cells`.
    is_free = bool(spec.types or spec.preparation)
    addresses = {one.column: kinds.get(one.column, pa.string()) for one in spec.objects}
    for name in (n for n, kind in addresses.items() if not is_text(kind)):
        yield DataError(f"Column {name!r} must hold the addresses of objects as text.")
    kinds = {**kinds, **dict.fromkeys(addresses, pa.large_binary())}
    features = [] if is_free else [kinds[name] for name in spec.features if name in kinds]
    for name in (n for n in spec.features if n in kinds and not is_free):
        if why := _why_no_feature(name, kinds[name], spec):
            yield DataError(f"Feature column {name!r} {why}.")
    if spec.inputs and spec.shape and not any(map(is_bytes, features)):
        yield DataError(
            "Beside [inputs] --shape is that of images, and no column of them holds any; leave it "
            "out."
        )
    if spec.label in kinds:
        yield from _label_errors(spec, kinds[spec.label])
    if why := why_no_subject(kinds.get(spec.subject, pa.string())):
        yield DataError(f"Subject column {spec.subject!r} {why}; name a column of ids.")
    if len(spec.features) > 1 and any(map(is_list, features)) and not spec.inputs:
        yield DataError("Name one list column, or several numeric columns, not a mixture.")


def _why_no_feature(name: str, kind: pa.DataType, spec: DatasetSpec) -> str:
    if len(spec.features) == 1 and is_text(kind):
        return ""  # `tasks.enrolling.texts` sees whether the model has a tokenizer for it
    is_alone = len(spec.features) == 1 or any(one.columns == (name,) for one in spec.inputs)
    if is_alone and is_bytes(kind):
        return why_no_images(spec.shape)
    kind = kind.value_type if is_list(kind) else kind
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or kind == pa.bool_()
    return "" if is_number else "must hold numbers, or lists of numbers"


def _label_errors(spec: DatasetSpec, kind: pa.DataType) -> Iterator[DataError]:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if spec.target == "number" and not is_number:
        yield DataError(f"Label column {spec.label!r} must hold the numbers that are predicted.")
    if spec.target == "number" or pa.types.is_integer(kind):
        return
    if not spec.classes and not spec.types:
        yield DataError(
            f"Label column {spec.label!r} must hold integers from 0, or its values must be named "
            "in the order of the model's scores.",
            line="--classes A B",
        )
    elif not (is_text(kind) or kind == pa.bool_()):
        yield DataError(f"Label column {spec.label!r} must hold integers, text or booleans.")


def _check_slices(spec: DatasetSpec, table: DeltaTable, schema: pa.Schema) -> None:
    if spec.subject in spec.slices:
        raise DataError(
            f"The slice column {spec.subject!r} names the data subjects, whose ids would stand in "
            "the evidence; leave it out of --slices."
        )
    for name in spec.slices:
        kind = schema.field(name).type
        if not (pa.types.is_integer(kind) or kind == pa.bool_() or is_text(kind)):
            raise DataError(f"Slice column {name!r} must hold strings, integers or booleans.")
    found: dict[str, set[Any]] = {name: set() for name in spec.slices}
    with translated("table"):
        for batch in arrow_dataset(table).to_batches(columns=list(found)):
            for name, values in found.items():
                values.update(batch[name].unique().to_pylist())
                if len(values) > _MOST_VALUES:
                    raise DataError(
                        f"Slice column {name!r} of {spec.uri} has more than {_MOST_VALUES} values, "
                        "so that some may point at single people; leave it out of --slices."
                    )
