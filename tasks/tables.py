"""Delta tables: find the rows of subjects, count them, erase them for good."""

import re
from collections.abc import Iterable
from urllib.parse import urlparse
from urllib.request import url2pathname

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable
from pyarrow import fs

from tasks.boundary import translated
from tasks.object_store import open_store
from tasks.settings import load_settings
from unlearning.errors import DataError

_SKIPPING = "delta.dataSkippingStatsColumns"


def open_table(uri: str, version: int | None = None) -> DeltaTable:
    """The Delta table at `uri`, at a version or at its newest.

    Raises:
        DataError: there is no table, or this version is gone.
    """
    with translated("table"):
        return DeltaTable(uri, version=version, storage_options=storage_options(uri))


def arrow_dataset(table: DeltaTable) -> ds.FileSystemDataset:
    """The table's files as Arrow reads them."""
    return table.to_pyarrow_dataset(filesystem=_local_files(table.table_uri))


def _local_files(uri: str) -> fs.FileSystem | None:
    """Arrow's own access to a local table; None leaves an object store to deltalake.

    Deltalake's way needs Python in Arrow's threads, which aborts now and then as the process ends.
    """
    place = urlparse(uri)
    if place.scheme != "file":
        return None
    return fs.SubTreeFileSystem(url2pathname(place.path), fs.LocalFileSystem())


def storage_options(uri: str) -> dict[str, str] | None:
    """What deltalake needs to reach `uri`; S3 credentials come from the standard chain."""
    if not uri.startswith("s3://"):
        return None
    import boto3

    settings = load_settings()
    options = {"AWS_REGION": settings.s3_region}
    credentials = boto3.Session().get_credentials()
    if credentials is not None:
        frozen = credentials.get_frozen_credentials()
        options |= {
            "AWS_ACCESS_KEY_ID": str(frozen.access_key),
            "AWS_SECRET_ACCESS_KEY": str(frozen.secret_key),
        }
        if frozen.token:
            options["AWS_SESSION_TOKEN"] = frozen.token
    if settings.s3_endpoint_url:
        options["AWS_ENDPOINT_URL"] = settings.s3_endpoint_url
        options["AWS_ALLOW_HTTP"] = str(settings.s3_endpoint_url.startswith("http://")).lower()
    return options


def matching(table: DeltaTable, column: str, subjects: Iterable[str]) -> ds.Expression:
    """A filter for the rows of these subjects; ids travel as values, never as text of a query."""
    return ds.field(column).isin(subject_array(table, column, subjects))


def subject_array(table: DeltaTable, column: str, subjects: Iterable[str]) -> pa.Array:
    """The ids in the type of the table's subject column; ids that cannot be such drop out."""
    field = arrow_schema(table).field(column)
    if pa.types.is_integer(field.type):
        limit = 2 ** (field.type.bit_width - 1)
        return pa.array([i for i in sorted(_integers(subjects)) if abs(i) < limit], field.type)
    return pa.array(sorted(set(subjects)), pa.string())


def _integers(subjects: Iterable[str]) -> set[int]:
    # "007" is not the subject 7: only the canonical spelling names an integer id.
    return {int(s) for s in subjects if re.fullmatch(r"-?(0|[1-9][0-9]*)", s)}


def arrow_schema(table: DeltaTable) -> pa.Schema:
    """The table's schema in Arrow types."""
    return arrow_dataset(table).schema


def count_by_subject(table: DeltaTable, column: str, subjects: Iterable[str]) -> dict[str, int]:
    """How many rows each of these subjects has; subjects without rows are left out."""
    with translated("table"):
        found = arrow_dataset(table).to_table(
            columns=[column], filter=matching(table, column, subjects)
        )
    counts = found[column].value_counts().to_pylist()
    return {str(item["values"]): item["counts"] for item in counts}


def count_rows(table: DeltaTable, where: ds.Expression | None = None) -> int:
    """Rows of the table, or those that match."""
    with translated("table"):
        return arrow_dataset(table).count_rows(filter=where)


def keep_ids_out_of_log(table: DeltaTable, column: str) -> None:
    """Stop the table's log from recording the smallest and largest subject id of each file."""
    names = [field.name for field in table.schema().fields if field.name != column]
    wanted = ",".join(names[:32])
    if table.metadata().configuration.get(_SKIPPING) != wanted:
        with translated("table"):
            table.alter.set_table_properties({_SKIPPING: wanted})


def delete_rows(uri: str, column: str, subjects: Iterable[str]) -> None:
    """Delete the subjects' rows by a merge with a table of ids.

    A predicate would be written into the table's log, ids and all, and would have to be quoted.
    """
    table = open_table(uri)
    ids = pa.table({column: subject_array(table, column, subjects)})
    with translated("table"):
        table.merge(
            ids,
            f'target."{column}" = source."{column}"',
            source_alias="source",
            target_alias="target",
        ).when_matched_delete().execute()


def vacuum(uri: str) -> None:
    """Remove every file that the newest version does not use, and old object versions with it."""
    with translated("table"):
        open_table(uri).vacuum(
            retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True
        )
    open_store(uri).purge_noncurrent("")


def leftover_files(uri: str) -> int:
    """How many files or old object versions below the table are not part of its newest version."""
    store = open_store(uri)
    used = {name_of(file, uri) for file in open_table(uri).file_uris()}
    present = {i.key for i in store.list_objects("") if not i.key.startswith("_delta_log/")}
    missing = used - present
    if missing:
        raise DataError(f"{len(missing)} data files of the table are missing; restore them first.")
    return len(
        {key for key in present if key.endswith(".parquet")} - used
    ) + store.count_noncurrent("")


def name_of(file_uri: str, table_uri: str) -> str:
    """A data file's path relative to its table."""
    # A local file comes as the path of the table's URI, not decoded, and its own name as on disk.
    root = table_uri.rstrip("/").removeprefix("file://")
    file_uri = file_uri.removeprefix("file://")
    return file_uri.removeprefix(root).lstrip("/")
