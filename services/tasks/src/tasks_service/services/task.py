"""What a user can do with one task."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, bindparam, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from uuid_utils.compat import uuid7

from tasks_service.errors import NotRecurringError, PreconditionRequiredError, TaskNotFoundError
from tasks_service.models import Task
from tasks_service.reads import Query, Reads
from tasks_service.schemas.entity_tags import EntityTags, Preconditions
from tasks_service.schemas.recurrence import RecurrenceFrom
from tasks_service.schemas.task import TaskMove, TaskPatch, TaskRead, TaskWrite
from tasks_service.schemas.task_json import TaskJson
from tasks_service.schemas.written import Written
from tasks_service.services.account import next_version, writing
from tasks_service.services.field_versions import require_task_match, written
from tasks_service.services.idempotency import KeyedRequest, written_once
from tasks_service.services.subtasks import with_subtasks
from tasks_service.services.task_recurrence import next_due
from tasks_service.services.task_rows import OWNER, get_owned, owned_by, task_json
from tasks_service.services.task_write import Change, change_task, insert_task, write_task

_NOTHING = EntityTags()
_ONE = Query(owned_by(OWNER).where(col(Task.id) == bindparam("task_id", type_=Uuid())))


class PutResult(NamedTuple):
    """The task that was put, and whether it is new."""

    task: TaskRead
    created: bool


async def get_task(reads: Reads, user_id: str, task_id: UUID) -> TaskJson:
    """Return a task. Raises `TaskNotFoundError`."""
    row = await reads.row(_ONE, {"user_id": user_id, "task_id": task_id})
    if row is None:
        raise TaskNotFoundError
    return task_json(row)


async def create_task(session: AsyncSession, user_id: str, task: TaskWrite) -> TaskRead:
    """Create a task under an id of ours.

    Raises `ValidationFailedError` if it is due twice.
    """
    return await insert_task(session, user_id, uuid7(), task)


async def create_task_once(
    session: AsyncSession, user_id: str, task: TaskWrite, key: str | None
) -> Written:
    """Create a task under an id of ours, or return the one made before under the same key.

    Raises `ValidationFailedError`, `IdempotencyKeyReusedError` and `IdempotencyKeyInUseError`.
    """

    async def create() -> Written:
        created = await create_task(session, user_id, task)
        return Written(created.id, created.version, created.model_dump_json())

    if key is None:
        return await create()
    request = KeyedRequest(user_id, "POST /api/v1/tasks", key, _meaning(task))
    return await written_once(session, request, create)


def _meaning(task: TaskWrite) -> str:
    # What the release before knew nothing of counts only where it says something: a request that
    # is repeated after an upgrade is the same one.
    if (task.recurrence, task.recurrence_from) == (None, RecurrenceFrom.DUE):
        return task.model_dump_json(exclude={"recurrence", "recurrence_from"})
    return task.model_dump_json()


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
        replacement = Change(lambda _: dict(task))
        replaced = await change_task(session, user_id, task_id, condition, replacement)
        return PutResult(replaced, created=False)
    if not creates:
        raise PreconditionRequiredError
    return PutResult(await insert_task(session, user_id, task_id, task), created=True)


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
    return await change_task(session, user_id, task_id, if_match, Change(lambda _: patch.given()))


async def set_completed(
    session: AsyncSession,
    user_id: str,
    task_id: UUID,
    *,
    completed: bool | None,
    if_match: EntityTags | None = None,
) -> TaskRead:
    """Mark a task as done or not, or with None as the opposite; done twice keeps the first time.

    One that recurs goes on to its next due as long as there is one.

    Raises `TaskNotFoundError` and `PreconditionFailedError`.
    """

    def wanted(task: TaskRead) -> dict[str, bool]:
        return {"completed": not task.completed if completed is None else completed}

    return await change_task(session, user_id, task_id, if_match, Change(wanted))


async def skip_task(
    session: AsyncSession, user_id: str, task_id: UUID, if_match: EntityTags | None = None
) -> TaskRead:
    """Give a recurring task its next due, or close it when its rule has ended.

    Raises `TaskNotFoundError`, `PreconditionFailedError` and `NotRecurringError`.
    """
    async with writing(session):
        stamp = await next_version(session, user_id)
        current = await get_owned(session, user_id, task_id)
        await require_task_match(session, user_id, current, if_match)
        if current.recurrence is None or current.completed:
            raise NotRecurringError
        due = await next_due(session, user_id, dict(current))
        return await write_task(session, user_id, task_id, due or {"completed": True}, stamp)


async def move_task(
    session: AsyncSession,
    user_id: str,
    task_id: UUID,
    move: TaskMove,
    if_match: EntityTags | None = None,
) -> TaskRead:
    """Put a task into a list, under a parent, and beside a sibling or behind all.

    Raises `TaskNotFoundError`, `PreconditionFailedError` and `ValidationFailedError`.
    """
    home = move.model_dump(include={"list_id", "parent_id"}, exclude_unset=True)
    return await change_task(session, user_id, task_id, if_match, Change(lambda _: home, move))


async def delete_task(
    session: AsyncSession, user_id: str, task_id: UUID, if_match: EntityTags | None = None
) -> None:
    """Move a task to the trash, with its subtasks.

    Raises `TaskNotFoundError` and `PreconditionFailedError`.
    """
    async with writing(session):
        stamp = await next_version(session, user_id)
        current = await get_owned(session, user_id, task_id)
        await require_task_match(session, user_id, current, if_match)
        await session.execute(
            update(Task)
            .where(*with_subtasks(user_id, task_id))
            .values(deleted_at=stamp.at, **written(stamp))
            .execution_options(synchronize_session=False)
        )
