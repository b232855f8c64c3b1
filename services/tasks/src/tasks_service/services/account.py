"""The root of what a user has: the counter that numbers their writes, and its removal."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import String, any_, bindparam, delete, func, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction
from sqlmodel import col

from service_kit.clock import utc_now
from tasks_service.models import Account, Task
from tasks_service.reads import Query, Reads
from tasks_service.services.sync_cursor import NOTHING, SyncCursor

# So many go in one statement: what hangs on a task goes with it, and time is limited.
_AT_ONCE = 2000

_WRITES = "writes"
_LAST = select(col(Account.epoch), col(Account.last_version)).where(
    col(Account.user_id) == bindparam("user_id", type_=String())
)
_LAST_READ = Query(_LAST)


class Stamp(NamedTuple):
    """What a write leaves on every row it touches; a later write has a greater one."""

    version: int
    at: datetime


@dataclass
class Writes:
    """The versions a session has taken and kept; `last` is the user's counter, if it is known.

    `first` is None while there are none. They are of the account's `epoch`.
    """

    first: int | None = None
    last: int | None = None
    epoch: str | None = None

    @property
    def cursor(self) -> SyncCursor | None:
        """Where the user's writes have come to, if that is known."""
        if self.last is None:
            return None
        # The account itself may have been given back.
        return SyncCursor.at(self.epoch, self.last) if self.last else NOTHING

    def take(self, epoch: str, version: int) -> None:
        """Count a version in."""
        self.first = self.first or version
        self.epoch, self.last = epoch, version

    def give_back(self) -> None:
        """Count the last version out: its transaction was rolled back."""
        if self.last is not None:
            self.last -= 1
            if self.first is not None and self.first > self.last:
                self.first = None


def writes_of(session: AsyncSession) -> Writes:
    """Return what a session has written so far."""
    writes: Writes = session.info.setdefault(_WRITES, Writes())
    return writes


@asynccontextmanager
async def writing(session: AsyncSession) -> AsyncIterator[AsyncSessionTransaction]:
    """Begin a transaction; within one a savepoint, which may fail without it."""
    writes, kept = writes_of(session), False
    before = writes.last
    nested = session.in_transaction()
    async with session.begin_nested() if nested else session.begin() as transaction:
        try:
            yield transaction
            kept = transaction.is_active
        finally:
            if not kept and writes.last != before:
                writes.give_back()


async def next_version(session: AsyncSession, user_id: str) -> Stamp:
    """Take the user's next version; their other writes wait until this transaction ends.

    Must be the first statement of `writing`: a rollback gives the version back.
    """
    return await next_versions(session, user_id)


async def next_versions(
    session: AsyncSession, user_id: str, *, count: int = 1, above: int = 0
) -> Stamp:
    """Take so many of the user's next versions, all of them above a number; return the last."""
    now = utc_now()
    statement = insert(Account).values(
        user_id=user_id, last_version=above + count, created_at=now, updated_at=now
    )
    # Even if the clock stands still or steps back, a later version has a later time.
    later = func.greatest(
        statement.excluded.updated_at, col(Account.updated_at) + text("interval '1 microsecond'")
    )
    result = await session.execute(
        statement.on_conflict_do_update(
            index_elements=[col(Account.user_id)],
            set_={
                "last_version": func.greatest(col(Account.last_version), above) + count,
                "updated_at": later,
            },
        ).returning(col(Account.epoch), col(Account.last_version), col(Account.updated_at))
    )
    epoch, version, at = result.one()
    writes_of(session).take(epoch, version)
    return Stamp(version, at)


async def last_cursor(session: AsyncSession, user_id: str) -> SyncCursor:
    """Return where the user's writes stand."""
    row = (await session.execute(_LAST, {"user_id": user_id})).one_or_none()
    return SyncCursor.at(*row) if row else NOTHING


async def last_cursors(session: AsyncSession, user_ids: Sequence[str]) -> dict[str, SyncCursor]:
    """Return where the writes of some users stand; without those who never wrote."""
    found = await session.execute(
        select(col(Account.user_id), col(Account.epoch), col(Account.last_version)).where(
            col(Account.user_id) == any_(literal(list(user_ids), ARRAY(String)))
        )
    )
    return {user_id: SyncCursor.at(epoch, version) for user_id, epoch, version in found}


async def require_cursor(session: AsyncSession, user_id: str, cursor: str | None) -> None:
    """Return if the user's writes have come to this cursor.

    Raises `InvalidCursorError`, and `ResyncRequiredError` for one of another epoch.
    """
    if cursor is not None:
        wanted = SyncCursor.parse(cursor)
        wanted.require_known(await last_cursor(session, user_id))


async def require_cursor_read(reads: Reads, user_id: str, cursor: str | None) -> None:
    """Do the same as `require_cursor`."""
    if cursor is not None:
        wanted = SyncCursor.parse(cursor)
        row = await reads.row(_LAST_READ, {"user_id": user_id})
        wanted.require_known(SyncCursor.at(*row) if row else NOTHING)


async def delete_account(session: AsyncSession, user_id: str) -> None:
    """Remove everything a user has; what fails half-way is completed when it is asked again."""
    while await _delete_some_tasks(session, user_id) == _AT_ONCE:
        pass
    async with session.begin():
        await session.execute(delete(Account).where(col(Account.user_id) == user_id))


async def _delete_some_tasks(session: AsyncSession, user_id: str) -> int:
    async with session.begin():
        # As every write of the user begins, so that no two wait for each other.
        await session.execute(
            select(col(Account.user_id)).where(col(Account.user_id) == user_id).with_for_update()
        )
        some = select(col(Task.id)).where(col(Task.user_id) == user_id).limit(_AT_ONCE)
        deleted = await session.scalars(
            delete(Task)
            .where(col(Task.user_id) == user_id, col(Task.id).in_(some))
            .returning(col(Task.id))
        )
        return len(deleted.all())
