"""Numbers about a user's tasks: most are kept as tasks are written, the rest is counted."""

from collections import Counter
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, select, union_all
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import col

from service_kit.clock import utc_now
from tasks_service.models import Completion, Task, TaskCount
from tasks_service.models.column_types import UtcDateTime
from tasks_service.priority import Priority
from tasks_service.reads import Query, Reads
from tasks_service.schemas.stats import DayStats, ListStats, Stats, StatsQuery
from tasks_service.services.account import require_cursor_read
from tasks_service.services.day import Day, midnight
from tasks_service.services.task_rows import OWNER
from tasks_service.services.task_view import VIEWS, seen_from

_DAYS = 30
_completed_at, _recorded_at = col(Task.completed_at), col(Completion.completed_at)
_BY_RANK = list(Priority)
_LIVE = (col(Task.user_id) == OWNER, col(Task.deleted_at).is_(None))


async def get_stats(reads: Reads, user_id: str, query: StatsQuery) -> Stats:
    """Count a user's tasks, as it is now where they are. Raises `InvalidCursorError`."""
    await require_cursor_read(reads, user_id, query.min_cursor)
    today = Day.at(utc_now(), query.time_zone)
    groups = await reads.rows(_GROUPS, {"user_id": user_id, **seen_from(today)})
    lists: dict[Any, Counter[str]] = {}
    priorities = dict.fromkeys(Priority, 0)
    for group in groups:
        if group["open"] or group["completed"]:
            lists.setdefault(group["list_id"], Counter()).update(
                open=group["open"], completed=group["completed"]
            )
        priorities[_BY_RANK[group["priority"]]] += group["open"]
    return Stats(
        open=sum(group["open"] for group in groups),
        completed=sum(group["completed"] for group in groups),
        overdue=groups[0]["overdue"] if groups else 0,
        due_today=groups[0]["due_today"] if groups else 0,
        by_list=[
            ListStats(list_id=list_id, **lists[list_id]) for list_id in sorted(lists, key=str)
        ],
        by_priority=priorities,
        completed_per_day=await _per_day(reads, user_id, today, query.time_zone),
    )


def _groups() -> Select[*tuple[Any, ...]]:
    """Select the kept numbers, and beside each of them those that are counted, once."""
    counts = (TaskCount.list_id, TaskCount.priority, TaskCount.open, TaskCount.completed)
    return select(
        *(col(number) for number in counts),
        _number(VIEWS["overdue"]).label("overdue"),
        _number(VIEWS["today"]).label("due_today"),
    ).where(col(TaskCount.user_id) == OWNER)


def _number(view: ColumnElement[bool]) -> ColumnElement[int]:
    return select(func.count()).select_from(Task).where(*_LIVE, view).scalar_subquery()


def _days() -> Select[*tuple[Any, ...]]:
    tasks = select(_completed_at).where(*_LIVE, *_within(_completed_at))
    completions = select(_recorded_at).where(
        col(Completion.user_id) == OWNER, *_within(_recorded_at), _counts()
    )
    done = union_all(tasks, completions).subquery()
    starts = bindparam("starts", type_=ARRAY(UtcDateTime))
    day = func.width_bucket(done.c.completed_at, starts)
    return select(day, func.count()).group_by(day)


def _counts() -> ColumnElement[bool]:
    # A rule that has ended left a completion and a completed task, of the same instant. No join,
    # for which PostgreSQL might read all tasks of the user.
    more = select(_completed_at.is_distinct_from(_recorded_at)).where(
        *_LIVE, col(Task.id) == col(Completion.task_id)
    )
    return more.correlate(Completion).scalar_subquery().is_(True)


def _within(instant: Any) -> tuple[ColumnElement[bool], ...]:  # noqa: ANN401 - a column
    start, end = (bindparam(name, type_=UtcDateTime()) for name in ("start", "end"))
    return (instant >= start, instant < end)


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
