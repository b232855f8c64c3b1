"""The views: open tasks by when they are due, seen from one day."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tasks_service.models import Task
from tasks_service.schemas.task import View
from tasks_service.services.day import Day, utc_midnight
from tasks_service.services.task_rows import owned_by

_ON, _AT, _DUE = col(Task.due_on), col(Task.due_at), col(Task.due_ascending)
_INSTANT = timedelta(microseconds=1)


def in_view(view: View, day: Day) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of a view."""
    yield col(Task.completed_at).is_(None)
    yield from _VIEWS[view](day)


async def view_changes_at(session: AsyncSession, user_id: str, view: View, day: Day) -> datetime:
    """Return when the view may hold other tasks though nobody writes."""
    if view != "overdue":
        return day.end
    soon = owned_by(user_id).where(
        col(Task.completed_at).is_(None), day.now <= _AT, day.now <= _DUE, day.end > _DUE
    )
    due = soon.with_only_columns(_AT).order_by(_DUE, col(Task.id)).limit(1)
    # Overdue is what was due before now, so one instant after it is due.
    next_due = await session.scalar(due)
    return day.end if next_due is None else min(next_due + _INSTANT, day.end)


# Each has a range of the column the index is on, and then says it exactly.
def _today(day: Day) -> Iterator[ColumnElement[bool]]:
    on = utc_midnight(day.date)
    yield min(day.start, on) <= _DUE
    yield max(day.end, on + _INSTANT) > _DUE
    yield or_(col(Task.due_on) == day.date, and_(day.start <= _AT, day.end > _AT))


def _overdue(day: Day) -> Iterator[ColumnElement[bool]]:
    yield max(day.now, utc_midnight(day.date)) > _DUE
    yield or_(day.date > _ON, day.now > _AT)


def _upcoming(day: Day) -> Iterator[ColumnElement[bool]]:
    yield min(day.end, utc_midnight(day.date) + _INSTANT) <= _DUE
    yield or_(day.date < _ON, day.end <= _AT)


_VIEWS: dict[View, Callable[[Day], Iterator[ColumnElement[bool]]]] = {
    "today": _today,
    "overdue": _overdue,
    "upcoming": _upcoming,
}
