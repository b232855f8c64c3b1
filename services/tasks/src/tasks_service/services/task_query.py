"""The statement behind every list of tasks: filters, order and the place to go on from."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Uuid, literal, or_, tuple_
from sqlmodel import col

from tasks_service.models import Task
from tasks_service.priority import Priority
from tasks_service.schemas.task import Sort
from tasks_service.services.task_rows import owned_by

SORT_KEY = "sort_key"


@dataclass(frozen=True, kw_only=True)
class TaskFilter:
    """Which of a user's tasks; the conditions combine, and an empty one asks for nothing."""

    completed: bool | None = None
    priorities: Sequence[Priority] = ()
    tags: Sequence[str] = ()
    due_before: datetime | None = None
    due_after: datetime | None = None
    search: str | None = None


@dataclass(frozen=True)
class _SortKey:
    column: Any
    read: Callable[[str], Any]


_BY_INSTANT = datetime.fromisoformat
# Each column has its index; the two for `due` differ in where no due time stands.
_SORT_KEYS: dict[Sort, _SortKey] = {
    "created_at": _SortKey(col(Task.created_at), _BY_INSTANT),
    "-created_at": _SortKey(col(Task.created_at), _BY_INSTANT),
    "updated_at": _SortKey(col(Task.updated_at), _BY_INSTANT),
    "-updated_at": _SortKey(col(Task.updated_at), _BY_INSTANT),
    "due": _SortKey(col(Task.due_ascending), _BY_INSTANT),
    "-due": _SortKey(col(Task.due_descending), _BY_INSTANT),
    "priority": _SortKey(col(Task.priority), Priority),
    "-priority": _SortKey(col(Task.priority), Priority),
    "title": _SortKey(col(Task.title_key), str),
    "-title": _SortKey(col(Task.title_key), str),
}


def select_tasks(user_id: str, task_filter: TaskFilter, sort: Sort) -> Select[*tuple[Any, ...]]:
    """Select a user's tasks in order, each with the value it sorts by as `sort_key`."""
    column = _SORT_KEYS[sort].column
    order = (column.asc(), col(Task.id).asc())
    if sort.startswith("-"):
        order = (column.desc(), col(Task.id).desc())
    return (
        owned_by(user_id)
        .add_columns(column.label(SORT_KEY))
        .where(*_conditions(task_filter))
        .order_by(*order)
    )


def after(sort: Sort, sort_key: str, task_id: UUID) -> ColumnElement[bool]:
    """Keep what comes after a task; one comparison of rows, which the index answers."""
    key = _SORT_KEYS[sort]
    here = tuple_(literal(key.read(sort_key), key.column.type), literal(task_id, Uuid()))
    row = tuple_(key.column, col(Task.id))
    return row < here if sort.startswith("-") else row > here


def sort_key_text(value: object) -> str:
    """Write a `sort_key` as `after` reads it."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _conditions(wanted: TaskFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.completed is not None:
        completed_at = col(Task.completed_at)
        yield completed_at.is_not(None) if wanted.completed else completed_at.is_(None)
    if wanted.priorities:
        yield col(Task.priority).in_(sorted(set(wanted.priorities)))
    if wanted.tags:
        yield col(Task.tag_keys).contains([tag.casefold() for tag in wanted.tags])
    if wanted.due_before is not None:
        # No due time is infinitely late in this column, so before nothing.
        yield col(Task.due_ascending) < wanted.due_before
    if wanted.due_after is not None:
        # It is infinitely early in this one, but asyncpg sends the year 1 as -infinity too.
        yield col(Task.due_descending) >= wanted.due_after
        yield or_(col(Task.due_on).is_not(None), col(Task.due_at).is_not(None))
    if wanted.search:
        yield or_(
            col(Task.title).icontains(wanted.search, autoescape=True),
            col(Task.description).icontains(wanted.search, autoescape=True),
        )
