"""Request files in the store: which are new, what stands in them, which belong to a batch.

Everything here lies below requests/, the one place besides the tables that holds raw subject ids.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from tasks.intake.request_files import MAX_BYTES, TOO_LARGE, RawRow, parse
from tasks.journal import journal
from tasks.store import lease
from tasks.store.objects import MissingObjectError, ObjectInfo, ObjectStore
from unlearning.errors import RequestError, SnapshotChangedError
from unlearning.policy.digests import SHORT, bytes_digest, facts_digest

INCOMING = "requests/incoming/"
_CLAIMS = "requests/claims/"
_FILES = "requests/files/"
_MANIFESTS = "requests/batches/"
_QUARANTINE = "requests/quarantine/"
_LINK = "is a link, which may lead anywhere; send the file itself"
_UNNAMEABLE = "cannot be fetched under its name; send it again under another"


@dataclass(frozen=True, slots=True)
class RequestFile:
    """A request file as it was when its batch was frozen."""

    file_id: str
    key: str
    version: str
    digest: str
    problem: str = ""
    """Why no copy of it was kept; empty if one was."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a batch consists of: new files, and records of earlier files looked at again."""

    batch: str
    files: list[RequestFile]
    released: list[str]


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a batch, with the id that stands for it everywhere outside requests/."""

    record_id: str
    row: RawRow


def new_files(store: ObjectStore) -> list[ObjectInfo]:
    """Incoming objects that no batch has claimed yet."""
    claimed = {info.key.removeprefix(_CLAIMS) for info in store.list_objects(_CLAIMS)}
    return [
        info
        for info in store.list_objects(INCOMING)
        if not info.is_folder and f"{_file_id(info)}.json" not in claimed
    ]


def freeze(store: ObjectStore, files: list[ObjectInfo], released: dict[str, int]) -> str:
    """Freeze files and released records into a batch; the same input always gives the same id.

    `released` gives the number of each record's latest event, so that a record which comes back a
    second time makes another batch. Nothing to freeze, since the senders removed their files after
    they were listed, gives no batch and an empty id.

    Raises:
        ConflictError: another run took over, so that these files are its affair.
    """
    frozen = [copied for info in files if (copied := _copy(store, info)) is not None]
    if not (frozen or released):
        return ""
    facts = {
        "files": [asdict(f) for f in frozen],
        "released": sorted(released),
        "as_of": released,
    }
    batch = f"b-{facts_digest(facts)[:SHORT]}"
    body = json.dumps({"batch": batch, **facts}, indent=1).encode()
    store.put_if_absent(f"{_MANIFESTS}{batch}.json", body)
    counts = {"file_count": len(frozen), "released_count": len(released)}
    lease.check(store)
    journal.append(store, journal.Entry(f"batches/{batch}", "frozen", "BatchFrozen", counts))
    claim(store, batch)
    return batch


def _copy(store: ObjectStore, info: ObjectInfo) -> RequestFile | None:
    """Keep the file's bytes: the sender may overwrite or remove it. None if it is gone already."""
    file_id = _file_id(info)
    if info.size > MAX_BYTES:  # may be larger than the memory of this machine
        return RequestFile(file_id, info.key, info.version, "", TOO_LARGE)
    if info.is_link:
        return RequestFile(file_id, info.key, info.version, "", _LINK)
    try:
        store.put_if_absent(f"{_FILES}{file_id}", store.get(info.key))
    except MissingObjectError:
        is_there = info in store.list_objects(info.key)
        return RequestFile(file_id, info.key, info.version, "", _UNNAMEABLE) if is_there else None
    kept = store.get(f"{_FILES}{file_id}")
    return RequestFile(file_id, info.key, info.version, bytes_digest(kept))


def claim(store: ObjectStore, batch: str) -> list[RequestFile]:
    """Mark the files of a batch as taken; returns those that it has. Safe to repeat.

    A file belongs to the batch that claims it first: a run that slept through its own replacement
    may have frozen it into another one.
    """
    return [f for f in read_manifest(store, batch).files if _claim(store, batch, f)]


def _claim(store: ObjectStore, batch: str, file: RequestFile) -> bool:
    body = json.dumps({"batch": batch, **asdict(file)}).encode()
    return store.put_if_absent(f"{_CLAIMS}{file.file_id}.json", body)


def read_manifest(store: ObjectStore, batch: str) -> Manifest:
    """The frozen manifest of a batch."""
    body = json.loads(store.get(f"{_MANIFESTS}{batch}.json"))
    return Manifest(batch, [RequestFile(**f) for f in body["files"]], body["released"])


def new_records(store: ObjectStore, batch: str) -> Iterator[Record]:
    """Every row of the files that belong to a batch, without those of earlier batches."""
    for file in claim(store, batch):
        yield from _file_records(store, file)


def read_records(store: ObjectStore, batch: str) -> Iterator[Record]:
    """Every row of a batch; a file that cannot be read is one record with its problem."""
    manifest = read_manifest(store, batch)
    for file in manifest.files:
        yield from _file_records(store, file)
    for file_id in sorted({_file_of(record_id) for record_id in manifest.released}):
        body = json.loads(store.get(f"{_CLAIMS}{file_id}.json"))
        body.pop("batch")
        wanted = set(manifest.released)
        yield from (r for r in _file_records(store, RequestFile(**body)) if r.record_id in wanted)


def keep_quarantined(store: ObjectStore, batch: str, rows: list[dict[str, Any]]) -> None:
    """Keep unusable rows, with their reasons, where their sender can be helped."""
    if rows:
        lines = "\n".join(json.dumps(_spelled(row), default=str) for row in rows)
        store.put(f"{_QUARANTINE}{batch}.jsonl", lines.encode())


def _spelled(value: Any) -> Any:
    """The same with what JSON has no numbers for in words."""
    if isinstance(value, dict):
        return {name: _spelled(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_spelled(one) for one in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def _file_records(store: ObjectStore, file: RequestFile) -> Iterator[Record]:
    if file.problem:
        yield Record(f"{file.file_id}-file", RawRow(0, {}, f"file {file.problem}"))
        return
    data = store.get(f"{_FILES}{file.file_id}")
    if bytes_digest(data) != file.digest:
        raise SnapshotChangedError(
            f"The kept copy of request file {file.file_id} was changed; restore {_FILES}."
        )
    try:
        rows = parse(file.key, data)
    except RequestError as error:
        yield Record(f"{file.file_id}-file", RawRow(0, {}, f"file {error}"))
        return
    for row in rows:
        yield Record(f"{file.file_id}-{row.index:06d}", row)


def _file_id(info: ObjectInfo) -> str:
    return facts_digest({"key": info.key, "version": info.version})[:SHORT]


def _file_of(record_id: str) -> str:
    return record_id.rpartition("-")[0]
