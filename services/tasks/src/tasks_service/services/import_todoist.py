"""Todoist's CSV template, read: what there is here for what is there."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from uuid_utils.compat import uuid7

from tasks_service.priority import Priority
from tasks_service.schemas.data_import import ListRow, TaskRow
from tasks_service.schemas.fields import is_time_zone
from tasks_service.services.import_rows import Placed, Problems, Rows

_PRIORITIES = {
    "1": Priority.URGENT,
    "2": Priority.HIGH,
    "3": Priority.MEDIUM,
    "4": Priority.NONE,
    "": Priority.NONE,
}
_LABEL = re.compile(r"\s+@(\S+)\Z")
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2})?)?", re.ASCII)
_DEEPEST = 5
# Where each of our fields comes from, for whoever reads what is wrong.
_COLUMNS = {"title": "CONTENT", "tags": "CONTENT", "due_on": "DATE", "due_at": "DATE"}
Record = dict[str, str]


def is_todoist(header: Sequence[str]) -> bool:
    """Tell whether these are the columns of the template."""
    return {"TYPE", "CONTENT"} <= set(header)


def read_todoist(records: Sequence[tuple[int, Record]], problems: Problems) -> Rows:
    """Return what is in a template, noting what is wrong with it."""
    template = _Template(problems)
    for line, record in records:
        match record.get("TYPE", ""):
            case "task":
                template.add_task(line, record)
            case "section":
                template.add_section(line, record.get("CONTENT", ""))
            case "note":
                template.add_note(line, record.get("CONTENT", ""))
            case "" | "meta":
                # How it looked there.
                pass
            case _:
                problems.add(line, "TYPE", "should be task, section or note")
    return template.rows


class _Template:
    """What has been read so far: the section, and the tasks that the next one may stand under."""

    def __init__(self, problems: Problems) -> None:
        self.rows = Rows()
        self._problems = problems
        self._section: Placed[ListRow] | None = None
        self._line: list[Placed[TaskRow]] = []

    def add_section(self, line: int, name: str) -> None:
        self._line.clear()
        try:
            self._section = Placed.at(line, ListRow(id=uuid7(), name=name))
        except ValidationError as error:
            self._problems.add(line, "CONTENT", error.errors()[0]["msg"])
        else:
            self.rows.lists.append(self._section)

    def add_task(self, line: int, record: Record) -> None:
        level = self._level(line, record.get("INDENT", ""))
        if level is None:
            return
        try:
            task = TaskRow.model_validate(self._values(line, record))
        except ValidationError as error:
            for found in error.errors():
                name = str(found["loc"][0])
                column = _COLUMNS.get(name, name.upper())
                self._problems.add(line, column, found["msg"].removeprefix("Value error, "))
            # So that the tasks under it are not all said to be wrong.
            task = TaskRow(title="x")
        del self._line[level - 1 :]
        task.list_id = self._section.id if self._section else None
        task.parent_id = self._line[-1].id if self._line else None
        placed = Placed.at(line, task)
        self._line.append(placed)
        self.rows.tasks.append(placed)

    def add_note(self, line: int, text: str) -> None:
        if not self.rows.tasks:
            self._problems.add(line, "TYPE", "is a note before there is a task")
            return
        task = self.rows.tasks[-1].row
        try:
            described = {"title": task.title, "description": _joined(task.description, text)}
            task.description = TaskRow.model_validate(described).description
        except ValidationError as error:
            self._problems.add(line, "CONTENT", error.errors()[0]["msg"])

    def _level(self, line: int, indent: str) -> int | None:
        level = int(indent or "1") if indent in {"", "1", "2", "3", "4", "5"} else 0
        if level == 0:
            self._problems.add(line, "INDENT", f"should be a number from 1 to {_DEEPEST}")
            return None
        if level > len(self._line) + 1:
            self._problems.add(line, "INDENT", "is deeper than one level under the task before")
            return None
        return level

    def _values(self, line: int, record: Record) -> dict[str, Any]:
        title, tags = _without_labels(record.get("CONTENT", ""))
        priority = _PRIORITIES.get(record.get("PRIORITY", ""))
        if priority is None:
            self._problems.add(line, "PRIORITY", "should be a number from 1 to 4")
        description: str | None = record.get("DESCRIPTION") or None
        when = record.get("DATE", "").strip()
        due = _due(when, record.get("TIMEZONE", ""))
        if when and due is None:
            description = _joined(description, f"DATE: {when}")
        return {
            "title": title,
            "tags": tags,
            "description": description,
            "priority": priority or Priority.NONE,
            **(due or {}),
        }


def _joined(description: str | None, text: str) -> str:
    return f"{description}\n\n{text}" if description else text


def _without_labels(content: str) -> tuple[str, list[str]]:
    labels: list[str] = []
    while found := _LABEL.search(content):
        labels.insert(0, found[1])
        content = content[: found.start()]
    return content, labels


def _due(text: str, time_zone: str) -> dict[str, Any] | None:
    """Return the due that a date says; None for words, which only Todoist understands."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    day, time, seconds = found.groups()
    try:
        if time is None:
            return {"due_on": date.fromisoformat(day).isoformat()}
        local = datetime.fromisoformat(f"{day}T{time}{seconds or ''}")
        known = is_time_zone(time_zone)
        zone = ZoneInfo(time_zone) if known else UTC
        at = local.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return {"due_at": at.isoformat(), **({"time_zone": time_zone} if known else {})}
