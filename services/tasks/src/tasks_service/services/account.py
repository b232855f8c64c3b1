"""The counter that numbers and orders each user's writes."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction
from sqlmodel import col

from service_kit.clock import utc_now
from tasks_service.models import Account


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
