"""What a user can do with their tags; tasks are given them in their own writes."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, Uuid, delete, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tasks_service.errors import TagNotFoundError
from tasks_service.models import Tag, TaskTag
from tasks_service.models.column_types import UtcDateTime
from tasks_service.schemas.query import PageQuery
from tasks_service.schemas.tag import TagPage, TagRead
from tasks_service.services.account import Stamp, next_version, writing
from tasks_service.services.cursor import CursorSealer
from tasks_service.services.keyset import Keyset, PageRequest, read_page

_BY_NAME = Keyset(col(Tag.key), col(Tag.id), str)

_STAMP = """
  version = :version, updated_at = :at,
  field_versions = field_versions || jsonb_build_object('tags', CAST(:version AS bigint))
"""
_OF_THE_TAG = """
  user_id = :user_id
  AND id IN (SELECT task_id FROM task_tag WHERE user_id = :user_id AND tag_id = :tag_id)
"""
# A task that has the old name and the new one keeps its place of the new one.
_RENAME = text(f"""
UPDATE task SET
  (tags, tag_keys) = (
    SELECT array_agg(CASE WHEN key IN (:old, :new) THEN :name ELSE tag END ORDER BY place),
      array_agg(CASE WHEN key = :old THEN :new ELSE key END ORDER BY place)
    FROM unnest(tags, tag_keys) WITH ORDINALITY AS given (tag, key, place)
    WHERE NOT (key = :old AND :old <> :new AND :new = ANY (tag_keys))
  ),
  {_STAMP}
WHERE {_OF_THE_TAG}
  AND (:name <> ALL (tags) OR (:old <> :new AND :old = ANY (tag_keys)))
""")  # noqa: S608 - put together from constants
_REMOVE = text(f"""
UPDATE task SET
  tags = ARRAY(
    SELECT tag FROM unnest(tags, tag_keys) WITH ORDINALITY AS given (tag, key, place)
    WHERE key <> :old ORDER BY place
  ),
  tag_keys = array_remove(tag_keys, :old),
  {_STAMP}
WHERE {_OF_THE_TAG}
""")  # noqa: S608 - put together from constants


async def list_tags(
    session: AsyncSession, user_id: str, query: PageQuery, cursors: CursorSealer
) -> TagPage:
    """Return one page. Raises `InvalidCursorError` for a cursor of another user or route."""
    page = PageRequest.of(user_id, "tags", query)
    rows, next_cursor = await read_page(session, _owned(user_id), _BY_NAME, page, cursors)
    items = [TagRead.model_validate(row) for row in rows]
    return TagPage.model_construct(items=items, next_cursor=next_cursor)


async def get_tag(session: AsyncSession, user_id: str, tag_id: UUID) -> TagRead:
    """Return a tag. Raises `TagNotFoundError`."""
    return TagRead.model_validate(await _get(session, user_id, tag_id))


async def rename_tag(session: AsyncSession, user_id: str, tag_id: UUID, name: str) -> TagRead:
    """Rename a tag on every task; one with another's name takes its place.

    Raises `TagNotFoundError`.
    """
    key = name.casefold()
    async with writing(session) as transaction:
        stamp = await next_version(session, user_id)
        tag = await _get(session, user_id, tag_id)
        if tag.name == name:
            await transaction.rollback()
            return TagRead.model_validate(tag)
        if key != tag.key:
            await _take_over(session, user_id, tag_id, key, stamp)
        # Before the tasks, so that the trigger finds them tagged as they are to be.
        await session.execute(
            update(Tag)
            .where(col(Tag.user_id) == user_id, col(Tag.id) == tag_id)
            .values(key=key, name=name, version=stamp.version, updated_at=stamp.at)
        )
        spelling = {"old": tag.key, "new": key, "name": name}
        await session.execute(_RENAME, _tasks_of(user_id, tag_id, stamp) | spelling)
        return TagRead.model_validate(await _get(session, user_id, tag_id))


async def delete_tag(session: AsyncSession, user_id: str, tag_id: UUID) -> None:
    """Take a tag off every task and forget it. Raises `TagNotFoundError`."""
    async with writing(session):
        stamp = await next_version(session, user_id)
        tag = await _get(session, user_id, tag_id)
        await session.execute(_REMOVE, _tasks_of(user_id, tag_id, stamp) | {"old": tag.key})
        await session.execute(delete(Tag).where(col(Tag.user_id) == user_id, col(Tag.id) == tag_id))


async def _take_over(
    session: AsyncSession, user_id: str, tag_id: UUID, key: str, stamp: Stamp
) -> None:
    """Give a tag the tasks of the one with this key, if there is one, which goes."""
    other = await session.scalar(
        select(col(Tag.id)).where(col(Tag.user_id) == user_id, col(Tag.key) == key)
    )
    if other is None:
        return
    theirs = select(
        col(TaskTag.user_id),
        literal(tag_id, Uuid()),
        col(TaskTag.task_id),
        literal(stamp.at, UtcDateTime()),
        literal(stamp.at, UtcDateTime()),
    ).where(col(TaskTag.user_id) == user_id, col(TaskTag.tag_id) == other)
    columns = ["user_id", "tag_id", "task_id", "created_at", "updated_at"]
    await session.execute(insert(TaskTag).from_select(columns, theirs).on_conflict_do_nothing())
    await session.execute(delete(Tag).where(col(Tag.user_id) == user_id, col(Tag.id) == other))


def _tasks_of(user_id: str, tag_id: UUID, stamp: Stamp) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "tag_id": tag_id,
        "version": stamp.version,
        "at": stamp.at,
    }


async def _get(session: AsyncSession, user_id: str, tag_id: UUID) -> Row[Any]:
    result = await session.execute(_owned(user_id).where(col(Tag.id) == tag_id))
    row = result.one_or_none()
    if row is None:
        raise TagNotFoundError
    return row


def _owned(user_id: str) -> Select[*tuple[Any, ...]]:
    return select(
        col(Tag.id),
        col(Tag.key),
        col(Tag.name),
        col(Tag.task_count),
        col(Tag.version),
        col(Tag.created_at),
        col(Tag.updated_at),
    ).where(col(Tag.user_id) == user_id)
