"""Numbers about a user's tasks: one statement counts them all, another those lately completed."""

from collections import Counter
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import col

from service_kit.clock import utc_now
from tasks_service.models import Task
from tasks_service.models.column_types import UtcDateTime
from tasks_service.priority import Priority
from tasks_service.reads import Query, Reads
from tasks_service.schemas.stats import DayStats, ListStats, Stats, StatsQuery
from tasks_service.services.account import require_cursor_read
from tasks_service.services.day import Day, midnight
from tasks_service.services.task_rows import OWNER
from tasks_service.services.task_view import VIEWS, seen_from

_DAYS = 30
_completed_at = col(Task.completed_at)
_BY_RANK = list(Priority)


async def get_stats(reads: Reads, user_id: str, query: StatsQuery) -> Stats:
    """Count a user's tasks, as it is now where they are. Raises `InvalidCursorError`."""
    await require_cursor_read(reads, user_id, query.min_cursor)
    today = Day.at(utc_now(), query.time_zone)
    groups = await reads.rows(_GROUPS, {"user_id": user_id, **seen_from(today)})
    lists: dict[Any, Counter[str]] = {}
    priorities = dict.fromkeys(Priority, 0)
    for group in groups:
        lists.setdefault(group["list_id"], Counter()).update(
            open=group["open"], completed=group["completed"]
        )
        priorities[_BY_RANK[group["priority"]]] += group["open"]
    return Stats(
        open=sum(group["open"] for group in groups),
        completed=sum(group["completed"] for group in groups),
        overdue=sum(group["overdue"] for group in groups),
        due_today=sum(group["due_today"] for group in groups),
        by_list=[
            ListStats(list_id=list_id, **lists[list_id]) for list_id in sorted(lists, key=str)
        ],
        by_priority=priorities,
        completed_per_day=await _per_day(reads, user_id, today, query.time_zone),
    )


def _number(name: str, condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(condition).label(name)


def _groups() -> Select[*tuple[Any, ...]]:
    home = (col(Task.list_id), col(Task.priority))
    return (
        select(
            *home,
            _number("open", _completed_at.is_(None)),
            _number("completed", _completed_at.is_not(None)),
            _number("overdue", VIEWS["overdue"]),
            _number("due_today", VIEWS["today"]),
        )
        .where(col(Task.user_id) == OWNER, col(Task.deleted_at).is_(None))
        .group_by(*home)
    )


def _days() -> Select[*tuple[Any, ...]]:
    day = func.width_bucket(_completed_at, bindparam("starts", type_=ARRAY(UtcDateTime)))
    return (
        select(day, func.count())
        .where(
            col(Task.user_id) == OWNER,
            col(Task.deleted_at).is_(None),
            _completed_at >= bindparam("start", type_=UtcDateTime()),
            _completed_at < bindparam("end", type_=UtcDateTime()),
        )
        .group_by(day)
    )


_GROUPS, _PER_DAY = Query(_groups()), Query(_days())


async def _per_day(reads: Reads, user_id: str, today: Day, time_zone: str) -> list[DayStats]:
    dates = [today.date - timedelta(days=ago) for ago in reversed(range(_DAYS))]
    # PostgreSQL may know other zones than Python, so it gets the midnights.
    starts = [midnight(date, time_zone) for date in dates]
    span = {"starts": starts, "start": starts[0], "end": today.end}
    counts: dict[int, int] = dict(await reads.rows(_PER_DAY, {"user_id": user_id, **span}))
    return [
        DayStats(date=date, completed=counts.get(number, 0)) for number, date in enumerate(dates, 1)
    ]
