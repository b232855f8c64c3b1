"""Fresh, empty databases on a PostgreSQL server, for tests."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg


@asynccontextmanager
async def fresh_databases(server_url: str) -> AsyncIterator["Databases"]:
    """Give databases until the end of the block, which drops them whoever is still connected."""
    databases = Databases(server_url)
    try:
        yield databases
    finally:
        await databases.drop()


class Databases:
    """Creates databases on the server a URL names, and drops those it created."""

    def __init__(self, server_url: str) -> None:
        # SQLAlchemy's spelling names the driver in the scheme; asyncpg knows only the plain one.
        parts = urlsplit(server_url)
        self._parts = parts._replace(scheme=parts.scheme.partition("+")[0])
        self._created: list[str] = []

    async def create(self, options: str = "") -> str:
        """Create an empty database, with options of `CREATE DATABASE`, and return its URL."""
        name = f"test_{secrets.token_hex(8)}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE template0 {options}')
        self._created.append(name)
        return urlunsplit(self._parts._replace(path=f"/{name}"))

    async def drop(self) -> None:
        """Drop the databases created so far."""
        while self._created:
            await self._execute(f'DROP DATABASE IF EXISTS "{self._created.pop()}" WITH (FORCE)')

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(urlunsplit(self._parts))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
