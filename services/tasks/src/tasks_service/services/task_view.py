"""The views: open tasks by when they are due, seen from one day."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Date, and_, bindparam, or_
from sqlmodel import col

from tasks_service.models import Task
from tasks_service.models.column_types import UtcDateTime
from tasks_service.reads import Query, Reads
from tasks_service.schemas.task import View
from tasks_service.services.day import Day, utc_midnight
from tasks_service.services.task_rows import OWNER, owned_by

_INSTANT = timedelta(microseconds=1)
_due_on, _due_at, _due = col(Task.due_on), col(Task.due_at), col(Task.due_ascending)
_open = col(Task.completed_at).is_(None)


def _at(name: str) -> Any:  # noqa: ANN401 - a parameter goes wherever its column would
    return bindparam(name, type_=UtcDateTime())


_DATE: Any = bindparam("date", type_=Date())
# Each has a range of the column the index is on, and then says it exactly.
VIEWS: Mapping[str, ColumnElement[bool]] = {
    "today": and_(
        _open,
        _due >= _at("today_from"),
        _due < _at("today_until"),
        or_(_due_on == _DATE, and_(_due_at >= _at("day_start"), _due_at < _at("day_end"))),
    ),
    "overdue": and_(_open, _due < _at("overdue_until"), or_(_due_on < _DATE, _due_at < _at("now"))),
    "upcoming": and_(
        _open, _due >= _at("upcoming_from"), or_(_due_on > _DATE, _due_at >= _at("day_end"))
    ),
}
_NEXT_DUE = Query(
    owned_by(OWNER)
    .where(_open, _due_at >= _at("now"), _due >= _at("now"), _due < _at("day_end"))
    .with_only_columns(_due_at)
    .order_by(_due, col(Task.id))
    .limit(1)
)


def seen_from(day: Day) -> dict[str, Any]:
    """Return the parameters of all views."""
    on = utc_midnight(day.date)
    return {
        "date": day.date,
        "now": day.now,
        "day_start": day.start,
        "day_end": day.end,
        "today_from": min(day.start, on),
        "today_until": max(day.end, on + _INSTANT),
        "overdue_until": max(day.now, on),
        "upcoming_from": min(day.end, on + _INSTANT),
    }


async def view_changes_at(reads: Reads, user_id: str, view: View, day: Day) -> datetime:
    """Return when the view may hold other tasks though nobody writes."""
    if view != "overdue":
        return day.end
    soon = await reads.row(_NEXT_DUE, {"user_id": user_id, **seen_from(day)})
    # Overdue is what was due before now, so one instant after it is due.
    return day.end if soon is None else min(soon["due_at"] + _INSTANT, day.end)
