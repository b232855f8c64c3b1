"""Cells of a CSV that no spreadsheet takes for a formula, and that come back as they were."""

import csv
import re
from collections.abc import Iterable
from io import StringIO

# Apostrophes count because one more is what is added; nothing but them, because an absent value
# and an empty text are not the same. The last four are the others in full width.
_TO_GUARD = re.compile(r"'*(?:[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]|\Z)")
LINE_END = "\r\n"


def guarded(text: str) -> str:
    """Return the text as a cell has it."""
    return f"'{text}" if _TO_GUARD.match(text) else text


def unguarded(cell: str) -> str:
    """Return the text of a cell."""
    return cell[1:] if cell.startswith("'") and _TO_GUARD.match(cell, 1) else cell


def row_of(values: Iterable[str]) -> str:
    """Return a row of CSV, without its end."""
    out = StringIO()
    csv.writer(out, lineterminator=LINE_END).writerow(values)
    return out.getvalue().removesuffix(LINE_END)


def values_in(row: str) -> list[str]:
    """Return the values of a row that stands in a cell. Raises `ValueError` if it is none."""
    try:
        rows = list(csv.reader(StringIO(row, newline=""), strict=True))
    except csv.Error:
        rows = []
    if len(rows) > 1 or (row and not rows):
        raise ValueError("should be one row of CSV, with quotes around what has a comma")
    return rows[0] if rows else []
