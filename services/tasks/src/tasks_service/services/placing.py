"""Where a row stands among its siblings: a position found by writing no other row."""

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Text, Uuid, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from service_kit.errors import ValidationFailedError
from service_kit.problems import ProblemField
from tasks_service.models import Task, TaskList
from tasks_service.schemas.move import Place
from tasks_service.services.account import Stamp
from tasks_service.services.field_versions import written
from tasks_service.services.position import (
    crowd,
    last_position,
    position_before,
    position_between,
    spread,
)


class Siblings(NamedTuple):
    """The rows that are ordered together: those of a table that meet the conditions."""

    table: type[Task] | type[TaskList]
    conditions: tuple[ColumnElement[bool], ...]


async def place(
    session: AsyncSession, siblings: Siblings, row_id: UUID, where: Place, stamp: Stamp
) -> str:
    """Return the position a row has to take to stand there; it is its own if it stands there.

    Raises `ValidationFailedError` if there is no such sibling to stand beside.
    """
    anchor_id = where.after_id or where.before_id
    if anchor_id is None:
        return last_position(stamp.version)
    after = where.after_id is not None
    while True:
        anchor, neighbour, own = await _around(session, siblings, row_id, anchor_id, after=after)
        if own is not None:
            return own
        low, high = (anchor, neighbour) if after else (neighbour, anchor)
        if high is None:
            return last_position(stamp.version)
        if low is None:
            return position_before(high)
        position = position_between(low, high)
        if position is not None:
            return position
        # Hundreds of rows were put into this one gap: the only time a move writes others.
        await _spread_crowd(session, siblings, low, stamp)


class _Surroundings(NamedTuple):
    anchor: str
    neighbour: str | None
    own: str | None


async def _around(
    session: AsyncSession, siblings: Siblings, row_id: UUID, anchor_id: UUID, *, after: bool
) -> _Surroundings:
    table = siblings.table
    key = tuple_(col(table.position), col(table.id))
    anchor = (
        select(col(table.position), col(table.id))
        .where(*siblings.conditions, col(table.id) == anchor_id)
        .scalar_subquery()
    )
    order = (col(table.position), col(table.id))
    statement = select(col(table.id), col(table.position)).where(*siblings.conditions)
    statement = (
        statement.where(key >= anchor).order_by(*order)
        if after
        else statement.where(key <= anchor).order_by(*(column.desc() for column in order))
    )
    rows = (await session.execute(statement.limit(3))).all()
    if not rows or anchor_id == row_id:
        raise _no_anchor("after_id" if after else "before_id")
    # Where it already stands there its own position will do, unless that is its neighbour's too.
    near = [position for found, position in rows if found != row_id]
    stands = len(rows) > 1 and rows[1].id == row_id
    own = rows[1].position if stands else None
    return _Surroundings(near[0], near[1] if len(near) > 1 else None, own)


async def _spread_crowd(
    session: AsyncSession, siblings: Siblings, position: str, stamp: Stamp
) -> None:
    table = siblings.table
    start, end = crowd(position)
    order = (col(table.position), col(table.id))
    ids = (
        await session.scalars(
            select(col(table.id))
            .where(*siblings.conditions, col(table.position) >= start, col(table.position) < end)
            .order_by(*order)
        )
    ).all()
    fresh: Any = (
        func.unnest(
            literal(list(ids), ARRAY(Uuid)), literal(list(spread(position, len(ids))), ARRAY(Text))
        )
        .table_valued("id", "position")
        .render_derived()
    )
    stamped = {"version": stamp.version, "updated_at": stamp.at}
    await session.execute(
        update(table)
        .where(*siblings.conditions, col(table.id) == fresh.c.id)
        .values(
            position=fresh.c.position,
            **(written(stamp, ["position"]) if table is Task else stamped),
        )
        .execution_options(synchronize_session=False)
    )


def _no_anchor(field: str) -> ValidationFailedError:
    return ValidationFailedError(
        [ProblemField(detail="names nothing to stand beside", pointer=f"#/{field}")]
    )
