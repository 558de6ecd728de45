"""Adopt a folder of parquet files as a Delta table, in place: no row is written anew."""

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import Schema, convert_to_deltalake
from pyarrow import fs

from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from tasks.store.opening import open_store
from tasks.tables.delta import (
    count_rows,
    is_table,
    keep_ids_out_of_log,
    local_files,
    open_table,
    refuse_links,
    statistics_columns,
    storage_options,
)
from tasks.tables.subject_ids import why_no_subject
from unlearning.errors import DataError
from unlearning.policy.counted import counted

log = logging.getLogger("expunge.conversion")

_READERS = 8
_FOREIGN = {"metadata/": "an Iceberg table", ".hoodie/": "a Hudi table"}


def convert_table(settings: Settings, uri: str, subject: str) -> dict[str, Any]:
    """Make a folder of parquet files a Delta table whose log names nobody; safe to repeat.

    The files stay as they are. Cost: their footers, and one pass over columns of a type that Delta
    does not have.

    Raises:
        DataError: the folder holds something else, or values that Delta cannot hold.
    """
    place = urlsplit(uri)
    if place.scheme == "file" and Path(url2pathname(place.path)).is_file():
        raise DataError(f"{uri} is a file; give the folder of parquet files that it lies in.")
    refuse_links(settings, uri)
    if not is_table(settings, uri):
        _convert(settings, uri, subject)
    table = open_table(settings, uri)
    if subject not in [field.name for field in table.schema().fields]:
        raise DataError(f"{uri} has no column {subject!r}; name another with --subject-column.")
    keep_ids_out_of_log(table, subject)
    table = open_table(settings, uri)
    facts = {"table": uri, "version": table.version(), "files": len(table.file_uris())}
    return {**facts, "rows": count_rows(table)}


def _convert(settings: Settings, uri: str, subject: str) -> None:
    names = _parquet_files(settings, uri)
    partitions = _partitions(uri, names, subject)
    with translated("table"):
        data = _dataset(settings, uri, names, partitions)
    _check_schemas(uri, data, partitions, subject)
    _check_values(uri, data)
    with translated("table"):
        convert_to_deltalake(
            uri,
            mode="ignore",
            partition_by=Schema.from_arrow(_part(data.schema, partitions)) if partitions else None,
            partition_strategy="hive" if partitions else None,
            configuration=statistics_columns(_others(data.schema, partitions), subject),
            storage_options=storage_options(settings, uri),
        )
        rows = data.count_rows()
    if count_rows(open_table(settings, uri)) != rows:
        raise DataError(f"{uri} has other rows as a table than as a folder; remove _delta_log.")
    log.info("%s: converted %s", uri, counted(len(names), "file"))


def _parquet_files(settings: Settings, uri: str) -> list[str]:
    """Every data file; whatever else lies there would be lost in a vacuum or escape it."""
    keys = [info.key for info in open_store(uri, settings).list_objects("")]
    for start, what in _FOREIGN.items():
        if any(key.startswith(start) for key in keys):
            raise DataError(
                f"{uri} is {what}; only a folder of plain parquet files can be converted."
            )
    files = [key for key in keys if key.endswith(".parquet") and not _is_hidden(key)]
    if not files:
        raise DataError(f"There are no parquet files in {uri}; check the address.")
    others = [k for k in keys if k not in files and not k.endswith(("/", ".crc", "_SUCCESS"))]
    if others:
        raise DataError(
            f"{uri} also holds {len(others)} objects that are not data files, first {others[0]!r}; "
            "they may name people, so move them elsewhere."
        )
    return files


def _is_hidden(key: str) -> bool:
    return any(part.startswith((".", "_")) for part in key.split("/"))


def _partitions(uri: str, names: list[str], subject: str) -> list[str]:
    """Columns that folders are named after, as in `region=north/`."""
    found = {tuple(part.partition("=") for part in name.split("/")[:-1]) for name in names}
    columns = {tuple(name for name, _, _ in folders) for folders in found}
    plain = any(not sign for folders in found for _, sign, _ in folders)
    if len(columns) > 1 or plain:
        raise DataError(
            f"{uri} has folders that are not all named like 'column=value' for the same columns; "
            "convert each folder of files for itself."
        )
    (partitions,) = columns
    if subject in partitions:
        raise DataError(
            f"{uri} is partitioned by the subject column {subject!r}, so that ids stand in its "
            "paths; write it anew with another partitioning."
        )
    if any("%" in value for folders in found for _, _, value in folders):
        raise DataError(
            f"{uri} has folders with encoded characters (%) in their names, which cannot be "
            "converted; write it anew with `write_deltalake`."
        )
    return list(partitions)


