"""What a request file may hold: limits, and the rules that each row is judged by."""

from docs.generate.tables import code, table
from tasks.intake import parquet_rows, request_files
from tasks.intake.suite import suite
from tasks.store.objects import MAX_KEY

_MIB = 1 << 20


def limits() -> str:
    """The limits of files, rows and fields."""
    rows = [
        ("a file, as sent and after gunzip", f"{request_files.MAX_BYTES // _MIB} MiB"),
        ("rows of a file", f"{request_files.MAX_ROWS:,}"),
        ("characters of a row", f"{request_files.MAX_ROW:,}"),
        ("fields of a row", str(request_files.MAX_FIELDS)),
        ("lists and objects within each other", str(request_files.MAX_DEPTH)),
        ("characters of a field or of its name", f"{request_files.MAX_TEXT:,}"),
        ("bytes of a file's name", f"{MAX_KEY:,}"),
        ("memory of the process that reads Parquet", f"{parquet_rows.MEMORY // _MIB:,} MiB"),
        ("seconds of the process that reads Parquet", str(parquet_rows.SECONDS)),
    ]
    return table(("what", "at most"), rows)


def rules() -> str:
    """The rules in their order; the first one that a row fails decides."""
    rows = [(reason, code(outcome)) for _, outcome, reason in suite()]
    return table(("reason that is given", "outcome"), rows)
