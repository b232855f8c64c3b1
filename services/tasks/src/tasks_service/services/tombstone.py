"""How tombstones end: after a while nobody is told any more what is gone."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, String, Text, Uuid, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tasks_service.models import Account, Tombstone

_KEY: dict[str, Any] = {"user_id": String, "version": BigInteger, "kind": Text, "id": Uuid}


async def purge_tombstones(session: AsyncSession, before: datetime, limit: int) -> int:
    """Remove the oldest tombstones of all users made before then, `limit` at most.

    Returns how many, 0 if all that are left are of users who are writing at this moment; cursors
    that would need them are too old from then on.
    """
    async with session.begin():
        columns = [Tombstone.__table__.c[name] for name in _KEY]  # type: ignore[attr-defined]
        oldest = (
            select(*columns)
            .join(Account, col(Account.user_id) == col(Tombstone.user_id))
            .where(col(Tombstone.created_at) < before)
            .order_by(col(Tombstone.created_at))
            .limit(limit)
            # Whoever waited here would hold up the users it has by then.
            .with_for_update(of=Account, skip_locked=True, key_share=True)
        )
        keys = (await session.execute(oldest)).all()
        if not keys:
            return 0
        newest: dict[str, int] = {}
        for user_id, version, *_ in keys:
            newest[user_id] = max(version, newest.get(user_id, 0))
        await _raise_oldest_cursors(session, newest)
        values = zip(_KEY.items(), zip(*keys, strict=True), strict=True)
        given = _unnested({name: literal(list(each), ARRAY(of)) for (name, of), each in values})
        await session.execute(
            delete(Tombstone)
            .where(*(column == given.c[column.name] for column in columns))
            .execution_options(synchronize_session=False)
        )
    return len(keys)


async def _raise_oldest_cursors(session: AsyncSession, newest: dict[str, int]) -> None:
    given = _unnested(
        {
            "user_id": literal(list(newest), ARRAY(String)),
            "version": literal(list(newest.values()), ARRAY(BigInteger)),
        }
    )
    await session.execute(
        update(Account)
        .where(col(Account.user_id) == given.c.user_id)
        .values(oldest_cursor=func.greatest(col(Account.oldest_cursor), given.c.version))
        .execution_options(synchronize_session=False)
    )


def _unnested(arrays: dict[str, Any]) -> Any:  # noqa: ANN401 - a table made of arrays
    return func.unnest(*arrays.values()).table_valued(*arrays).render_derived()
