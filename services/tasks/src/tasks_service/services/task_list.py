"""Lists of a user's tasks, by the page or whole."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, func
from sqlalchemy.ext.asyncio import AsyncSession

from service_kit.clock import utc_now
from tasks_service.schemas.phase_two import PhaseTwoQuery
from tasks_service.schemas.task import TaskPage, TaskQuery, TaskRead, TaskView
from tasks_service.services.cursor import CursorSealer
from tasks_service.services.day import Day
from tasks_service.services.keyset import PageRequest, read_page
from tasks_service.services.tag_filter import tagged_with
from tasks_service.services.task_query import TaskFilter, keyset_of, select_tasks
from tasks_service.services.task_rows import as_task
from tasks_service.services.task_view import in_view, view_changes_at


async def list_tasks(
    session: AsyncSession, user_id: str, query: TaskQuery, cursors: CursorSealer
) -> TaskPage:
    """Return one page; a `TaskView` if the query names a view.

    Raises `InvalidCursorError` for a cursor of another user or query.
    """
    if query.view is None:
        return TaskPage.model_construct(**await _page(session, user_id, query, cursors))
    day = Day.at(utc_now(), query.time_zone or "UTC")
    page = await _page(session, user_id, query, cursors, in_view(query.view, day))
    changes_at = await view_changes_at(session, user_id, query.view, day)
    return TaskView.model_construct(**page, changes_at=changes_at)


async def list_every_task(
    session: AsyncSession, user_id: str, query: PhaseTwoQuery
) -> list[TaskRead]:
    """Return all tasks that match."""
    if query.completed is not None and query.status != "all":
        wanted = query.status == "completed"
        if wanted != query.completed:
            return []
    completed = query.completed if query.status == "all" else query.status == "completed"
    task_filter = TaskFilter(
        completed=completed,
        priorities=[query.priority] if query.priority else [],
        search=query.search,
    )
    keyset = keyset_of(user_id, task_filter, query.task_sort())
    rows = await session.execute(keyset.ordered(select_tasks(user_id, task_filter)))
    return [as_task(row) for row in rows]


async def _page(
    session: AsyncSession,
    user_id: str,
    query: TaskQuery,
    cursors: CursorSealer,
    conditions: Iterable[ColumnElement[bool]] = (),
) -> dict[str, Any]:
    """Return the fields of a page, only those that were asked for."""
    task_filter = _task_filter(query)
    tagged = await tagged_with(session, user_id, query.tag)
    statement = select_tasks(user_id, task_filter).where(*tagged, *conditions)
    keyset = keyset_of(user_id, task_filter, query.order())
    page = PageRequest.of(user_id, query.filters(), query)
    rows, next_cursor = await read_page(session, statement, keyset, page, cursors)
    fields = {"items": [as_task(row) for row in rows], "next_cursor": next_cursor}
    if not query.count:
        return fields
    counted = statement.with_only_columns(func.count(), maintain_column_froms=True)
    return fields | {"count": await session.scalar(counted)}


def _task_filter(query: TaskQuery) -> TaskFilter:
    return TaskFilter(
        completed=query.completed,
        priorities=query.priority,
        due_before=query.due_before,
        due_after=query.due_after,
        words=query.q,
        updated_after=query.updated_after,
        has_due=query.has_due,
        list_id=query.list_id,
        parent_id=query.parent_id,
    )
