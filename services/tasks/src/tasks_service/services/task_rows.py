"""Where every query for tasks starts, and how its rows become tasks."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, Select, String, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tasks_service.errors import TaskNotFoundError
from tasks_service.models import Task
from tasks_service.priority import Priority
from tasks_service.schemas.task import TaskRead
from tasks_service.schemas.task_json import TaskJson

TASK_COLUMNS = (
    col(Task.id),
    col(Task.title),
    col(Task.description),
    col(Task.completed_at).is_not(None).label("completed"),
    col(Task.completed_at),
    col(Task.priority),
    col(Task.due_on),
    col(Task.due_at),
    col(Task.time_zone),
    col(Task.start_at),
    col(Task.reminders),
    col(Task.recurrence),
    col(Task.recurrence_from),
    col(Task.tags),
    col(Task.list_id),
    col(Task.parent_id),
    col(Task.position),
    col(Task.version),
    col(Task.created_at),
    col(Task.updated_at),
    col(Task.deleted_at),
)
# Whose tasks a query reads, as a parameter of it.
OWNER: BindParameter[str] = bindparam("user_id", type_=String())
_NUMBER_OF_COLUMNS = len(TASK_COLUMNS)
_BY_RANK = list(Priority)


def all_of(user_id: str | BindParameter[str]) -> Select[*tuple[Any, ...]]:
    """Select all of a user's tasks, those in the trash too."""
    return select(*TASK_COLUMNS).where(col(Task.user_id) == user_id)


def owned_by(user_id: str | BindParameter[str]) -> Select[*tuple[Any, ...]]:
    """Select a user's tasks, those in the trash left out.

    No query can forget whose tasks it reads, nor that some are deleted.
    """
    return all_of(user_id).where(col(Task.deleted_at).is_(None))


def deleted_of(user_id: str) -> Select[*tuple[Any, ...]]:
    """Select a user's tasks in the trash."""
    return all_of(user_id).where(col(Task.deleted_at).is_not(None))


def as_task(row: object) -> TaskRead:
    """Return the task in a row of `TASK_COLUMNS`."""
    return TaskRead.model_validate(row)


def task_json(row: Sequence[Any]) -> TaskJson:
    """Return the task at the start of a row that the driver gave for `TASK_COLUMNS`."""
    task = TaskJson(*row[:_NUMBER_OF_COLUMNS])
    # The driver has the number that PostgreSQL sorts by.
    task.priority = _BY_RANK[task.priority]  # type: ignore[call-overload]
    task.due_at, task.start_at = _in_utc(task.due_at), _in_utc(task.start_at)
    return task


def _in_utc(instant: datetime | None) -> datetime | None:
    # The first and the last there are go for infinities, and come back without an offset.
    return instant if instant is None or instant.tzinfo else instant.replace(tzinfo=UTC)


async def get_owned(session: AsyncSession, user_id: str, task_id: UUID) -> TaskRead:
    """Return one of the user's tasks. Raises `TaskNotFoundError`."""
    return await _one(session, owned_by(user_id), task_id)


async def get_any(session: AsyncSession, user_id: str, task_id: UUID) -> TaskRead:
    """Return one of the user's tasks, in the trash or not. Raises `TaskNotFoundError`."""
    return await _one(session, all_of(user_id), task_id)


async def _one(
    session: AsyncSession, statement: Select[*tuple[Any, ...]], task_id: UUID
) -> TaskRead:
    row = (await session.execute(statement.where(col(Task.id) == task_id))).one_or_none()
    if row is None:
        raise TaskNotFoundError
    return as_task(row)
