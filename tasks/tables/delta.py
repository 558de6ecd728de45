"""Delta tables: open them, find the rows of subjects, count them, keep ids out of the log."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse
from urllib.request import url2pathname

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable
from pyarrow import fs

from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from tasks.store.opening import open_store
from tasks.tables import subject_ids
from unlearning.errors import DataError

SKIPPING = "delta.dataSkippingStatsColumns"
"""The table property that says which columns have statistics in the log."""
_INDEXED = 32
_FEATURES = frozenset(
    {"timestampNtz", "appendOnly", "invariants", "checkConstraints", "changeDataFeed"}
)

_LEGACY = {5: "columnMapping (writer version 5)", 6: "identityColumns (writer version 6)"}
"""Versions that demand a feature of every writer, whether the table makes use of it or not."""


def open_table(settings: Settings, uri: str, version: int | None = None) -> DeltaTable:
    """The Delta table at `uri`, at a version or at its newest.

    Raises:
        DataError: there is no table, this version is gone, or the table has a feature with which
            rows could not be erased for good.
    """
    with translated("table", uri):
        table = DeltaTable(uri, version=version, storage_options=storage_options(settings, uri))
        _refuse_features(table, uri)
    return table


def is_table(settings: Settings, uri: str) -> bool:
    """Whether there is a Delta table at `uri`; makes no folder where there is none."""
    place = urlparse(uri)
    if place.scheme == "file" and not Path(url2pathname(place.path)).exists():
        return False  # deltalake would make it, and who moves a table back there misses it
    with translated("table", uri):
        return DeltaTable.is_deltatable(uri, storage_options(settings, uri))


def _refuse_features(table: DeltaTable, uri: str) -> None:
    """Deletion vectors keep the rows in their files; other features need another writer."""
    protocol, settings = table.protocol(), table.metadata().configuration
    features = {*(protocol.reader_features or ()), *(protocol.writer_features or ())} - _FEATURES
    if protocol.min_writer_version in _LEGACY:
        features.add(_LEGACY[protocol.min_writer_version])
    if any(_is_identity(field) for field in table.schema().fields):
        features.add("identityColumns")
    if settings.get("delta.columnMapping.mode", "none") != "none":
        features.add("columnMapping")
    if features:
        raise DataError(
            f"{uri} uses the Delta feature {', '.join(sorted(features))}, with which its rows "
            "cannot be erased; write the table anew without it."
        )
    if settings.get("delta.appendOnly") == "true":
        raise DataError(f"{uri} is append-only; set its property delta.appendOnly to false.")


def _is_identity(field: Any) -> bool:
    return any(str(name).startswith("delta.identity.") for name in field.metadata or {})


def arrow_dataset(table: DeltaTable, dictionary: str | None = None) -> ds.FileSystemDataset:
    """The table's files as Arrow reads them; a column of strings also as its stored dictionary."""
    options = ds.ParquetReadOptions(dictionary_columns=[dictionary] if dictionary else None)
    return table.to_pyarrow_dataset(
        filesystem=local_files(table.table_uri), parquet_read_options=options
    )


def local_files(uri: str) -> fs.FileSystem | None:
    """Arrow's own access to a local table; None leaves an object store to deltalake.

    Deltalake's way needs Python in Arrow's threads, which aborts now and then as the process ends.
    """
    place = urlparse(uri)
    if place.scheme != "file":
        return None
    return fs.SubTreeFileSystem(url2pathname(place.path), fs.LocalFileSystem())


def files_of(settings: Settings, uri: str) -> fs.FileSystem:
    """Arrow's access to the files below a table, wherever it lies."""
    local = local_files(uri)
    if local is not None:
        return local
    from deltalake.fs import DeltaStorageHandler

    return fs.PyFileSystem(DeltaStorageHandler(uri, options=storage_options(settings, uri)))


def storage_options(settings: Settings, uri: str) -> dict[str, str] | None:
    """What deltalake needs to reach `uri`; S3 credentials come from the standard chain."""
    if not uri.startswith("s3://"):
        return None
    import boto3

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
    return subject_ids.among(column, arrow_schema(table).field(column).type, subjects)


