"""CSV of strangers, one row at a time: no row takes more than its share, and none is half a row."""

import csv
from collections.abc import Iterator

from unlearning.errors import RequestError

CUT = "the file's last line has no line end, so it may be cut; end it, then send the row again"
"""A cell may be cut anywhere, and half of an id may be another person's."""


def rows(
    lines: Iterator[str], needed: tuple[str, ...], longest: int
) -> Iterator[tuple[dict[str, str] | None, str]]:
    """The cells of each row by the names of the header, or the problem of the row.

    Args:
        lines: The file's lines with their ends.
        needed: Columns that it must have.
        longest: Most characters of one row.

    Raises:
        RequestError: it is not readable as CSV, its header does not fit, or a row is too long.
    """
    taken = _Lines(lines, longest)
    try:
        cells = (row for row in taken.rows() if row)
        header = [name.strip() for name in next(cells, [])]
        if len(set(header)) < len(header):
            raise RequestError("names a column twice in its first line")
        # What stands there instead is not said: it may be a row with ids.
        if missing := [name for name in needed if name not in header]:
            one = "column" if len(missing) == 1 else "columns"
            raise RequestError(
                f"lacks the {one} {' and '.join(missing)} in its first line, separated by commas"
            )
        for row in cells:
            if taken.is_cut:
                yield None, CUT
            elif len(row) == len(header):
                yield {k: v for k, v in zip(header, row, strict=True) if v != ""}, ""
            else:
                yield None, "the row does not have as many cells as the header"
    except csv.Error as error:
        raise RequestError("not readable as CSV") from error


class _Lines:
    """Lines of a CSV file, of which one row may take only so many: an open quote takes all."""

    def __init__(self, lines: Iterator[str], longest: int) -> None:
        self._lines, self._longest = lines, longest
        self._taken = 0
        self.is_cut = False
        """Whether the line last read has no end: it is the file's last, and more may be missing."""

    def rows(self) -> Iterator[list[str]]:
        for row in csv.reader(self, strict=True):
            self._taken = 0
            yield row

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._taken += len(line)
        self.is_cut = not line.endswith(("\r", "\n"))
        if self._taken > self._longest:
            raise RequestError(f"a row is longer than {self._longest} characters")
        return line
