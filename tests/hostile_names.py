"""Names of files as anybody may give them, sound and unusable."""

from pathlib import Path
from typing import Any

from tasks.intake.inbox import INCOMING
from tasks.registry.services import Services
from tasks.store.objects import MAX_KEY
from tasks.store.opening import open_store

MARK = "nAmE"
"""Stands in every name below, so that none can be overlooked where it must not be."""

SOUND = [
    f" a b{MARK} .jsonl",
    f"..twice..dotted..{MARK}.jsonl",
    f"...{MARK}.jsonl",
    f"..{MARK}/..{MARK}.jsonl",
    f".hidden{MARK}.jsonl",
    f".scratch/{MARK}.jsonl",
    f"line\nbreak\r\t{MARK}.jsonl",
    f"\x1b[31m\x07{MARK}\x7f.jsonl",
    f"\x01\ufffe{MARK}.jsonl",
    f"ünï\u202e{MARK}.jsonl",
    f"日本\U0001f600{MARK}.jsonl",
    f"e\u0301{MARK}.jsonl",
    f"\u00e9{MARK}.jsonl",
    f"%2e%2e%2f{MARK}.jsonl",
    f"100%{MARK}%.jsonl",
    f"a+b&c=d;{MARK}.jsonl",
    f"?versionId={MARK}.jsonl",
    f"#part{MARK}.jsonl",
    f"--help{MARK}.jsonl",
    f"-rf {MARK}.jsonl",
    f"<script>alert(1)</script>{MARK}.jsonl",
    f"&lt;\"'{MARK}.jsonl",
    f"[red]{MARK}[/].jsonl",
    f"$(touch {MARK})`id`.jsonl",
    f"{{}}*{MARK}~.jsonl",
    f"a.json.gz.csv{MARK}.jsonl",
    f"{MARK}.JsonL",
    f"{'/'.join([MARK + 'y' * 196] * 4)}.jsonl",
]
UNUSABLE = {
    MARK: "of an unknown type",
    f"{MARK}.jsonl ": "of an unknown type",
    f"{MARK}.jsonl\n": "of an unknown type",
    f"{MARK}.jsonl.exe": "of an unknown type",
    f"{MARK}.csv.jsonl.gz": "not readable as gzip",
    f"{MARK}.jsonl.csv": "lacks the columns",
    f"{MARK}.jsonl.parquet": "not readable as Parquet",
}


def row(number: int) -> bytes:
    """A request of one person."""
    return (
        f'{{"request_id": "R-{number}", "subject_id": "s-{number}", '
        '"received_at": "2026-01-02T03:04:05Z"}'
    ).encode()


def longest(services: Services) -> str:
    """A name that makes a key as long as S3 allows, the store's own prefix included."""
    room = MAX_KEY - len(getattr(services.store, "prefix", "") + INCOMING)
    return f"{'/'.join(['z' * 200] * 5)}{MARK}"[: room - 10] + f"{MARK}.jsonl"


def put(services: Services, name: str, data: bytes) -> None:
    """As a sender would: into a bucket by its name, into a directory behind the store's back."""
    store: Any = services.store
    if hasattr(store, "bucket"):
        store.put(INCOMING + name, data)
    else:
        path = store.root / INCOMING / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def outside(services: Services) -> list[str | Path]:
    """Everything around the store: other objects of the bucket, other files of the home."""
    store: Any = services.store
    if hasattr(store, "bucket"):
        whole = open_store(f"s3://{store.bucket}", services.settings)
        return [i.key for i in whole.list_objects("") if not i.key.startswith(store.prefix)]
    around = store.root.parent.parent
    return [p for p in around.rglob("*") if not p.is_relative_to(store.root)]
