"""Tasks as a calendar has them: VTODO components of RFC 5545."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from icalendar import Alarm, Timezone, Todo, vRecur
from pydantic import TypeAdapter

from tasks_service.priority import Priority
from tasks_service.schemas.export import ExportedTask
from tasks_service.schemas.recurrence_rule import parse_rule

ICS_HEAD = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Taskgate//Tasks//EN\r\n"
ICS_END = b"END:VCALENDAR\r\n"
# RFC 5545 §3.8.1.9: 1 to 4 are high, 5 is medium, 6 to 9 are low.
_PRIORITIES = {Priority.URGENT: 1, Priority.HIGH: 3, Priority.MEDIUM: 5, Priority.LOW: 9}
# In which the definition of a zone lists all that its clocks do: some kilobytes for each zone.
_ZONE_YEARS = range(1970, 2200)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LINE_BREAK = re.compile(r"\r\n?")
_DURATION = TypeAdapter(timedelta)


def ics_zones(names: Iterable[str | None]) -> bytes:
    """Return the definitions of time zones that tasks refer to."""
    return b"".join(_zone(name) for name in names if name is not None)


# The same for everybody, and slow to make.
@cache
def _zone(name: str) -> bytes:
    # With a year to spare at either end, wherever on earth it is that year already, or still.
    first, last = date(_ZONE_YEARS.start - 1, 1, 1), date(_ZONE_YEARS.stop + 1, 1, 1)
    return bytes(Timezone.from_tzid(name, first_date=first, last_date=last).to_ical())


def ics_tasks(tasks: Iterable[ExportedTask]) -> bytes:
    """Return tasks as components."""
    return b"".join(bytes(_todo(task).to_ical()) for task in tasks)


def _todo(task: ExportedTask) -> Todo:
    todo = Todo()
    todo.add("uid", str(task.id))
    todo.add("dtstamp", task.updated_at)
    todo.add("created", task.created_at)
    todo.add("last-modified", task.updated_at)
    todo.add("summary", _text(task.title))
    if task.description:
        todo.add("description", _text(task.description))
    if task.tags:
        todo.add("categories", [_text(tag) for tag in task.tags])
    if task.priority in _PRIORITIES:
        todo.add("priority", _PRIORITIES[task.priority])
    todo.add("status", "COMPLETED" if task.completed else "NEEDS-ACTION")
    if task.completed_at is not None:
        todo.add("completed", task.completed_at)
    if task.parent_id is not None:
        todo.add("related-to", str(task.parent_id))
    _add_times(todo, task)
    for reminder in task.reminders:
        _add_alarm(todo, task, reminder)
    return todo


def _add_times(todo: Todo, task: ExportedTask) -> None:
    due = _due(task)
    if due is not None:
        todo.add("due", due)
    if task.recurrence is not None and due is not None:
        rule = parse_rule(task.recurrence)
        if rule.count is not None:
            rule = replace(rule, count=rule.count - task.recurrence_number + 1)
        todo.add("dtstart", due)
        todo.add("rrule", vRecur.from_ical(str(rule)))
    elif task.start_at is not None:
        _add_start(todo, task, task.start_at, due)


def _add_start(todo: Todo, task: ExportedTask, start_at: datetime, due: date | None) -> None:
    # RFC 5545 §3.8.2.3: of the same kind as the due, and before it.
    if due is None:
        todo.add("dtstart", start_at)
    elif task.due_at is None:
        if start_at.date() < due:
            todo.add("dtstart", start_at.date())
    elif start_at < task.due_at:
        todo.add("dtstart", _in_zone(start_at, task.time_zone))


def _due(task: ExportedTask) -> date | datetime | None:
    if task.due_at is None:
        return task.due_on
    if task.recurrence_local is not None and (zone := _zone_at(task.due_at, task.time_zone)):
        return task.recurrence_local.replace(tzinfo=zone)
    return _in_zone(task.due_at, task.time_zone)


def _in_zone(instant: datetime, time_zone: str | None) -> datetime:
    return instant.astimezone(_zone_at(instant, time_zone) or UTC)


def _zone_at(instant: datetime, time_zone: str | None) -> ZoneInfo | None:
    if time_zone is None or instant.year not in _ZONE_YEARS:
        return None
    return ZoneInfo(time_zone)


def _add_alarm(todo: Todo, task: ExportedTask, reminder: str) -> None:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", _text(task.title))
    if not reminder.startswith("P"):
        at = datetime.fromisoformat(reminder)
        alarm.add("trigger", at, parameters={"VALUE": "DATE-TIME"})
    elif task.due_on is None and task.due_at is None:
        return
    else:
        before = -_DURATION.validate_python(reminder)
        alarm.add("trigger", before, parameters={"RELATED": "END"})
    todo.add_component(alarm)


def _text(text: str) -> str:
    return _CONTROL.sub("", _LINE_BREAK.sub("\n", text))
