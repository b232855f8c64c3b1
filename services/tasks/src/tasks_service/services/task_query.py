"""The statement behind every list of tasks: its filters and orders.

A filter is a condition by name; the parameters it takes are named in it. So the names of the
filters make the statement, which is compiled once, and their values are its parameters.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    REAL,
    Boolean,
    ColumnElement,
    Integer,
    Select,
    String,
    Uuid,
    and_,
    any_,
    bindparam,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped
from sqlmodel import col

from tasks_service.models import Task
from tasks_service.models.column_types import PriorityRank, UtcDateTime
from tasks_service.priority import Priority
from tasks_service.reads import Query
from tasks_service.schemas.task import Sort, TaskQuery
from tasks_service.services.kept_number import is_kept, kept_number
from tasks_service.services.keyset import Keyset, as_text
from tasks_service.services.tag_filter import TAG_FILTERS
from tasks_service.services.task_rows import OWNER, TASK_COLUMNS, owned_by
from tasks_service.services.task_view import VIEWS
from tasks_service.services.word_filter import WORD_FILTERS, WORDS, among_matches

# More than any frontend has; others are compiled anew when they come again.
_STATEMENTS = 500

_PATTERN: Any = func.lower(bindparam("search", type_=String()))
_completed_at, _due_on, _due_at = col(Task.completed_at), col(Task.due_on), col(Task.due_at)


def _instant(name: str) -> Any:  # noqa: ANN401 - a parameter goes wherever its column would
    return bindparam(name, type_=UtcDateTime())


def _id(name: str) -> Any:  # noqa: ANN401 - as above
    return bindparam(name, type_=Uuid())


_FILTERS: Mapping[str, ColumnElement[bool]] = {
    "completed": _completed_at.is_not(None),
    "open": _completed_at.is_(None),
    "priorities": col(Task.priority) == any_(bindparam("priorities", type_=ARRAY(PriorityRank))),
    # No due time is infinitely late in this column, so before nothing.
    "due_before": col(Task.due_ascending) < _instant("due_before"),
    # It is infinitely early in this one, but asyncpg sends the year 1 as -infinity too.
    "due_after": and_(
        col(Task.due_descending) >= _instant("due_after"),
        or_(_due_on.is_not(None), _due_at.is_not(None)),
    ),
    "updated_after": col(Task.updated_at) >= _instant("updated_after"),
    "has_due": (func.num_nonnulls(_due_on, _due_at) > 0) == bindparam("has_due", type_=Boolean()),
    "list_id": col(Task.list_id) == _id("list_id"),
    "no_list_id": col(Task.list_id).is_(None),
    "parent_id": col(Task.parent_id) == _id("parent_id"),
    "no_parent_id": col(Task.parent_id).is_(None),
    "search": or_(
        func.lower(col(Task.title)).like(_PATTERN, escape="/"),
        func.lower(col(Task.description)).like(_PATTERN, escape="/"),
    ),
    **VIEWS,
    **TAG_FILTERS,
    **WORD_FILTERS,
}


def _both_ways(
    name: str,
    column: Mapped[Any],
    read: Callable[[str], Any],
    write: Callable[[Any], str] = as_text,
) -> dict[str, Keyset]:
    return {
        name: Keyset(column, col(Task.id), read, write),
        f"-{name}": Keyset(column, col(Task.id), read, write, descending=True),
    }


_BY_INSTANT = datetime.fromisoformat
_BY_RANK = list(Priority)
# Each column has its index; the two for `due` differ in where no due time stands. The words of
# `relevance` are ranked by those asked for.
KEYSETS: Mapping[str, Keyset] = {
    **_both_ways("created_at", col(Task.created_at), _BY_INSTANT),
    **_both_ways("updated_at", col(Task.updated_at), _BY_INSTANT),
    "due": Keyset(col(Task.due_ascending), col(Task.id)),
    "-due": Keyset(col(Task.due_descending), col(Task.id), descending=True),
    **_both_ways("priority", col(Task.priority), Priority, _BY_RANK.__getitem__),
    **_both_ways("title", col(Task.title_key), str),
    **_both_ways("position", col(Task.position), str),
    "relevance": Keyset(col(Task.search), col(Task.id), float, descending=True),
}


def walked(sort: Sort) -> Keyset:
    """Return the order in which tasks are looked through for a page in another."""
    return KEYSETS["-created_at" if sort == "relevance" else sort]


def filters_of(query: TaskQuery) -> dict[str, Any]:
    """Return the filters that a query asks for, each with the value of its parameter."""
    wanted = {
        "completed": query.completed is True or None,
        "open": query.completed is False or None,
        "priorities": query.priority or None,
        "due_before": query.due_before,
        "due_after": query.due_after,
        "updated_after": query.updated_after,
        "has_due": query.has_due,
        **_home("list_id", query.list_id),
        **_home("parent_id", query.parent_id),
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _home(name: str, wanted: object) -> dict[str, object]:
    return {f"no_{name}": True} if wanted == "none" else {name: wanted}


def containing(text: str) -> str:
    """Return the pattern of the filter `search`: whatever has this text somewhere in it."""
    escaped = text.replace("/", "//").replace("%", "/%").replace("_", "/_")
    return f"%{escaped}%"


@lru_cache(_STATEMENTS)
def page_query(filters: frozenset[str], sort: Sort, *, first: bool) -> Query:
    """Return the query for a page of the owner's tasks, in an order.

    By relevance the page is one of the newest `ranked` tasks.
    """
    tasks, keyset = _select_tasks(filters), KEYSETS[sort]
    if sort == "relevance":
        found = tasks.selected_columns
        newest = tasks.order_by(found.created_at.desc(), found.id.desc())
        tasks, keyset = _within(newest.limit(bindparam("ranked", type_=Integer())), keyset)
        keyset = replace(keyset, column=func.ts_rank(keyset.column, WORDS, type_=REAL))
    return _query(keyset.page(tasks, first=first), filters)


def _within(
    tasks: Select[*tuple[Any, ...]], keyset: Keyset
) -> tuple[Select[*tuple[Any, ...]], Keyset]:
    """Return a select from the tasks that another one finds, and their order by what it has."""
    columns = tasks.add_columns(keyset.column.label("key")).subquery().c
    task_columns: Any = TASK_COLUMNS
    outer = select(*(columns[column.key] for column in task_columns))
    return outer, replace(keyset, column=columns.key, row_id=columns.id)


@lru_cache(_STATEMENTS)
def every_query(filters: frozenset[str], sort: Sort) -> Query:
    """Return the query for all of the owner's tasks, in an order."""
    return Query(KEYSETS[sort].ordered(_select_tasks(filters)))


@lru_cache(_STATEMENTS)
def count_query(filters: frozenset[str]) -> Query:
    """Return the query for their number, which stops at `most` where it has to count."""
    if is_kept(filters):
        return Query(kept_number(filters))
    most = bindparam("most", type_=Integer())
    some = _select_tasks(filters).with_only_columns(col(Task.id)).limit(most).subquery()
    return _query(select(func.count()).select_from(some), filters)


def _select_tasks(filters: Collection[str]) -> Select[*tuple[Any, ...]]:
    return owned_by(OWNER).where(*(_FILTERS[name] for name in sorted(filters)))


def _query(statement: Select[*tuple[Any, ...]], filters: Collection[str]) -> Query:
    return Query(among_matches(statement) if "words" in filters else statement)
