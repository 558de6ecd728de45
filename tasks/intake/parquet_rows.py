"""Turn an untrusted Parquet file on standard input into JSON Lines on standard output.

Run as a program of its own: a page of a few bytes may claim gigabytes, and a damaged one may crash
the native reader, so the process has limits of its own and nobody's secrets.
"""

import json
import resource
import sys
from datetime import datetime
from typing import Any

MEMORY = 2 * 1024**3
SECONDS = 60
UNREADABLE, TOO_LARGE, NESTED = 3, 4, 5


def main(most_rows: int, most_columns: int, most_bytes: int) -> None:
    """Read, check what the file claims before believing it, and write its rows one by one."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import pyarrow as pa
    import pyarrow.parquet as pq

    pa.set_cpu_count(1)
    try:
        file = pq.ParquetFile(pa.BufferReader(sys.stdin.buffer.read()), pre_buffer=False)
        sys.exit(_refusal(file, most_rows, most_columns) or _copy(file, most_bytes))
    except MemoryError:
        sys.exit(TOO_LARGE)
    # pyarrow reports damaged pages, dates out of range and unknown zones in its own several ways.
    except (pa.ArrowException, OSError, ValueError, OverflowError, LookupError):
        sys.exit(UNREADABLE)


def _refusal(file: Any, most_rows: int, most_columns: int) -> int:
    import pyarrow as pa

    names = file.schema_arrow.names
    if any(pa.types.is_nested(kind) for kind in file.schema_arrow.types):
        return NESTED
    if file.metadata.num_rows > most_rows or len(names) > most_columns:
        return TOO_LARGE
    return UNREADABLE if len(set(names)) < len(names) else 0


def _copy(file: Any, most_bytes: int) -> int:
    for batch in file.iter_batches(batch_size=1024, use_threads=False):
        if batch.nbytes > most_bytes:
            return TOO_LARGE
        for row in batch.to_pylist():
            most_bytes -= _write({k: v for k, v in row.items() if v is not None})
            if most_bytes < 0:
                return TOO_LARGE
    return 0


def _write(row: dict[str, Any]) -> int:
    line = json.dumps({name: _plain(name, value) for name, value in row.items()}) + "\n"
    sys.stdout.write(line)
    return len(line)


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, datetime) and name == "received_at":
        return value.isoformat()
    # Whatever is no text or number is no id either; a list is none in any format.
    return value if isinstance(value, (str, int, float)) else [type(value).__name__]


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:4]))
