"""A user's rows a page at a time: what an export holds at once is one page of one table."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from sqlalchemy import Row, Select
from sqlalchemy.ext.asyncio import AsyncSession

# About 100 kB of tasks; the next ones are read when the reader has taken these.
_PAGE = 200


async def pages(
    session: AsyncSession, statement: Select[*tuple[Any, ...]]
) -> AsyncGenerator[Sequence[Row[Any]]]:
    """Yield the rows of a statement, whose first column is their id, in the order of their ids."""
    row_id = statement.selected_columns[0]
    page = statement.order_by(row_id).limit(_PAGE)
    rows = (await session.execute(page)).all()
    while rows:
        yield rows
        if len(rows) < _PAGE:
            return
        rows = (await session.execute(page.where(row_id > rows[-1].id))).all()
