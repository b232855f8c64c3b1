"""The connections to PostgreSQL: how they are made, found stale, and waited for."""

import asyncio
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from service_kit.api import StartupError
from tasks_service.database_failures import DATABASE_ERRORS, is_passing
from tasks_service.export_sessions import ExportSessions
from tasks_service.reads import Reads
from tasks_service.turns import Turns

_CONNECT_SECONDS = 5
_COMMAND_SECONDS = 10
_POOL_SECONDS = 5
_RETRY_SECONDS = 0.2
# So many exports run at once; each holds its connection for as long as its reader takes.
_EXPORTS = 4
# A client that hangs inside a transaction would hold its user's lock for ever.
_HANGING = "15s"
# An export holds no lock, and its reader may be slow; one that stops is ended by the gateway.
_HANGING_EXPORT = "60s"


@dataclass(frozen=True)
class Database:
    """The engine, and what is done through it.

    `sessions` are for writes; `reads` and `read_sessions` run each statement by itself, without
    the round trips of BEGIN and ROLLBACK, and `reads` without the price of a session. A session
    of either is to be had in its turn only, and `reads` see to that themselves.
    `export_sessions` have a few connections of their own, so that slow readers of long answers
    hold up nobody else.
    """

    engine: AsyncEngine
    export_engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    read_sessions: async_sessionmaker[AsyncSession]
    export_sessions: ExportSessions
    reads: Reads
    turns: Turns

    async def aclose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()
        await self.export_engine.dispose()


def open_database(url: URL, pool_size: int = 1) -> Database:
    """Prepare to connect; nothing is connected before the first statement."""
    engine = _engine(url, pool_size, _HANGING)
    export_engine = _engine(url, _EXPORTS, _HANGING_EXPORT)
    turns = Turns(pool_size, _POOL_SECONDS)
    reading = engine.execution_options(isolation_level="AUTOCOMMIT")
    return Database(
        engine,
        export_engine,
        async_sessionmaker(engine, expire_on_commit=False),
        async_sessionmaker(reading, expire_on_commit=False),
        ExportSessions(export_engine, _EXPORTS, _POOL_SECONDS),
        Reads(engine, turns),
        turns,
    )


def _engine(url: URL, pool_size: int, hanging: str) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_POOL_SECONDS,
        connect_args={
            "timeout": _CONNECT_SECONDS,
            "command_timeout": _COMMAND_SECONDS,
            "server_settings": {
                "application_name": "taskgate-tasks",
                "idle_in_transaction_session_timeout": hanging,
            },
        },
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


async def ping(engine: AsyncEngine) -> None:
    """Ask the server for nothing; raises what the driver does when it does not answer."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))


async def wait_for_database(engine: AsyncEngine, seconds: float) -> None:
    """Return when the server answers.

    Raises `StartupError` when it refuses us, or does not answer within `seconds`.
    """
    try:
        async with asyncio.timeout(seconds):
            while not await _answers(engine):  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(_RETRY_SECONDS)
    except TimeoutError:
        where = f"{engine.url.host}:{engine.url.port or 5432}"
        raise StartupError(
            f"the database at {where} did not answer within {seconds:g} seconds (DATABASE_URL)"
        ) from None


async def _answers(engine: AsyncEngine) -> bool:
    try:
        await ping(engine)
    except DATABASE_ERRORS as error:
        if is_passing(error):
            return False
        reason = getattr(error, "orig", error)
        raise StartupError(f"the database refuses us: {reason} (DATABASE_URL)") from None
    return True


def _refuse_closed(connection: Any, _record: object, _fairy: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter has no public type
    # asyncpg has noticed when the server hung up, so no round trip is needed to find out.
    if connection.driver_connection.is_closed():
        raise DisconnectionError
