"""What a user can do with what they deleted."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    Uuid,
    any_,
    case,
    delete,
    exists,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tasks_service.errors import ListNotFoundError, TaskNotFoundError
from tasks_service.models import Account, Task, TaskList
from tasks_service.models.base import utc_time
from tasks_service.schemas.list import ListPage, ListRead
from tasks_service.schemas.query import PageQuery
from tasks_service.schemas.task import TaskPage, TaskRead
from tasks_service.services.account import next_version, writing
from tasks_service.services.cursor import CursorSealer
from tasks_service.services.field_versions import written
from tasks_service.services.keyset import Keyset, PageRequest, read_page
from tasks_service.services.list_rows import (
    LIST_COLUMNS,
    as_list,
    deleted_lists,
    get_any_list,
    owned_lists,
)
from tasks_service.services.subtasks import Home, with_subtasks
from tasks_service.services.task_rows import as_task, deleted_of, get_any, get_owned, owned_by

# So many are purged in one transaction: a full trash must hold up nobody's writes for long.
_AT_ONCE = 2000
_TASKS_LAST_FIRST = Keyset(col(Task.deleted_at), col(Task.id), descending=True)
_LISTS_LAST_FIRST = Keyset(col(TaskList.deleted_at), col(TaskList.id), descending=True)


async def list_deleted_tasks(
    session: AsyncSession, user_id: str, query: PageQuery, cursors: CursorSealer
) -> TaskPage:
    """Return a page of the tasks in the trash, deleted last first. Raises `InvalidCursorError`."""
    page = PageRequest(user_id, "trash", query.limit, query.cursor)
    rows, next_cursor = await read_page(
        session, deleted_of(user_id), _TASKS_LAST_FIRST, page, cursors
    )
    return TaskPage.model_construct(items=[as_task(row) for row in rows], next_cursor=next_cursor)


async def list_deleted_lists(
    session: AsyncSession, user_id: str, query: PageQuery, cursors: CursorSealer
) -> ListPage:
    """Return a page of the lists in the trash, deleted last first. Raises `InvalidCursorError`."""
    page = PageRequest(user_id, "trash/lists", query.limit, query.cursor)
    rows, next_cursor = await read_page(
        session, deleted_lists(user_id), _LISTS_LAST_FIRST, page, cursors
    )
    return ListPage.model_construct(items=[as_list(row) for row in rows], next_cursor=next_cursor)


async def restore_task(session: AsyncSession, user_id: str, task_id: UUID) -> TaskRead:
    """Bring a task back with the subtasks that went with it, to what is left of where it was.

    Raises `TaskNotFoundError`.
    """
    async with writing(session) as transaction:
        stamp = await next_version(session, user_id)
        current = await get_any(session, user_id, task_id)
        if current.deleted_at is None:
            await transaction.rollback()
            return current
        home = await _home_left(session, user_id, current)
        await session.execute(
            update(Task)
            .where(*with_subtasks(user_id, task_id, current.deleted_at))
            .values(
                deleted_at=None,
                list_id=home.list_id,
                parent_id=case(
                    (col(Task.id) == task_id, home.parent_id), else_=col(Task.parent_id)
                ),
                **written(stamp, _lost(current, home)),
            )
            .execution_options(synchronize_session=False)
        )
        return await get_owned(session, user_id, task_id)


def _lost(task: TaskRead, home: Home) -> list[str]:
    return [name for name, value in home._asdict().items() if getattr(task, name) != value]


async def _home_left(session: AsyncSession, user_id: str, task: TaskRead) -> Home:
    """Return what is left of where a deleted task was."""
    if task.parent_id is not None:
        found = await session.execute(owned_by(user_id).where(col(Task.id) == task.parent_id))
        parent = found.one_or_none()
        if parent is not None:
            return Home(parent.list_id, parent.id)
    own_list = owned_lists(user_id).where(col(TaskList.id) == task.list_id)
    return Home(await session.scalar(own_list), None)


async def restore_list(session: AsyncSession, user_id: str, list_id: UUID) -> ListRead:
    """Bring a list back, with the tasks that went with it. Raises `ListNotFoundError`."""
    async with writing(session) as transaction:
        stamp = await next_version(session, user_id)
        current = await get_any_list(session, user_id, list_id)
        if current.deleted_at is None:
            await transaction.rollback()
            return current
        await session.execute(
            update(Task)
            .where(
                col(Task.user_id) == user_id,
                col(Task.list_id) == list_id,
                col(Task.deleted_at) == current.deleted_at,
            )
            .values(deleted_at=None, **written(stamp))
            .execution_options(synchronize_session=False)
        )
        result = await session.execute(
            update(TaskList)
            .where(col(TaskList.user_id) == user_id, col(TaskList.id) == list_id)
            .values(deleted_at=None, version=stamp.version, updated_at=stamp.at)
            .returning(*LIST_COLUMNS)
        )
        return as_list(result.one())


async def purge_task(session: AsyncSession, user_id: str, task_id: UUID) -> None:
    """Remove a task in the trash and the subtasks under it for good. Raises `TaskNotFoundError`."""
    async with writing(session):
        await next_version(session, user_id)
        purged = await session.scalar(
            delete(Task)
            .where(
                col(Task.user_id) == user_id,
                col(Task.id) == task_id,
                col(Task.deleted_at).is_not(None),
            )
            .returning(col(Task.id))
        )
        if purged is None:
            raise TaskNotFoundError


async def purge_list(session: AsyncSession, user_id: str, list_id: UUID) -> None:
    """Remove a list in the trash for good, and the tasks in it. Raises `ListNotFoundError`."""
    async with writing(session):
        await next_version(session, user_id)
        purged = await session.scalar(
            delete(TaskList)
            .where(
                col(TaskList.user_id) == user_id,
                col(TaskList.id) == list_id,
                col(TaskList.deleted_at).is_not(None),
            )
            .returning(col(TaskList.id))
        )
        if purged is None:
            raise ListNotFoundError


async def empty_trash(session: AsyncSession, user_id: str) -> None:
    """Remove everything in the trash for good."""
    while await _purge_some_tasks(session, user_id) == _AT_ONCE:
        pass


async def _purge_some_tasks(session: AsyncSession, user_id: str) -> int:
    trashed = (col(Task.user_id) == user_id, col(Task.deleted_at).is_not(None))
    async with writing(session) as transaction:
        await next_version(session, user_id)
        ids = (await session.scalars(select(col(Task.id)).where(*trashed).limit(_AT_ONCE))).all()
        if ids:
            some = col(Task.id) == any_(literal(list(ids), ARRAY(Uuid)))
            await session.execute(
                delete(Task).where(*trashed, some).execution_options(synchronize_session=False)
            )
        if len(ids) == _AT_ONCE:
            return len(ids)
        # The lists go last, when none of the tasks in the trash is left to go with them.
        lists = await session.scalars(
            delete(TaskList)
            .where(col(TaskList.user_id) == user_id, col(TaskList.deleted_at).is_not(None))
            .returning(col(TaskList.id))
        )
        if not ids and not lists.all():
            await transaction.rollback()
    return len(ids)


async def purge_old_tasks(session: AsyncSession, before: datetime, limit: int) -> int:
    """Remove for good what a user put into the trash before then, `limit` tasks at most.

    Returns how many; with 0 no user has any that is not writing at this moment.
    """
    return await _purge_old(session, Task, before, limit)


async def purge_old_lists(session: AsyncSession, before: datetime, limit: int) -> int:
    """Remove lists in the same way, those that no task is in any more."""
    in_it = (col(Task.user_id) == col(TaskList.user_id), col(Task.list_id) == col(TaskList.id))
    return await _purge_old(session, TaskList, before, limit, ~exists().where(*in_it))


async def _purge_old(
    session: AsyncSession,
    table: type[Task] | type[TaskList],
    before: datetime,
    limit: int,
    *conditions: ColumnElement[bool],
) -> int:
    async with session.begin() as transaction:
        owner = _owner_of_oldest(table, before).where(*conditions)
        user_id = await session.scalar(owner)
        if user_id is None:
            return 0
        await next_version(session, user_id)
        owned = col(table.user_id) == user_id
        old = select(col(table.id)).where(owned, col(table.deleted_at) < before, *conditions)
        purged = await session.scalars(
            delete(table).where(owned, col(table.id).in_(old.limit(limit))).returning(col(table.id))
        )
        count = len(purged.all())
        if count == 0:
            # It came back from the trash before its owner was ours to change.
            await transaction.rollback()
        return count


def _owner_of_oldest(
    table: type[Task] | type[TaskList], before: datetime
) -> Select[*tuple[Any, ...]]:
    age = utc_time(f"{table.__tablename__}.deleted_at")
    # Whoever is writing, or is tidied up after by another process, is passed over.
    return (
        select(col(Account.user_id))
        .join(table, col(table.user_id) == col(Account.user_id))
        .where(age < before.replace(tzinfo=None))
        .order_by(age)
        .limit(1)
        .with_for_update(of=Account, skip_locked=True, key_share=True)
    )
