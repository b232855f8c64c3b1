"""What of a user's changed since, in the order of the versions."""

from typing import NamedTuple

from sqlalchemy import select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tasks_service.errors import ResyncRequiredError
from tasks_service.models import Account
from tasks_service.schemas.sync import AnyChange, SyncPage, SyncQuery
from tasks_service.services.sync_cursor import NOTHING, SyncCursor
from tasks_service.services.sync_rows import ORDER, as_change, select_changes


class Changes(NamedTuple):
    """Some changes, and the cursor of who knows them; `last` is where the user's writes stand."""

    changes: list[AnyChange]
    cursor: SyncCursor
    has_more: bool
    last: SyncCursor


async def sync(session: AsyncSession, user_id: str, query: SyncQuery) -> SyncPage:
    """Return a page of changes. Raises `InvalidCursorError` and `ResyncRequiredError`."""
    cursor = None if query.cursor is None else SyncCursor.parse(query.cursor)
    page = await read_changes(session, user_id, cursor, query.limit)
    return SyncPage.model_construct(
        changes=page.changes, cursor=str(page.cursor), has_more=page.has_more
    )


async def read_changes(
    session: AsyncSession, user_id: str, cursor: SyncCursor | None, limit: int
) -> Changes:
    """Return the changes after a cursor, all there is without one.

    Raises `InvalidCursorError` for a cursor to come, and `ResyncRequiredError` for one too old
    or of another epoch.
    """
    # One more than asked for tells whether there is another page.
    changes = select_changes(user_id, cursor, limit + 1).subquery("change")
    # One statement, so that the changes and the counter are of one moment.
    statement = (
        select(
            col(Account.epoch), col(Account.last_version), col(Account.oldest_cursor), *changes.c
        )
        .select_from(Account)
        .outerjoin(changes, true())
        .where(col(Account.user_id) == user_id)
        .order_by(*(changes.c[name] for name in ORDER))
    )
    rows = (await session.execute(statement)).all()
    last = SyncCursor.at(rows[0].epoch, rows[0].last_version) if rows else NOTHING
    if cursor is not None:
        cursor.require_known(last)
        if rows and cursor.since < rows[0].oldest_cursor:
            raise ResyncRequiredError
    found = [as_change(row) for row in rows[:limit] if row.id is not None]
    if len(rows) <= limit:
        return Changes(found, last, has_more=False, last=last)
    end, since = found[-1], last.version if cursor is None else cursor.since
    position = SyncCursor(last.epoch, end.version, since, end.kind, end.id)
    return Changes(found, position, has_more=True, last=last)
