"""The statement behind every list of tasks: its filters and orders."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import REAL, ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Mapped
from sqlmodel import col

from tasks_service.models import Task
from tasks_service.priority import Priority
from tasks_service.schemas.task import Sort
from tasks_service.services.keyset import Keyset
from tasks_service.services.task_rows import owned_by


@dataclass(frozen=True, kw_only=True)
class TaskFilter:
    """Which of a user's tasks; the conditions combine, and an empty one asks for nothing."""

    completed: bool | None = None
    priorities: Sequence[Priority] = ()
    due_before: datetime | None = None
    due_after: datetime | None = None
    search: str | None = None
    words: str | None = None
    updated_after: datetime | None = None
    has_due: bool | None = None
    list_id: UUID | Literal["none"] | None = None
    parent_id: UUID | Literal["none"] | None = None


def _both_ways(name: str, column: Mapped[Any], read: Callable[[str], Any]) -> dict[str, Keyset]:
    return {
        name: Keyset(column, col(Task.id), read),
        f"-{name}": Keyset(column, col(Task.id), read, descending=True),
    }


_BY_INSTANT = datetime.fromisoformat
# Each column has its index; the two for `due` differ in where no due time stands.
KEYSETS: Mapping[str, Keyset] = {
    **_both_ways("created_at", col(Task.created_at), _BY_INSTANT),
    **_both_ways("updated_at", col(Task.updated_at), _BY_INSTANT),
    "due": Keyset(col(Task.due_ascending), col(Task.id)),
    "-due": Keyset(col(Task.due_descending), col(Task.id), descending=True),
    **_both_ways("priority", col(Task.priority), Priority),
    **_both_ways("title", col(Task.title_key), str),
    **_both_ways("position", col(Task.position), str),
}


def keyset_of(user_id: str, task_filter: TaskFilter, sort: Sort) -> Keyset:
    """Return the order of a user's tasks; `relevance` is that to the words of the filter."""
    if sort != "relevance":
        return KEYSETS[sort]
    rank: Any = func.ts_rank(col(Task.search), _words(user_id, task_filter), type_=REAL)
    return Keyset(rank, col(Task.id), float, descending=True)


def select_tasks(user_id: str, task_filter: TaskFilter) -> Select[*tuple[Any, ...]]:
    """Select the user's tasks that meet the filter."""
    statement = owned_by(user_id).where(*_conditions(task_filter))
    if task_filter.words is not None:
        found = col(Task.search).op("@@")(_words(user_id, task_filter))
        return statement.where(found)
    return statement


def _words(user_id: str, task_filter: TaskFilter) -> ColumnElement[Any]:
    # A subquery is worked out once; a plan for any words would call the function for every row.
    return select(func.user_query(user_id, task_filter.words)).scalar_subquery()


def _conditions(wanted: TaskFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.completed is not None:
        completed_at = col(Task.completed_at)
        yield completed_at.is_not(None) if wanted.completed else completed_at.is_(None)
    if wanted.priorities:
        yield col(Task.priority).in_(sorted(set(wanted.priorities)))
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
    if wanted.updated_after is not None:
        yield col(Task.updated_at) >= wanted.updated_after
    if wanted.has_due is not None:
        yield (func.num_nonnulls(col(Task.due_on), col(Task.due_at)) > 0).is_(wanted.has_due)
    yield from _of_home(wanted)


def _of_home(wanted: TaskFilter) -> Iterator[ColumnElement[bool]]:
    for column, wanted_id in (
        (col(Task.list_id), wanted.list_id),
        (col(Task.parent_id), wanted.parent_id),
    ):
        if wanted_id is not None:
            yield column == (None if wanted_id == "none" else wanted_id)
