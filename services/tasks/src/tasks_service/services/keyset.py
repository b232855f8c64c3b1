"""Pages by keyset: each goes on after the last row of the one before, wherever that is by now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, Uuid, literal, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from tasks_service.schemas.query import PageQuery
from tasks_service.services.account import require_cursor
from tasks_service.services.cursor import CursorSealer

_SORT_KEY = "sort_key"


@dataclass(frozen=True)
class Keyset:
    """An order of rows: by `column` as `read` finds it in a cursor, ties by `row_id`."""

    column: Any
    row_id: Any
    read: Callable[[str], Any] = datetime.fromisoformat
    descending: bool = False

    def ordered(self, statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
        """Put a statement's rows in this order."""
        columns = (self.column, self.row_id)
        return statement.order_by(
            *(column.desc() if self.descending else column.asc() for column in columns)
        )

    def after(self, sort_key: str, row_id: UUID) -> ColumnElement[bool]:
        """Keep what comes after a row; one comparison of rows, which the index answers."""
        here = tuple_(literal(self.read(sort_key), self.column.type), literal(row_id, Uuid()))
        row = tuple_(self.column, self.row_id)
        return row < here if self.descending else row > here


class PageRequest(NamedTuple):
    """Which page: how many rows, and the cursor of the page before.

    `bound` is what the cursor belongs to: the route and its filters. The answer is to include
    every write up to `min_cursor`.
    """

    user_id: str
    bound: str
    limit: int
    cursor: str | None
    min_cursor: int | None

    @classmethod
    def of(cls, user_id: str, bound: str, query: PageQuery) -> Self:
        """Return the page a query asks for."""
        return cls(user_id, bound, query.limit, query.cursor, query.min_cursor)


async def read_page(
    session: AsyncSession,
    statement: Select[*tuple[Any, ...]],
    keyset: Keyset,
    request: PageRequest,
    cursors: CursorSealer,
) -> tuple[Sequence[Row[Any]], str | None]:
    """Return the rows of a page and the cursor of the next one, None on the last.

    Raises `InvalidCursorError` for a cursor of another user or query, and for one to come.
    """
    user_id, bound, limit, cursor, min_cursor = request
    await require_cursor(session, user_id, min_cursor)
    if cursor is not None:
        statement = statement.where(keyset.after(*cursors.open(user_id, bound, cursor)))
    # One more than asked for tells whether there is another page.
    statement = keyset.ordered(statement).add_columns(keyset.column.label(_SORT_KEY))
    rows = (await session.execute(statement.limit(limit + 1))).all()
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], cursors.seal(user_id, bound, _text(getattr(last, _SORT_KEY)), last.id)


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
