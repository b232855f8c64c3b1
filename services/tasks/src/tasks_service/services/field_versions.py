"""Which version wrote each field of a task: what a caller with an older one has missed."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tasks_service.errors import PreconditionFailedError
from tasks_service.models import Task
from tasks_service.schemas.entity_tags import EntityTags
from tasks_service.schemas.task import TaskRead
from tasks_service.services.account import Stamp

# The id is written once, so its version is the task's first.
_FIRST = "id"


def first_written(stamp: Stamp) -> dict[str, Any]:
    """Return the columns that stamp a new task."""
    return {
        "version": stamp.version,
        "created_at": stamp.at,
        "updated_at": stamp.at,
        "field_versions": {_FIRST: stamp.version},
    }


def written(stamp: Stamp, fields: Iterable[str] = ()) -> dict[str, Any]:
    """Return the columns that stamp a change of tasks, in these fields."""
    versions = literal(dict.fromkeys(fields, stamp.version), JSONB())
    return {
        "version": stamp.version,
        "updated_at": stamp.at,
        "field_versions": col(Task.field_versions).op("||")(versions),
    }


async def require_task_match(
    session: AsyncSession, user_id: str, current: TaskRead, if_match: EntityTags | None
) -> None:
    """Return if the condition holds or there is none.

    Raises `PreconditionFailedError` with the fields that were written since.
    """
    if if_match is None or if_match.match(current.version):
        return
    versions = await session.scalar(
        select(col(Task.field_versions)).where(
            col(Task.user_id) == user_id, col(Task.id) == current.id
        )
    )
    changed = _written_since(if_match.newest(), current, versions or {})
    raise PreconditionFailedError(current.model_dump(mode="json"), changed)


def _written_since(
    version: int | None, current: TaskRead, versions: Mapping[str, int]
) -> list[str] | None:
    if version is None or not versions.get(_FIRST, 0) <= version < current.version:
        return None
    return [name for name in TaskRead.model_fields if versions.get(name, 0) > version]
