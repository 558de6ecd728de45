"""How writers of Delta name what they leave in a table's folder."""

import re

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
DATA = re.compile(rf"part-\d+-{_UUID}[-.\w]*\.parquet(?:#\d+)?")
"""How writers name data files; #1 ends one that delta-rs was writing when it was killed."""
BEGINNING = re.compile(rf"part-\d+-{_UUID}")
"""What of such a name nobody chose."""
CHANGES = re.compile(rf"(?:cdc|part)-\d+-{_UUID}[-.\w]*\.parquet(?:#\d+)?")
VECTORS = re.compile(rf"deletion_vector_{_UUID}[-.\w]*\.bin")
NOTES = re.compile(r"_SUCCESS|_(?:started|committed|vacuum)_\d+|_last_vacuum_info")
"""What Spark and Databricks leave beside data files: no rows, at most names of files."""
LOG = re.compile(
    r"\.?(?:\d{20}\.(?:json|crc|checkpoint(?:\.[-.\da-f]+)?\.(?:parquet|json))"
    r"|\d{20}\.\d{20}\.compacted\.json|_last_checkpoint)(?:\.crc)?|\.s3-optimization-\d+"
)
CUT_SHORT = re.compile(
    rf"_commit_{_UUID}\.json\.tmp|\.?(?:\d{{20}}[-.\w]*|_last_checkpoint)\.(?:{_UUID}\.)?tmp"
    rf"|(?:\d{{20}}[-.\w]*|_last_checkpoint)#\d+"
)
"""Entries of the log that somebody began to write."""


def kind_in_log(name: str) -> str:
    """`used`, `old` or `foreign`: whose an object below the table's log is, by its name there."""
    if LOG.fullmatch(name):
        return "used"
    return "old" if CUT_SHORT.fullmatch(name) else "foreign"
