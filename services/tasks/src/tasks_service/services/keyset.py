"""Pages by keyset: each goes on after the last row of the one before, wherever that is by now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from sqlalchemy import ColumnElement, Integer, Row, Select, Uuid, bindparam, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from tasks_service.schemas.query import PageQuery
from tasks_service.services.account import require_cursor
from tasks_service.services.cursor import CursorSealer


def as_text(value: object) -> str:
    """Return the value of a column as a cursor has it."""
    # The driver gives the two infinities without an offset.
    return value.replace(tzinfo=UTC).isoformat() if isinstance(value, datetime) else str(value)


@dataclass(frozen=True)
class Keyset:
    """An order of rows: by `column`, ties by `row_id`.

    A cursor has the column's value as `write` makes it text, and `read` finds it there.
    """

    column: Any
    row_id: Any
    read: Callable[[str], Any] = datetime.fromisoformat
    write: Callable[[Any], str] = as_text
    descending: bool = False

    def ordered(self, statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
        """Put a statement's rows in this order."""
        columns = (self.column, self.row_id)
        return statement.order_by(
            *(column.desc() if self.descending else column.asc() for column in columns)
        )

    def page(self, statement: Select[*tuple[Any, ...]], *, first: bool) -> Select[*tuple[Any, ...]]:
        """Keep a statement's rows of one page, behind them the value they are sorted by.

        Their ids come first in them. The parameters are those of a `PageRequest`.
        """
        if not first:
            statement = statement.where(self._follows())
        statement = self.ordered(statement).add_columns(self.column.label("sort_key"))
        return statement.limit(bindparam("limit", type_=Integer()))

    def _follows(self) -> ColumnElement[bool]:
        # One comparison of rows, which the index answers.
        key = bindparam("after_key", type_=self.column.type)
        here = tuple_(key, bindparam("after_id", type_=Uuid()))
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
    min_cursor: str | None

    @classmethod
    def of(cls, user_id: str, bound: str, query: PageQuery) -> Self:
        """Return the page a query asks for."""
        return cls(user_id, bound, query.limit, query.cursor, query.min_cursor)

    @property
    def first(self) -> bool:
        """Whether nothing comes before it."""
        return self.cursor is None

    def parameters(self, keyset: Keyset, cursors: CursorSealer) -> dict[str, Any]:
        """Return the parameters of `Keyset.page`.

        Raises `InvalidCursorError` for a cursor of another user or query.
        """
        # One more than asked for tells whether there is another page.
        limit = {"limit": self.limit + 1}
        if self.cursor is None:
            return limit
        sort_key, row_id = cursors.open(self.user_id, self.bound, self.cursor)
        return limit | {"after_key": keyset.read(sort_key), "after_id": row_id}

    def cut(
        self, rows: Sequence[Any], keyset: Keyset, cursors: CursorSealer
    ) -> tuple[Sequence[Any], str | None]:
        """Return the rows of the page and the cursor of the next one, None on the last."""
        if len(rows) <= self.limit:
            return rows, None
        last = rows[self.limit - 1]
        sort_key = keyset.write(last[-1])
        return rows[: self.limit], cursors.seal(self.user_id, self.bound, sort_key, last[0])


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
    await require_cursor(session, request.user_id, request.min_cursor)
    page = keyset.page(statement, first=request.first)
    result = await session.execute(page, request.parameters(keyset, cursors))
    return request.cut(result.all(), keyset, cursors)
