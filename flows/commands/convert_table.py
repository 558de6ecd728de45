"""`expunge convert-table`: make a folder of parquet files a Delta table."""

from flows.console import Plain, command
from tasks.environment.settings import load_settings
from tasks.store.address import address_of
from unlearning.policy.counted import counted


def convert_table(table: str, *, subject_column: str = "subject_id") -> None:
    """Make a folder of parquet files a Delta table, in place; its files stay as they are.

    Parameters
    ----------
    table
        The folder: a path, file:///… or s3://bucket/prefix.
    subject_column
        Column with the data subject's id; the table's log will not quote it.
    """
    from tasks.tables import conversion

    found = conversion.convert_table(load_settings(), address_of(table), subject_column)
    held = f"{counted(found['rows'], 'row')} in {counted(found['files'], 'file')}"
    said = f"{found['table']}: {held}, version {found['version']}. Next:"
    Plain().print(command(said, "expunge enroll", "expunge train"))