def _dataset(
    settings: Settings, uri: str, names: Iterable[str], partitions: list[str]
) -> ds.FileSystemDataset:
    return ds.dataset(  # type: ignore[return-value]
        list(names),
        filesystem=_files(settings, uri),
        format="parquet",
        partitioning=ds.HivePartitioning.discover() if partitions else None,
    )


def _files(settings: Settings, uri: str) -> fs.FileSystem:
    local = local_files(uri)
    if local is not None:
        return local
    place, options = urlsplit(uri), storage_options(settings, uri) or {}
    remote = fs.S3FileSystem(
        access_key=options.get("AWS_ACCESS_KEY_ID"),
        secret_key=options.get("AWS_SECRET_ACCESS_KEY"),
        session_token=options.get("AWS_SESSION_TOKEN"),
        region=settings.s3_region,
        endpoint_override=settings.s3_endpoint_url,
    )
    return fs.SubTreeFileSystem(place.netloc + place.path, remote)


def _check_schemas(
    uri: str, data: ds.FileSystemDataset, partitions: list[str], subject: str
) -> None:
    with translated("table"), ThreadPoolExecutor(_READERS) as readers:
        files = list(data.get_fragments())
        schemas = list(readers.map(lambda file: file.physical_schema.remove_metadata(), files))
    different = sum(not schema.equals(schemas[0]) for schema in schemas)
    if different:
        raise DataError(
            f"{different} of {len(files)} files in {uri} have other columns or types than "
            f"{files[0].path!r}; write them anew with one schema."
        )
    if set(partitions) & set(schemas[0].names):
        raise DataError(f"{uri} has a partition column in its files too; leave it out of one.")
    if subject not in schemas[0].names:
        raise DataError(f"{uri} has no column {subject!r}; name another with --subject-column.")
    kind = schemas[0].field(subject).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if why := why_no_subject(kind):
        raise DataError(f"Subject column {subject!r} {why}; name a column of ids.")


def _check_values(uri: str, data: ds.FileSystemDataset) -> None:
    """Refuse types that Delta does not have, unless every value has a place in a type it has."""
    changed = {}
    for field in data.schema:
        wanted, found = _of_elements(_delta_type(uri, field)), _of_elements(field.type)
        narrower = pa.types.is_timestamp(wanted) or pa.types.is_integer(wanted)
        if narrower and wanted != found:
            changed[field.name] = wanted
    with translated("table"):
        for batch in data.to_batches(columns=list(changed)) if changed else ():
            for name, wanted in changed.items():
                try:
                    _elements(batch[name]).cast(wanted)
                except pa.ArrowInvalid:
                    found = _of_elements(batch[name].type)
                    raise DataError(_unfit(uri, name, found, wanted)) from None


def _of_elements(kind: pa.DataType) -> pa.DataType:
    """The type of what a list holds, however deep; any other type is its own."""
    return _of_elements(kind.value_type) if _is_list(kind) else kind


def _elements(values: pa.Array) -> pa.Array:
    return _elements(values.flatten()) if _is_list(values.type) else values


def _is_list(kind: pa.DataType) -> bool:
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in tests)


def _unfit(uri: str, name: str, found: pa.DataType, wanted: pa.DataType) -> str:
    told = f"Column {name!r} of {uri} has values that do not fit Delta's type {wanted}"
    if pa.types.is_timestamp(found) and found.unit == "ns":
        # Spark's INT96 has no unit of its own; Arrow takes it for nanoseconds.
        told += (
            " as they are read, in nanoseconds: finer than microseconds, or of Spark's old INT96 "
            "and not between the years 1677 and 2262"
        )
    return f"{told}; write it anew in that type."


def _delta_type(uri: str, field: pa.Field) -> pa.DataType:
    kind = field.type
    if pa.types.is_timestamp(kind):
        kind = pa.timestamp("us", kind.tz)
    try:
        schema = Schema.from_arrow(pa.schema([pa.field("x", kind)]))
    except Exception:  # noqa: BLE001 - deltalake raises it bare
        raise DataError(
            f"Column {field.name!r} of {uri} has the type {field.type}, which Delta does not have; "
            "write it anew in another."
        ) from None
    return pa.schema(schema.to_arrow()).field("x").type


def _part(schema: pa.Schema, names: list[str]) -> pa.Schema:
    return pa.schema([schema.field(name) for name in names])


def _others(schema: pa.Schema, partitions: list[str]) -> list[str]:
    return [name for name in schema.names if name not in partitions]
