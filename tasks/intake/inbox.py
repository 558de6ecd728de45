"""Request files in the store: which are new, what stands in them, which belong to a batch.

Everything here lies below requests/, the one place besides the tables that holds raw subject ids.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from tasks.intake import freezing
from tasks.intake.freezing import MANIFESTS, bytes_of, manifest_key
from tasks.intake.kept_rows import (
    CLAIMS,
    FILES,
    Record,
    RequestFile,
    claimant,
    claimed_file,
    file_of,
    records_of,
    was_forgotten,
)
from tasks.intake.request_files import MAX_BYTES, TOO_LARGE
from tasks.intake.settling import growing
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError, ObjectInfo
from unlearning.policy.digests import SHORT, bytes_digest, facts_digest, keyed_digest, keys_of

INCOMING = "requests/incoming/"
SUBMITTED = f"{INCOMING}submitted/"
"""Files appear here whole, as by a rename: they are read at once."""
_LINK = "is a link, which may lead anywhere; send the file itself"
_UNNAMEABLE = "cannot be fetched under its name; send it again under another"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a batch consists of: new files, and records of earlier files looked at again."""

    batch: str
    files: tuple[RequestFile, ...]
    released: tuple[str, ...]


def new_files(services: Services) -> list[ObjectInfo]:
    """Incoming objects that no batch has claimed yet and that are whole."""
    found = _unclaimed(services)
    left = growing(services, found, SUBMITTED)
    return [info for info in found if info.key not in left]


def growing_count(services: Services) -> int:
    """How many incoming objects are left for a later look, since they may still be growing."""
    return len(growing(services, _unclaimed(services), SUBMITTED))


def _unclaimed(services: Services) -> list[ObjectInfo]:
    claimed = _claimed(services)
    return [
        info
        for info in services.store.list_objects(INCOMING)
        if not info.is_folder and not _file_id(services, info, claimed)[1]
    ]


def _claimed(services: Services) -> set[str]:
    """Ids of all files that batches ever claimed."""
    found = services.store.list_objects(CLAIMS)
    return {info.key.removeprefix(CLAIMS).removesuffix(".json") for info in found}


def _file_id(services: Services, info: ObjectInfo, claimed: set[str]) -> tuple[str, bool]:
    """The id of a file, and whether a batch has claimed it.

    Once its batch is closed a file is deleted. If it is there again, as whoever copies a folder
    with its times has it, it was sent again: it has another id, and is read like any other.
    """
    times = 0
    while True:
        found = _ids(services, info, times)
        mine = claimed.intersection(found)
        is_open = not all(was_forgotten(services, one, _UNNAMEABLE) for one in mine)
        if is_open or not mine:
            return found[0], is_open
        times += 1


def freeze(services: Services, files: list[ObjectInfo], released: dict[str, int]) -> str:
    """Freeze files and released records into a batch; the same input always gives the same id.

    `released` gives the number of each record's latest event, so that a record which comes back a
    second time makes another batch. Nothing to freeze, since the senders removed their files after
    they were listed, gives no batch and an empty id.

    Raises:
        ConflictError: another run took over, so that these files are its affair.
    """
    claimed = _claimed(services)
    named = [(info, _file_id(services, info, claimed)[0]) for info in files]
    frozen = [copied for one in named if (copied := _copy(services, *one)) is not None]
    if not (frozen or released):
        return ""
    batch = freezing.name_of(services, frozen, released)
    freezing.freeze(services, batch, frozen, released)
    claim(services, batch)
    return batch


def _copy(services: Services, info: ObjectInfo, file_id: str) -> RequestFile | None:
    """Keep the file's bytes: the sender may overwrite or remove it. None if it is gone already."""
    file = RequestFile(file_id, info.key, info.version, "", arrived=_arrival(info))
    if info.size > MAX_BYTES:  # may be larger than the memory of this machine
        return replace(file, problem=TOO_LARGE)
    if info.is_link:
        return replace(file, problem=_LINK)
    copy = f"{FILES}{file.file_id}"
    try:
        services.store.put_if_absent(copy, services.store.get(info.key))
    except MissingObjectError:
        is_there = info in services.store.list_objects(info.key)
        return replace(file, problem=_UNNAMEABLE) if is_there else None
    return replace(file, digest=bytes_digest(services.store.get(copy)))


