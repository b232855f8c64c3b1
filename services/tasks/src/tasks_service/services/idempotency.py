"""Requests that are carried out once, however often they are sent under one key."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from service_kit.clock import utc_now
from tasks_service.errors import IdempotencyKeyInUseError, IdempotencyKeyReusedError
from tasks_service.models import Account, IdempotencyKey
from tasks_service.models.base import utc_time
from tasks_service.schemas.written import Written
from tasks_service.services.account import writes_of, writing

KEPT = timedelta(hours=24)
# A key is kept with what it made; this one made many.
MANY = UUID(int=0)


class KeyedRequest(NamedTuple):
    """A request under a key; `body` is what it means, as text."""

    user_id: str
    route: str
    key: str
    body: str


async def written_once(
    session: AsyncSession, request: KeyedRequest, write: Callable[[], Awaitable[Written]]
) -> Written:
    """Write, or return what was written before under the same key.

    Raises `IdempotencyKeyInUseError` if another request has the key,
    `IdempotencyKeyReusedError` if it was used for something else, and what `write` does.
    """
    async with writing(session):
        done = await _find_answer(session, request)
        if done is None:
            done = await write()
            # A batch may come to nothing.
            if writes_of(session).first is not None:
                await _keep_answer(session, request, done)
        return done


async def _find_answer(session: AsyncSession, request: KeyedRequest) -> Written | None:
    # Begins the transaction: until it ends no other request has the key.
    lock = func.pg_try_advisory_xact_lock(_lock_number(request))
    if not await session.scalar(select(lock)):
        raise IdempotencyKeyInUseError
    # A statement of its own: one sent with the lock would not see what its last holder wrote.
    result = await session.execute(
        select(
            col(Account.epoch),
            col(IdempotencyKey.task_id),
            col(IdempotencyKey.task_version),
            col(IdempotencyKey.answer),
            col(IdempotencyKey.body_hash),
        )
        .join(Account, col(Account.user_id) == col(IdempotencyKey.user_id))
        .where(
            col(IdempotencyKey.user_id) == request.user_id,
            col(IdempotencyKey.route) == request.route,
            col(IdempotencyKey.key) == request.key,
            col(IdempotencyKey.created_at) > utc_now() - KEPT,
        )
    )
    row = result.one_or_none()
    if row is None:
        return None
    epoch, task_id, version, answer, body_hash = row
    if body_hash != _body_hash(request):
        raise IdempotencyKeyReusedError
    writes = writes_of(session)
    writes.epoch, writes.last = epoch, version
    return Written(task_id, version, answer)


async def _keep_answer(session: AsyncSession, request: KeyedRequest, answer: Written) -> None:
    # And forget the user's old ones.
    now = utc_now()
    await session.execute(
        delete(IdempotencyKey)
        .where(
            col(IdempotencyKey.user_id) == request.user_id,
            col(IdempotencyKey.created_at) <= now - KEPT,
        )
        .execution_options(synchronize_session=False)
    )
    await session.execute(
        insert(IdempotencyKey).values(
            user_id=request.user_id,
            route=request.route,
            key=request.key,
            body_hash=_body_hash(request),
            task_id=answer.id,
            task_version=answer.version,
            answer=answer.json,
            created_at=now,
            updated_at=now,
        )
    )


async def purge_keys(session: AsyncSession, before: datetime, limit: int) -> int:
    """Remove the oldest keys of all users from before then, `limit` at most; return how many."""
    key = (col(IdempotencyKey.user_id), col(IdempotencyKey.route), col(IdempotencyKey.key))
    age = utc_time("created_at")
    oldest = (
        select(*key)
        .where(age <= before.replace(tzinfo=None))
        .order_by(age)
        .limit(limit)
        # What another process removes at this moment is its to remove.
        .with_for_update(skip_locked=True)
        .cte("oldest")
        .prefix_with("MATERIALIZED")
    )
    async with session.begin():
        removed = await session.scalars(
            delete(IdempotencyKey)
            .where(tuple_(*key).in_(select(oldest)))
            .returning(col(IdempotencyKey.key))
        )
        return len(removed.all())


def _body_hash(request: KeyedRequest) -> bytes:
    return hashlib.sha256(request.body.encode()).digest()


def _lock_number(request: KeyedRequest) -> int:
    name = f"{request.user_id}\0{request.route}\0{request.key}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
