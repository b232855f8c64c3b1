"""Tasks as rows of CSV (RFC 4180)."""

from collections.abc import Iterable

from tasks_service.schemas.export import ExportedTask
from tasks_service.services.csv_cells import LINE_END, guarded, row_of

# The name of the list stands beside its id.
_COLUMNS = [
    column
    for name in ExportedTask.model_fields
    for column in ((name, "list") if name == "list_id" else (name,))
]
# Without it spreadsheets do not read UTF-8.
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


def csv_head() -> bytes:
    """Return what stands before the rows."""
    return f"{_BYTE_ORDER_MARK}{row_of(_COLUMNS)}{LINE_END}".encode()


def csv_rows(tasks: Iterable[tuple[ExportedTask, str | None]]) -> bytes:
    """Return tasks, each with the name of its list, as rows."""
    return "".join(_row(task, list_name) + LINE_END for task, list_name in tasks).encode()


def _row(task: ExportedTask, list_name: str | None) -> str:
    values = task.model_dump(mode="json") | {
        "tags": row_of(task.tags) if task.tags else None,
        "reminders": ",".join(task.reminders) or None,
        "list": list_name,
    }
    if list_name is None:
        # The list is in the trash, where this file does not follow it.
        values["list_id"] = None
    return row_of(_cell(values[column]) for column in _COLUMNS)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return guarded(str(value).lower() if isinstance(value, bool) else str(value))