def _arrival(info: ObjectInfo) -> str:
    if not info.changed_at:
        return ""
    return datetime.fromtimestamp(info.changed_at, UTC).isoformat(timespec="seconds")


def claim(services: Services, batch: str) -> list[RequestFile]:
    """Mark the files of a batch as taken; returns those that it has. Safe to repeat.

    A file belongs to the batch that claims it first: a run that slept through its own replacement
    may have frozen it into another one.
    """
    return [f for f in read_manifest(services, batch).files if _claim(services, batch, f)]


def _claim(services: Services, batch: str, file: RequestFile) -> bool:
    body = json.dumps({"batch": batch, **asdict(file)}).encode()
    return services.store.put_if_absent(f"{CLAIMS}{file.file_id}.json", body)


def read_manifest(services: Services, batch: str) -> Manifest:
    """The frozen manifest of a batch."""
    return services.frozen.parsed(manifest_key(batch), _manifest)


def _manifest(data: bytes) -> Manifest:
    body = json.loads(data)
    files = tuple(RequestFile(**f) for f in body["files"])
    return Manifest(body["batch"], files, tuple(body["released"]))


def left_files(services: Services, batch: str) -> list[RequestFile]:
    """Files of a batch of which more is kept than what is open; it may have been reduced since."""
    try:
        files = _manifest(services.store.get(manifest_key(batch))).files
    except MissingObjectError:
        return []
    return [file for file in files if claimant(services, file.file_id) == batch]


def leave_files(services: Services, batch: str, files: list[RequestFile]) -> None:
    """Let the manifest of a closed batch name these files alone."""
    key = manifest_key(batch)
    if files:
        body = {"batch": batch, "files": [asdict(f) for f in files], "released": [], "as_of": {}}
        services.store.put(key, json.dumps(body, indent=1).encode())
        services.store.purge_noncurrent(key)
    else:
        services.store.delete(key)


def batches_with_files(services: Services) -> list[str]:
    """Batches of which files are kept, in name order."""
    found = services.store.list_objects(MANIFESTS)
    return [info.key.removeprefix(MANIFESTS).removesuffix(".json") for info in found]


def new_records(services: Services, batch: str) -> Iterator[Record]:
    """Every row of the files that belong to a batch, without those of earlier batches."""
    for file in claim(services, batch):
        yield from records_of(services, file)


def read_records(services: Services, batch: str) -> Iterator[Record]:
    """Every row of a batch; a file that cannot be read is one record with its problem."""
    released = set(read_manifest(services, batch).released)
    for file, is_whole in _files(services, batch):
        found = records_of(services, file)
        yield from found if is_whole else (r for r in found if r.record_id in released)


def _files(services: Services, batch: str) -> Iterator[tuple[RequestFile, bool]]:
    """The files of a batch, and whether all their records are its own."""
    manifest = read_manifest(services, batch)
    yield from ((file, True) for file in manifest.files)
    for file_id in sorted({file_of(record_id) for record_id in manifest.released}):
        yield claimed_file(services, file_id), False


def _ids(services: Services, info: ObjectInfo, times: int) -> list[str]:
    """The id of a file that was sent again so many times, unchanged; then those it had before.

    It is keyed, for its name may be a person's. Before means under the keys before a rotation, and
    in releases that did not key it.
    """
    facts = {"key": bytes_of(info.key), "version": info.version}
    facts |= {"again": str(times)} if times else {}
    keys = keys_of(services.settings.pseudonym_secret())
    secrets = (b"".join(keys[:count]) for count in range(len(keys), 0, -1))
    return [*(keyed_digest(one, facts)[:SHORT] for one in secrets), facts_digest(facts)[:SHORT]]
