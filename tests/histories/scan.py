"""A byte-and-value scan: every file below some folders, decoded as far as anybody could."""

import gzip
import io
import re
import sqlite3
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
from histories.lake import Person


def scan(places: Iterable[Path], wanted: Iterable[Person]) -> dict[Person, set[str]]:
    """The files in which each person was found, by bytes in any case, by value or by name."""
    texts = {one.id.lower().encode(): one for one in wanted}
    values = {int(one.id).to_bytes(8, "little"): one for one in wanted if one.id.isdigit()}
    if not texts:
        return {}
    pattern = re.compile(b"|".join(map(re.escape, texts)), re.IGNORECASE)
    found: dict[Person, set[str]] = defaultdict(set)
    for place in places:
        for path in [place, *sorted(place.rglob("*"))]:
            name = str(path.relative_to(place.parent))
            for part in (name.encode(), *_parts(path)):
                for hit in pattern.findall(part):
                    found[texts[hit.lower()]].add(name)
                for value, one in values.items():
                    if value in part:
                        found[one].add(name)
    return dict(found)


def _parts(path: Path) -> Iterator[bytes]:
    if not path.is_file():
        return
    data = path.read_bytes()
    yield from _decoded(data)
    if data.startswith(b"SQLite format 3"):
        with sqlite3.connect(path) as database:
            yield "\n".join(database.iterdump()).encode()


def _decoded(data: bytes) -> Iterator[bytes]:
    yield data
    if data.startswith(b"\x1f\x8b"):
        yield from _decoded(gzip.decompress(data))
    elif data.startswith(b"PAR1"):
        columns = pq.read_table(io.BytesIO(data)).to_pydict()
        yield "\n".join(str(value) for values in columns.values() for value in values).encode()
    elif zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield from (name.encode(), *_decoded(archive.read(name)))
