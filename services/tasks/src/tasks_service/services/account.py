"""The root of what a user has: the counter that numbers their writes, and its removal."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction
from sqlmodel import col

from service_kit.clock import utc_now
from tasks_service.models import Account, Task

# So many go in one statement: what hangs on a task goes with it, and time is limited.
_AT_ONCE = 2000


class Stamp(NamedTuple):
    """What a write leaves on every row it touches; a later write has a greater one."""

    version: int
    at: datetime


def writing(session: AsyncSession) -> AsyncSessionTransaction:
    """Begin a transaction; within one a savepoint, which may fail without it."""
    return session.begin_nested() if session.in_transaction() else session.begin()


async def next_version(session: AsyncSession, user_id: str) -> Stamp:
    """Take the user's next version; their other writes wait until this transaction ends.

    Must be the first statement of `writing`: a rollback gives the version back.
    """
    now = utc_now()
    statement = insert(Account).values(
        user_id=user_id, last_version=1, created_at=now, updated_at=now
    )
    # Even if the clock stands still or steps back, a later version has a later time.
    later = func.greatest(
        statement.excluded.updated_at, col(Account.updated_at) + text("interval '1 microsecond'")
    )
    result = await session.execute(
        statement.on_conflict_do_update(
            index_elements=[col(Account.user_id)],
            set_={"last_version": col(Account.last_version) + 1, "updated_at": later},
        ).returning(col(Account.last_version), col(Account.updated_at))
    )
    return Stamp(*result.one())


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
