"""Reading on the driver itself: each statement is compiled once, and no session is in between.

The engine's own way costs more than everything else of a read together.
"""

from typing import Any

from asyncpg import PostgresError, Record
from sqlalchemy import Select
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from tasks_service.turns import Turns

_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's dialects are untyped.


class Query:
    """A statement as the driver takes it: its text, and its parameters in their order.

    Those that have a name are to be given; what else is given is left aside.
    """

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        compiled = statement.compile(dialect=_DIALECT)
        self.text = str(compiled)
        parameters = {name: compiled.binds[name] for name in compiled.positiontup or ()}
        self._constants = {
            name: parameter.value
            for name, parameter in parameters.items()
            if not parameter.required
        }
        self._processors = [
            (name, parameter.type.dialect_impl(_DIALECT).bind_processor(_DIALECT))
            for name, parameter in parameters.items()
        ]

    def arguments(self, parameters: dict[str, Any]) -> list[Any]:
        """Return the values of the parameters as the driver takes them."""
        values = self._constants | parameters
        return [
            values[name] if process is None else process(values[name])
            for name, process in self._processors
        ]


class Reads:
    """Runs queries, each by itself; rows are as the driver gives them."""

    def __init__(self, engine: AsyncEngine, turns: Turns) -> None:
        self._engine = engine
        self._turns = turns

    async def rows(self, query: Query, parameters: dict[str, Any]) -> list[Record]:
        """Return all rows of a query."""
        async with self._turns:
            connection = await self._engine.raw_connection()
            try:
                driver: Any = connection.driver_connection
                rows: list[Record] = await driver.fetch(query.text, *query.arguments(parameters))
            except PostgresError:
                raise
            except BaseException:
                # What became of the connection is not known: the next to ask gets another.
                connection.invalidate()
                raise
            finally:
                connection.close()
        return rows

    async def row(self, query: Query, parameters: dict[str, Any]) -> Record | None:
        """Return the first row of a query, if it has one."""
        rows = await self.rows(query, parameters)
        return rows[0] if rows else None
