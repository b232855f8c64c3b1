"""CSV files, read: ours, and with the header of Todoist's template those."""

import csv
from collections.abc import Iterator
from io import StringIO
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from uuid_utils.compat import uuid7

from tasks_service.errors import MalformedCsvError
from tasks_service.json_text import UNSTORABLE
from tasks_service.schemas.data_import import ListRow, TaskRow
from tasks_service.schemas.export import ExportedTask
from tasks_service.services.csv_cells import unguarded, values_in
from tasks_service.services.import_rows import Placed, Problems, Rows, require_few
from tasks_service.services.import_todoist import is_todoist, read_todoist

_COLUMNS = {*ExportedTask.model_fields, "list"}


def read_csv(content: bytes) -> Rows:
    """Return the rows of a CSV. Raises `MalformedCsvError` and `ImportRefusedError`."""
    lines = list(_lines(content))
    problems = Problems()
    require_few(len(lines) - 1, problems)
    _, header = lines[0] if lines else (1, [])
    _check_header(header, problems)
    records = list(_records(header, lines[1:], problems))
    problems.refuse_if_any()
    rows = read_todoist(records, problems) if is_todoist(header) else _ours(records, problems)
    problems.refuse_if_any()
    return rows


def _lines(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, with the line that each begins on."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedCsvError(f"The file is not UTF-8, at byte {error.start}.") from None
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    begins = 1
    try:
        for row in reader:
            if any(row):
                yield begins, row
            begins = reader.line_num + 1
    except csv.Error as error:
        raise MalformedCsvError(f"Line {begins} cannot be read: {error}.") from None


def _check_header(header: list[str], problems: Problems) -> None:
    if len(set(header)) < len(header):
        problems.add(1, None, "names a column twice")
    elif not is_todoist(header):
        for name in header:
            if name not in _COLUMNS:
                problems.add(1, name, "is no column of an export")
        if "title" not in header:
            problems.add(1, "title", "is missing: the first line names the columns")
    problems.refuse_if_any()


def _records(
    header: list[str], lines: list[tuple[int, list[str]]], problems: Problems
) -> Iterator[tuple[int, dict[str, str]]]:
    for line, row in lines:
        if len(row) > len(header):
            problems.add(line, None, f"has {len(row)} cells, and the first line {len(header)}")
        record = dict(zip(header, row, strict=False))
        for name, cell in record.items():
            if UNSTORABLE.search(cell):
                problems.add(line, name, "has a NUL character")
        yield line, record


def _ours(records: list[tuple[int, dict[str, str]]], problems: Problems) -> Rows:
    rows = Rows()
    lists: dict[str, Placed[ListRow]] = {}
    for line, record in records:
        try:
            values = {name: _value(name, cell) for name, cell in record.items() if cell}
            list_name = values.pop("list", None)
            task = TaskRow.model_validate(values)
            if list_name is not None:
                key = list_name if task.list_id is None else str(task.list_id)
                if key not in lists:
                    lists[key] = _list(line, task.list_id, list_name)
                task.list_id = lists[key].id
        except ValidationError as error:
            problems.add_all(line, error)
        except _CellError as error:
            problems.add(line, error.field, str(error))
        else:
            rows.tasks.append(Placed.at(line, task))
    rows.named_lists = list(lists.values())
    return rows


class _CellError(ValueError):
    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


def _list(line: int, list_id: UUID | None, name: str) -> Placed[ListRow]:
    try:
        return Placed.at(line, ListRow(id=list_id or uuid7(), name=name))
    except ValidationError as error:
        raise _CellError("list", error.errors()[0]["msg"]) from None


def _value(name: str, cell: str) -> Any:  # noqa: ANN401 - as JSON would have it
    text = unguarded(cell)
    match name:
        case "tags":
            try:
                return values_in(text)
            except ValueError as error:
                raise _CellError(name, str(error)) from None
        case "reminders":
            return text.split(",")
        case "completed":
            # Spreadsheets write it in capitals.
            return {"true": True, "false": False}.get(text.lower(), text)
        case "recurrence_number" if text.isascii() and text.isdigit():
            # No number that is allowed is longer, and none that is not is worth reading.
            return int(text[:9])
    return text
