"""How a task is written: one version, one row, and the subtasks that follow it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tasks_service.errors import PreconditionFailedError
from tasks_service.models import Task
from tasks_service.schemas.entity_tags import EntityTags
from tasks_service.schemas.move import Place
from tasks_service.schemas.task import TaskRead, TaskWrite
from tasks_service.services.account import Stamp, next_version, writing
from tasks_service.services.field_versions import first_written, require_task_match, written
from tasks_service.services.placing import Siblings, place
from tasks_service.services.position import last_position
from tasks_service.services.subtasks import Home, find_home, home_of, move_subtasks
from tasks_service.services.task_recurrence import first_of, with_recurrence
from tasks_service.services.task_rows import TASK_COLUMNS, as_task, get_any, get_owned


@dataclass(frozen=True)
class Change:
    """What a task is to become: `wanted` gives the fields, by what it is; `where` its place."""

    wanted: Callable[[TaskRead], Mapping[str, Any]]
    where: Place | None = None


async def insert_task(
    session: AsyncSession, user_id: str, task_id: UUID, task: TaskWrite
) -> TaskRead:
    """Create a task, last in its list.

    Raises `PreconditionFailedError` if there is one with this id, and `ValidationFailedError`.
    """
    columns = dict(task) | first_of(dict(task))
    async with writing(session):
        stamp = await next_version(session, user_id)
        home = await find_home(session, user_id, dict(task), None)
        values = _columns(columns | home._asdict(), stamp) | first_written(stamp)
        position = last_position(stamp.version)
        result = await session.execute(
            insert(Task)
            .values(**values, user_id=user_id, id=task_id, position=position)
            .on_conflict_do_nothing()
            .returning(*TASK_COLUMNS)
        )
        row = result.one_or_none()
        if row is None:
            existing = await get_any(session, user_id, task_id)
            raise PreconditionFailedError(existing.model_dump(mode="json"))
        return as_task(row)


async def change_task(
    session: AsyncSession,
    user_id: str,
    task_id: UUID,
    if_match: EntityTags | None,
    change: Change,
) -> TaskRead:
    """Change a task; if nothing about it is new, it is not written and keeps its version.

    Raises `TaskNotFoundError`, `PreconditionFailedError` and `ValidationFailedError`.
    """
    async with writing(session) as transaction:
        stamp = await next_version(session, user_id)
        current = await get_owned(session, user_id, task_id)
        await require_task_match(session, user_id, current, if_match)
        fields = await _placed(session, user_id, current, change, stamp)
        changes = {name: value for name, value in fields.items() if getattr(current, name) != value}
        if not changes:
            await transaction.rollback()
            return current
        changes = await with_recurrence(session, user_id, dict(current), changes, stamp)
        changed = await write_task(session, user_id, task_id, changes, stamp)
        if "list_id" in changes:
            await move_subtasks(session, user_id, task_id, changed.list_id, stamp)
        return changed


async def write_task(
    session: AsyncSession, user_id: str, task_id: UUID, changes: Mapping[str, Any], stamp: Stamp
) -> TaskRead:
    """Write these fields of a task, and the columns beside its due, as they are."""
    result = await session.execute(
        update(Task)
        .where(col(Task.user_id) == user_id, col(Task.id) == task_id)
        .values(**_columns(changes, stamp), **written(stamp, _fields(changes)))
        .returning(*TASK_COLUMNS)
    )
    return as_task(result.one())


async def _placed(
    session: AsyncSession, user_id: str, current: TaskRead, change: Change, stamp: Stamp
) -> dict[str, Any]:
    """Return the fields the task is to have, with where it comes to stand."""
    wanted = change.wanted(current)
    home = await find_home(session, user_id, wanted, current)
    placed = dict(wanted) | home._asdict()
    if change.where is not None:
        siblings = Siblings(Task, _siblings(user_id, home))
        placed["position"] = await place(session, siblings, current.id, change.where, stamp)
    elif home != home_of(current):
        placed["position"] = last_position(stamp.version)
    return placed


def _siblings(user_id: str, home: Home) -> tuple[Any, ...]:
    return (
        col(Task.user_id) == user_id,
        col(Task.list_id) == home.list_id,
        col(Task.parent_id) == home.parent_id,
        col(Task.deleted_at).is_(None),
    )


def _fields(changes: Mapping[str, Any]) -> set[str]:
    fields = {*changes} & TaskRead.model_fields.keys()
    return {*fields, "completed_at"} if "completed" in fields else fields


def _columns(fields: Mapping[str, Any], stamp: Stamp) -> dict[str, Any]:
    """Translate a task's fields to what the table stores."""
    columns = dict(fields)
    if "completed" in fields:
        columns["completed_at"] = stamp.at if columns.pop("completed") else None
    if "tags" in fields:
        columns["tag_keys"] = [tag.casefold() for tag in fields["tags"]]
    return columns
