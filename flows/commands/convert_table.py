"""`expunge convert-table`: make a folder of parquet files a Delta table."""

from rich.console import Console

from flows.commands.options import table_uri
from tasks.environment.settings import load_settings


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

    found = conversion.convert_table(load_settings(), table_uri(table), subject_column)
    Console().print(
        f"{found['table']}: {found['rows']} rows in {found['files']} files, version "
        f"{found['version']}. Next: [bold]expunge enroll[/] or [bold]expunge train[/]",
        highlight=False,
    )
