"""The record of when a recurring task was done."""

from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from uuid_utils.compat import uuid7

from tasks_service.models import Completion
from tasks_service.schemas.completion import CompletionPage, CompletionRead
from tasks_service.schemas.query import PageQuery
from tasks_service.services.account import Stamp
from tasks_service.services.cursor import CursorSealer
from tasks_service.services.keyset import Keyset, PageRequest, read_page
from tasks_service.services.task_rows import get_owned

_LATEST_FIRST = Keyset(col(Completion.completed_at), col(Completion.id), descending=True)
_COLUMNS = (
    col(Completion.id),
    col(Completion.due_on),
    col(Completion.due_at),
    col(Completion.completed_at),
    col(Completion.version),
)


async def list_completions(
    session: AsyncSession, user_id: str, task_id: UUID, query: PageQuery, cursors: CursorSealer
) -> CompletionPage:
    """Return a page of a task's completions, the latest first.

    Raises `TaskNotFoundError` and `InvalidCursorError`.
    """
    await get_owned(session, user_id, task_id)
    statement = select(*_COLUMNS).where(
        col(Completion.user_id) == user_id, col(Completion.task_id) == task_id
    )
    page = PageRequest.of(user_id, f"completions {task_id}", query)
    rows, next_cursor = await read_page(session, statement, _LATEST_FIRST, page, cursors)
    items = [CompletionRead.model_validate(row) for row in rows]
    return CompletionPage.model_construct(items=items, next_cursor=next_cursor)


async def record_completion(
    session: AsyncSession, user_id: str, task_id: UUID, due: dict[str, Any], stamp: Stamp
) -> None:
    """Keep that a task was done; `due` has the `due_on` and `due_at` it was for."""
    await session.execute(
        insert(Completion).values(
            user_id=user_id,
            id=uuid7(),
            task_id=task_id,
            due_on=due["due_on"],
            due_at=due["due_at"],
            completed_at=stamp.at,
            version=stamp.version,
            created_at=stamp.at,
            updated_at=stamp.at,
        )
    )
