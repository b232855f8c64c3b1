"""Lists of a user's tasks, by the page or whole."""

from sqlalchemy.ext.asyncio import AsyncSession

from tasks_service.schemas.phase_two import PhaseTwoQuery
from tasks_service.schemas.task import TaskPage, TaskQuery, TaskRead
from tasks_service.services.cursor import CursorSealer
from tasks_service.services.task_query import (
    SORT_KEY,
    TaskFilter,
    after,
    select_tasks,
    sort_key_text,
)
from tasks_service.services.task_rows import as_task


async def list_tasks(
    session: AsyncSession, user_id: str, query: TaskQuery, cursors: CursorSealer
) -> TaskPage:
    """Return one page. Raises `InvalidCursorError` for a cursor of another user or query."""
    statement = select_tasks(user_id, _task_filter(query), query.sort)
    bound = query.model_dump_json(exclude={"limit", "cursor"})
    if query.cursor is not None:
        statement = statement.where(after(query.sort, *cursors.open(user_id, bound, query.cursor)))
    # One more than asked for tells whether there is another page.
    rows = (await session.execute(statement.limit(query.limit + 1))).all()
    page = rows[: query.limit]
    next_cursor = None
    if len(rows) > len(page):
        last = page[-1]
        sort_key = sort_key_text(getattr(last, SORT_KEY))
        next_cursor = cursors.seal(user_id, bound, sort_key, last.id)
    return TaskPage.model_construct(items=[as_task(row) for row in page], next_cursor=next_cursor)


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
    rows = await session.execute(select_tasks(user_id, task_filter, query.task_sort()))
    return [as_task(row) for row in rows]


def _task_filter(query: TaskQuery) -> TaskFilter:
    return TaskFilter(
        completed=query.completed,
        priorities=query.priority,
        tags=query.tag,
        due_before=query.due_before,
        due_after=query.due_after,
    )
