"""Numbers about a user's tasks: one statement counts them all, another those lately completed."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from service_kit.clock import utc_now
from tasks_service.models import Task
from tasks_service.models.column_types import UtcDateTime
from tasks_service.priority import Priority
from tasks_service.schemas.stats import DayStats, ListStats, Stats, StatsQuery
from tasks_service.services.account import require_cursor
from tasks_service.services.day import Day, midnight
from tasks_service.services.task_view import in_view

_DAYS = 30
_completed_at = col(Task.completed_at)


async def get_stats(session: AsyncSession, user_id: str, query: StatsQuery) -> Stats:
    """Count a user's tasks, as it is now where they are. Raises `InvalidCursorError`."""
    await require_cursor(session, user_id, query.min_cursor)
    today = Day.at(utc_now(), query.time_zone)
    groups = await _groups(session, user_id, today)
    lists: dict[Any, Counter[str]] = {}
    priorities = dict.fromkeys(Priority, 0)
    for group in groups:
        lists.setdefault(group.list_id, Counter()).update(
            open=group.open, completed=group.completed
        )
        priorities[group.priority] += group.open
    return Stats(
        open=sum(group.open for group in groups),
        completed=sum(group.completed for group in groups),
        overdue=sum(group.overdue for group in groups),
        due_today=sum(group.due_today for group in groups),
        by_list=[
            ListStats(list_id=list_id, **lists[list_id]) for list_id in sorted(lists, key=str)
        ],
        by_priority=priorities,
        completed_per_day=await _per_day(session, user_id, today, query.time_zone),
    )


async def _groups(session: AsyncSession, user_id: str, today: Day) -> Sequence[Any]:
    def number(name: str, *conditions: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count().filter(*conditions).label(name)

    home = (col(Task.list_id), col(Task.priority))
    statement = (
        select(
            *home,
            number("open", _completed_at.is_(None)),
            number("completed", _completed_at.is_not(None)),
            number("overdue", *in_view("overdue", today)),
            number("due_today", *in_view("today", today)),
        )
        .where(col(Task.user_id) == user_id, col(Task.deleted_at).is_(None))
        .group_by(*home)
    )
    return (await session.execute(statement)).all()


async def _per_day(
    session: AsyncSession, user_id: str, today: Day, time_zone: str
) -> list[DayStats]:
    dates = [today.date - timedelta(days=ago) for ago in reversed(range(_DAYS))]
    # PostgreSQL may know other zones than Python, so it gets the midnights.
    starts = [midnight(date, time_zone) for date in dates]
    bucket = func.width_bucket(_completed_at, literal(starts, ARRAY(UtcDateTime)))
    counted = await session.execute(
        select(bucket, func.count())
        .where(
            col(Task.user_id) == user_id,
            col(Task.deleted_at).is_(None),
            _completed_at >= starts[0],
            _completed_at < today.end,
        )
        .group_by(bucket)
    )
    counts: dict[int, int] = dict(counted.all())
    return [
        DayStats(date=date, completed=counts.get(number, 0)) for number, date in enumerate(dates, 1)
    ]
