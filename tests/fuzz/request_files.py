"""Coverage-guided fuzzing of `tasks.intake.request_files.parse`: `make fuzz`.

Every input is tried as each of the text formats, plain and inside gzip. A finding is anything but
rows or a RequestError, a row that breaks its own limits, or memory above 1 GiB. Parquet is read by
a process of its own with limits of its own and is left to the property tests.
"""

import contextlib
import gzip
import sys
from pathlib import Path

import atheris.import_hook  # pyright: ignore[reportMissingModuleSource] - `make fuzz` has it

with atheris.import_hook.instrument_imports(
    include=["tasks.intake.request_files", "tasks.intake.json_rows", "json", "csv"]
):
    from tasks.intake import request_files

from unlearning.errors import RequestError

NAMES = ("a.json", "a.jsonl", "a.csv", "a.json.gz", "a.jsonl.gz", "a.csv.gz")
SEEDS = (
    b'\x00{"requests": [{"request_id": "1", "subject_id": 2, "received_at": null}]}',
    b'\x01{"request_id": "1", "ground": "a"}\r\n{"a": [1e9, NaN, {"b": "\\ud800"}]}\n',
    b'\x02\xef\xbb\xbfrequest_id,subject_id\r1,"=a\n""b"""\n',
    b"\x03" + gzip.compress(b'[{"request_id": 1}]', mtime=0),
)


def try_one(data: bytes) -> None:
    """Parse the bytes as the format that the first one picks."""
    if not data:
        return
    with contextlib.suppress(RequestError):
        rows = request_files.parse(NAMES[data[0] % len(NAMES)], data[1:])
        for number, row in enumerate(rows):
            if row.index != number or len(row.fields) > request_files.MAX_FIELDS:
                raise AssertionError(row.problem)
            if row.problem and row.fields:
                raise AssertionError("a row that cannot be read has fields")


def main() -> None:
    """Write the seeds next to the corpus and fuzz as libFuzzer's options say."""
    corpus = Path(sys.argv[1])
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup([*sys.argv, "-rss_limit_mb=1024", "-print_final_stats=1"], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
