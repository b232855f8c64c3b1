"""What a user can do with one task."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from uuid_utils.compat import uuid7

from tasks_service.errors import PreconditionFailedError, PreconditionRequiredError
from tasks_service.models import Task
from tasks_service.schemas.entity_tags import EntityTags, Preconditions
from tasks_service.schemas.task import TaskPatch, TaskRead, TaskWrite
from tasks_service.services.account import Stamp, next_version
from tasks_service.services.conditions import require_match
from tasks_service.services.list_rows import require_list
from tasks_service.services.task_due import require_one_due
from tasks_service.services.task_rows import TASK_COLUMNS, as_task, get_any, get_owned

_NOTHING = EntityTags()


class PutResult(NamedTuple):
    """The task that was put, and whether it is new."""

    task: TaskRead
    created: bool


async def get_task(session: AsyncSession, user_id: str, task_id: UUID) -> TaskRead:
    """Return a task. Raises `TaskNotFoundError`."""
    return await get_owned(session, user_id, task_id)


async def create_task(session: AsyncSession, user_id: str, task: TaskWrite) -> TaskRead:
    """Create a task under an id of ours.

    Raises `ValidationFailedError` if it is due twice.
    """
    return await _create(session, user_id, uuid7(), task)


async def put_task(
    session: AsyncSession,
    user_id: str,
    task_id: UUID,
    task: TaskWrite,
    conditions: Preconditions,
) -> PutResult:
    """Create a task under the caller's id, or replace one, whichever the conditions say.

    Raises `PreconditionRequiredError`, `PreconditionFailedError`, `TaskNotFoundError` (nothing to
    replace) and `ValidationFailedError`.
    """
    if_match, if_none_match = conditions
    creates = if_none_match is not None and if_none_match.any_version
    if if_match is not None:
        # Both at once ask for a task that exists and does not: no version can satisfy that.
        condition = _NOTHING if creates else if_match
        replaced = await _change(session, user_id, task_id, condition, lambda _: dict(task))
        return PutResult(replaced, created=False)
    if not creates:
        raise PreconditionRequiredError
    return PutResult(await _create(session, user_id, task_id, task), created=True)


async def update_task(
    session: AsyncSession,
    user_id: str,
    task_id: UUID,
    patch: TaskPatch,
    if_match: EntityTags | None = None,
) -> TaskRead:
    """Change the fields that the patch has.

    Raises `TaskNotFoundError`, `PreconditionFailedError` and `ValidationFailedError`.
    """
    return await _change(session, user_id, task_id, if_match, lambda _: patch.given())


async def set_completed(
    session: AsyncSession,
    user_id: str,
    task_id: UUID,
    *,
    completed: bool | None,
    if_match: EntityTags | None = None,
) -> TaskRead:
    """Mark a task as done or not, or with None as the opposite; done twice keeps the first time.

    Raises `TaskNotFoundError` and `PreconditionFailedError`.
    """

    def wanted(task: TaskRead) -> dict[str, bool]:
        return {"completed": not task.completed if completed is None else completed}

    return await _change(session, user_id, task_id, if_match, wanted)


async def delete_task(
    session: AsyncSession, user_id: str, task_id: UUID, if_match: EntityTags | None = None
) -> None:
    """Move a task to the trash. Raises `TaskNotFoundError` and `PreconditionFailedError`."""
    async with session.begin():
        stamp = await next_version(session, user_id)
        require_match(await get_owned(session, user_id, task_id), if_match)
        await session.execute(
            update(Task)
            .where(col(Task.user_id) == user_id, col(Task.id) == task_id)
            .values(deleted_at=stamp.at, version=stamp.version, updated_at=stamp.at)
        )


async def _create(session: AsyncSession, user_id: str, task_id: UUID, task: TaskWrite) -> TaskRead:
    require_one_due(dict(task))
    async with session.begin():
        stamp = await next_version(session, user_id)
        await require_list(session, user_id, task.list_id)
        values = _columns(dict(task), stamp) | {"user_id": user_id, "id": task_id}
        result = await session.execute(
            insert(Task)
            .values(**values, created_at=stamp.at)
            .on_conflict_do_nothing()
            .returning(*TASK_COLUMNS)
        )
        row = result.one_or_none()
        if row is None:
            existing = await get_any(session, user_id, task_id)
            raise PreconditionFailedError(existing.model_dump(mode="json"))
    return as_task(row)


async def _change(
    session: AsyncSession,
    user_id: str,
    task_id: UUID,
    if_match: EntityTags | None,
    wanted: Callable[[TaskRead], Mapping[str, Any]],
) -> TaskRead:
    async with session.begin() as transaction:
        stamp = await next_version(session, user_id)
        current = await get_owned(session, user_id, task_id)
        require_match(current, if_match)
        changes = _differences(current, wanted(current))
        if not changes:
            # Nothing to write, so no version is taken: the task keeps its ETag.
            await transaction.rollback()
            return current
        require_one_due(dict(current) | changes)
        await require_list(session, user_id, changes.get("list_id"))
        result = await session.execute(
            update(Task)
            .where(col(Task.user_id) == user_id, col(Task.id) == task_id)
            .values(**_columns(changes, stamp))
            .returning(*TASK_COLUMNS)
        )
        return as_task(result.one())


def _differences(current: TaskRead, wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if getattr(current, name) != value}


def _columns(fields: Mapping[str, Any], stamp: Stamp) -> dict[str, Any]:
    """Translate a task's fields to what the table stores."""
    columns = dict(fields) | {"version": stamp.version, "updated_at": stamp.at}
    if "completed" in fields:
        columns["completed_at"] = stamp.at if columns.pop("completed") else None
    if "tags" in fields:
        columns["tag_keys"] = [tag.casefold() for tag in fields["tags"]]
    return columns
