"""Lists of a user's tasks, by the page or whole."""

from sqlalchemy.ext.asyncio import AsyncSession

from tasks_service.schemas.phase_two import PhaseTwoQuery
from tasks_service.schemas.task import TaskPage, TaskQuery, TaskRead
from tasks_service.services.cursor import CursorSealer
from tasks_service.services.keyset import PageRequest, read_page
from tasks_service.services.task_query import TaskFilter, keyset_of, select_tasks
from tasks_service.services.task_rows import as_task


async def list_tasks(
    session: AsyncSession, user_id: str, query: TaskQuery, cursors: CursorSealer
) -> TaskPage:
    """Return one page. Raises `InvalidCursorError` for a cursor of another user or query."""
    task_filter = _task_filter(query)
    statement = select_tasks(user_id, task_filter)
    keyset = keyset_of(user_id, task_filter, query.order())
    page = PageRequest(user_id, query.filters(), query.limit, query.cursor)
    rows, next_cursor = await read_page(session, statement, keyset, page, cursors)
    return TaskPage.model_construct(items=[as_task(row) for row in rows], next_cursor=next_cursor)


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


def _task_filter(query: TaskQuery) -> TaskFilter:
    return TaskFilter(
        completed=query.completed,
        priorities=query.priority,
        tags=query.tag,
        due_before=query.due_before,
        due_after=query.due_after,
        words=query.q,
        updated_after=query.updated_after,
        has_due=query.has_due,
        list_id=query.list_id,
        parent_id=query.parent_id,
    )
