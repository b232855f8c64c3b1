"""What a user can do with their lists."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from uuid_utils.compat import uuid7

from tasks_service.models import Task, TaskList
from tasks_service.schemas.entity_tags import EntityTags
from tasks_service.schemas.list import ListMove, ListPage, ListPatch, ListQuery, ListRead, ListWrite
from tasks_service.schemas.written import Written
from tasks_service.services.account import Stamp, next_version, writing
from tasks_service.services.conditions import require_match
from tasks_service.services.cursor import CursorSealer
from tasks_service.services.field_versions import written
from tasks_service.services.idempotency import KeyedRequest, written_once
from tasks_service.services.keyset import Keyset, PageRequest, read_page
from tasks_service.services.list_rows import LIST_COLUMNS, as_list, get_owned_list, owned_lists
from tasks_service.services.placing import Siblings, place
from tasks_service.services.position import last_position

_BY_POSITION = Keyset(col(TaskList.position), col(TaskList.id), str)


async def list_lists(
    session: AsyncSession, user_id: str, query: ListQuery, cursors: CursorSealer
) -> ListPage:
    """Return one page. Raises `InvalidCursorError` for a cursor of another user or query."""
    statement = owned_lists(user_id)
    if query.archived is not None:
        statement = statement.where(col(TaskList.archived).is_(query.archived))
    page = PageRequest.of(user_id, f"lists {query.filters()}", query)
    rows, next_cursor = await read_page(session, statement, _BY_POSITION, page, cursors)
    return ListPage.model_construct(items=[as_list(row) for row in rows], next_cursor=next_cursor)


async def get_list(session: AsyncSession, user_id: str, list_id: UUID) -> ListRead:
    """Return a list. Raises `ListNotFoundError`."""
    return await get_owned_list(session, user_id, list_id)


async def create_list(session: AsyncSession, user_id: str, new: ListWrite) -> ListRead:
    """Create a list behind all others."""
    async with writing(session):
        stamp = await next_version(session, user_id)
        result = await session.execute(
            insert(TaskList)
            .values(
                **dict(new),
                user_id=user_id,
                id=uuid7(),
                position=last_position(stamp.version),
                version=stamp.version,
                created_at=stamp.at,
                updated_at=stamp.at,
            )
            .returning(*LIST_COLUMNS)
        )
        return as_list(result.one())


async def create_list_once(
    session: AsyncSession, user_id: str, new: ListWrite, key: str | None
) -> Written:
    """Create a list behind all others, or return the one made before under the same key.

    Raises `IdempotencyKeyReusedError` and `IdempotencyKeyInUseError`.
    """

    async def create() -> Written:
        created = await create_list(session, user_id, new)
        return Written(created.id, created.version, created.model_dump_json())

    if key is None:
        return await create()
    meaning = new.model_dump_json(exclude_defaults=True)
    request = KeyedRequest(user_id, "POST /api/v1/lists", key, meaning)
    return await written_once(session, request, create)


async def update_list(
    session: AsyncSession,
    user_id: str,
    list_id: UUID,
    patch: ListPatch,
    if_match: EntityTags | None = None,
) -> ListRead:
    """Change the fields that the patch has.

    Raises `ListNotFoundError` and `PreconditionFailedError`.
    """
    async with writing(session) as transaction:
        stamp = await next_version(session, user_id)
        current = await get_owned_list(session, user_id, list_id)
        require_match(current, if_match)
        given = patch.given()
        changes = {name: value for name, value in given.items() if getattr(current, name) != value}
        if not changes:
            # Nothing to write, so no version is taken: the list keeps its ETag.
            await transaction.rollback()
            return current
        return await _write(session, user_id, list_id, changes, stamp)


async def move_list(
    session: AsyncSession,
    user_id: str,
    list_id: UUID,
    move: ListMove,
    if_match: EntityTags | None = None,
) -> ListRead:
    """Put a list beside another one, or behind all.

    Raises `ListNotFoundError`, `PreconditionFailedError` and `ValidationFailedError`.
    """
    async with writing(session) as transaction:
        stamp = await next_version(session, user_id)
        current = await get_owned_list(session, user_id, list_id)
        require_match(current, if_match)
        owned = (col(TaskList.user_id) == user_id, col(TaskList.deleted_at).is_(None))
        position = await place(session, Siblings(TaskList, owned), list_id, move, stamp)
        if position == current.position:
            await transaction.rollback()
            return current
        return await _write(session, user_id, list_id, {"position": position}, stamp)


async def delete_list(
    session: AsyncSession,
    user_id: str,
    list_id: UUID,
    *,
    keep_tasks: bool,
    if_match: EntityTags | None = None,
) -> None:
    """Move a list to the trash, with its tasks or leaving them in no list.

    Raises `ListNotFoundError` and `PreconditionFailedError`.
    """
    async with writing(session):
        stamp = await next_version(session, user_id)
        require_match(await get_owned_list(session, user_id, list_id), if_match)
        await _write(session, user_id, list_id, {"deleted_at": stamp.at}, stamp)
        tasks = (
            {"list_id": None, **written(stamp, ["list_id"])}
            if keep_tasks
            else {"deleted_at": stamp.at, **written(stamp)}
        )
        await session.execute(
            update(Task)
            .where(
                col(Task.user_id) == user_id,
                col(Task.list_id) == list_id,
                col(Task.deleted_at).is_(None),
            )
            .values(**tasks)
            .execution_options(synchronize_session=False)
        )


async def _write(
    session: AsyncSession, user_id: str, list_id: UUID, changes: Mapping[str, Any], stamp: Stamp
) -> ListRead:
    result = await session.execute(
        update(TaskList)
        .where(col(TaskList.user_id) == user_id, col(TaskList.id) == list_id)
        .values(**changes, version=stamp.version, updated_at=stamp.at)
        .returning(*LIST_COLUMNS)
    )
    return as_list(result.one())
