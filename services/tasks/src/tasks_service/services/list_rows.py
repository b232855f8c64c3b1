"""Where every query for lists starts, and how its rows become lists."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from service_kit.errors import ValidationFailedError
from service_kit.problems import ProblemField
from tasks_service.errors import ListNotFoundError
from tasks_service.models import TaskList
from tasks_service.schemas.list import ListRead

LIST_COLUMNS = (
    col(TaskList.id),
    col(TaskList.name),
    col(TaskList.colour),
    col(TaskList.position),
    col(TaskList.archived),
    col(TaskList.version),
    col(TaskList.created_at),
    col(TaskList.updated_at),
    col(TaskList.deleted_at),
)


def all_lists(user_id: str) -> Select[*tuple[Any, ...]]:
    """Select all of a user's lists, those in the trash too."""
    return select(*LIST_COLUMNS).where(col(TaskList.user_id) == user_id)


def owned_lists(user_id: str) -> Select[*tuple[Any, ...]]:
    """Select a user's lists, those in the trash left out."""
    return all_lists(user_id).where(col(TaskList.deleted_at).is_(None))


def deleted_lists(user_id: str) -> Select[*tuple[Any, ...]]:
    """Select a user's lists in the trash."""
    return all_lists(user_id).where(col(TaskList.deleted_at).is_not(None))


def as_list(row: object) -> ListRead:
    """Return the list in a row of `LIST_COLUMNS`."""
    return ListRead.model_validate(row)


async def get_owned_list(session: AsyncSession, user_id: str, list_id: UUID) -> ListRead:
    """Return one of the user's lists. Raises `ListNotFoundError`."""
    return await _one(session, owned_lists(user_id), list_id)


async def get_any_list(session: AsyncSession, user_id: str, list_id: UUID) -> ListRead:
    """Return one of the user's lists, in the trash or not. Raises `ListNotFoundError`."""
    return await _one(session, all_lists(user_id), list_id)


async def require_list(session: AsyncSession, user_id: str, list_id: UUID | None) -> None:
    """Return if this is no list or one of the user's. Raises `ValidationFailedError`."""
    if list_id is None:
        return
    try:
        await get_owned_list(session, user_id, list_id)
    except ListNotFoundError:
        raise ValidationFailedError(
            [ProblemField(detail="is no list of yours", pointer="#/list_id")]
        ) from None


async def _one(
    session: AsyncSession, statement: Select[*tuple[Any, ...]], list_id: UUID
) -> ListRead:
    row = (await session.execute(statement.where(col(TaskList.id) == list_id))).one_or_none()
    if row is None:
        raise ListNotFoundError
    return as_list(row)
