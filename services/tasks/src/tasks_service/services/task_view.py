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

_due_on, _due_at, _due = col(Task.due_on), col(Task.due_at), col(Task.due_ascending)
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
        col(Task.completed_at).is_(None), _due_at >= day.now, _due >= day.now, _due < day.end
    )
    due = soon.with_only_columns(_due_at).order_by(_due, col(Task.id)).limit(1)
    # Overdue is what was due before now, so one instant after it is due.
    next_due = await session.scalar(due)
    return day.end if next_due is None else min(next_due + _INSTANT, day.end)


# Each has a range of the column the index is on, and then says it exactly.
def _today(day: Day) -> Iterator[ColumnElement[bool]]:
    on = utc_midnight(day.date)
    yield _due >= min(day.start, on)
    yield _due < max(day.end, on + _INSTANT)
    yield or_(_due_on == day.date, and_(_due_at >= day.start, _due_at < day.end))


def _overdue(day: Day) -> Iterator[ColumnElement[bool]]:
    yield _due < max(day.now, utc_midnight(day.date))
    yield or_(_due_on < day.date, _due_at < day.now)


def _upcoming(day: Day) -> Iterator[ColumnElement[bool]]:
    yield _due >= min(day.end, utc_midnight(day.date) + _INSTANT)
    yield or_(_due_on > day.date, _due_at >= day.end)


_VIEWS: dict[View, Callable[[Day], Iterator[ColumnElement[bool]]]] = {
    "today": _today,
    "overdue": _overdue,
    "upcoming": _upcoming,
}
