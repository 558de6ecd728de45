"""The manifest by which a batch is fixed: its files, and records of earlier files."""

import json
from dataclasses import asdict
from typing import Any

from tasks.intake.kept_rows import RequestFile
from tasks.journal.events import ids
from tasks.journal.events.batches import BatchFrozen
from tasks.journal.events.catalog import batch_stream
from tasks.registry.services import Services
from tasks.store import lease
from unlearning.policy.digests import SHORT, keyed_digest

MANIFESTS = "requests/batches/"


def name_of(services: Services, files: list[RequestFile], released: dict[str, int]) -> str:
    """The name of a batch of these files and records; the same input always gives the same one."""
    exact = [asdict(f) | {"key": bytes_of(f.key)} for f in files]
    key = services.settings.pseudonym_secret()
    return f"b-{keyed_digest(key, _facts(files, released) | {'files': exact})[:SHORT]}"


def freeze(
    services: Services, batch: str, files: list[RequestFile], released: dict[str, int]
) -> None:
    """Freeze files and records into the batch of this name; safe to repeat.

    Raises:
        ConflictError: another run took over.
    """
    body = json.dumps({"batch": batch, **_facts(files, released)}, indent=1).encode()
    services.store.put_if_absent(manifest_key(batch), body)
    lease.check(services.store)
    counts = BatchFrozen(file_count=len(files), released_count=len(released))
    services.journal.append(batch_stream(batch), ids.FROZEN, counts)


def manifest_key(batch: str) -> str:
    """Where the manifest of a batch lies."""
    return f"{MANIFESTS}{batch}.json"


def bytes_of(key: str) -> str:
    """The key's bytes in hex: the name of a file need not be text, and only text has a digest."""
    return key.encode(errors="surrogateescape").hex()


def _facts(files: list[RequestFile], released: dict[str, int]) -> dict[str, Any]:
    listed = [asdict(f) for f in files]
    return {"files": listed, "released": sorted(released), "as_of": released}