def subject_array(table: DeltaTable, column: str, subjects: Iterable[str]) -> pa.Array:
    """The ids in the type of the table's subject column; ids that cannot be such drop out."""
    return subject_ids.id_array(arrow_schema(table).field(column).type, subjects)


def arrow_schema(table: DeltaTable) -> pa.Schema:
    """The table's schema in Arrow types."""
    return arrow_dataset(table).schema


def count_by_subject(table: DeltaTable, column: str, subjects: Iterable[str]) -> dict[str, int]:
    """How many rows each of these subjects has; subjects without rows are left out."""
    with translated("table"):
        found = arrow_dataset(table).to_table(
            columns=[column], filter=matching(table, column, subjects)
        )
    counted = found[column].value_counts()
    texts = subject_ids.id_texts(counted.field("values"))
    counts = zip(texts, counted.field("counts").to_pylist(), strict=True)
    return {text: count for text, count in counts if text is not None}


def count_rows(table: DeltaTable, where: ds.Expression | None = None) -> int:
    """Rows of the table, or those that match."""
    with translated("table"):
        return arrow_dataset(table).count_rows(filter=where)


def has_rows(table: DeltaTable, where: ds.Expression, column: str) -> bool:
    """Whether any row matches; reading ends at the first that does."""
    with translated("table"):
        batches = arrow_dataset(table).to_batches(columns=[column], filter=where)
        return any(batch.num_rows for batch in batches)


def refuse_links(settings: Settings, uri: str) -> None:
    """A deletion would leave the rows in the files that links in the table's folder point to.

    Raises:
        DataError: the folder holds a link.
    """
    links = sum(info.is_link for info in open_store(uri, settings).list_objects(""))
    if links:  # their names may be those of people
        raise DataError(
            f"{links} files of {uri} are links, and what they point to would keep the rows; put "
            "the files themselves there."
        )


def keep_ids_out_of_log(
    table: DeltaTable, column: str, addresses: Iterable[str] = (), *, changes: bool = True
) -> None:
    """Stop the table's log from recording the smallest and largest subject id of each file.

    Nor those of columns of addresses, which may hold ids. Or see whether that could be done, if it
    `changes` nothing.

    Raises:
        DataError: the ids are partition values, which stand in paths and in the log.
    """
    for one in (column, *addresses):
        if one in table.metadata().partition_columns:
            what = "subject column" if one == column else "column of addresses"
            raise DataError(
                f"The table is partitioned by the {what} {one!r}, so that ids stand in its paths; "
                "write it anew with another partitioning."
            )
    wanted = statistics_columns([f.name for f in table.schema().fields], column, *addresses)
    current = table.metadata().configuration
    if changes and any(current.get(name) != value for name, value in wanted.items()):
        with translated("table"):
            table.alter.set_table_properties(wanted)


def statistics_columns(names: list[str], *without: str) -> dict[str, str]:
    """Table properties for statistics on every column but the subject's, and others with ids.

    A list that Delta cannot parse counts as none, and then every column has statistics: so each
    name is quoted, and one with a backquote goes without.
    """
    others = [name for name in names if name not in without and "`" not in name][:_INDEXED]
    if not others:
        return {"delta.dataSkippingNumIndexedCols": "0"}
    return {SKIPPING: ",".join(f"`{name}`" for name in others)}


def is_readable(settings: Settings, uri: str, version: int) -> bool:
    """Whether every file of this version is still there; a full vacuum takes those of older ones.

    Cost: the log and a listing of the table.
    """
    try:
        used = used_files(open_table(settings, uri, version))
    except DataError:
        return False
    return used <= {info.key for info in open_store(uri, settings).list_objects("")}


def used_files(table: DeltaTable) -> set[str]:
    """The data files of this version, by their paths relative to the table."""
    uris = table.file_uris()
    if not table.table_uri.startswith("file:") and any("%" in one for one in uris):
        # A bucket's URIs are encoded where the name in the log is not, and nobody can tell which.
        actions = pa.table(table.get_add_actions())
        return {unquote(path) for path in actions["path"].to_pylist()}
    # A file comes as the table's URI, in which odd characters are encoded, and its own name as is.
    root = table.table_uri.rstrip("/").removeprefix("file://")
    return {f.removeprefix("file://").removeprefix(root).lstrip("/") for f in uris}
