"""`python -m tasks_service.migrate`: bring the database at DATABASE_URL to this service's schema.

Any number may run at once: they take turns, and the later ones find nothing left to do.
With `--new "what it does"` it writes the next migration instead, from how the models differ.
"""

import argparse
import asyncio
from collections.abc import Callable

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from service_kit.api import StartupError
from service_kit.settings import load_settings, refuse_to_start
from tasks_service.database import wait_for_database
from tasks_service.schema_version import expected_revision, migration_config
from tasks_service.settings import DatabaseSettings

_SERVICE = "tasks-migrate"
_START_SECONDS = 30
_TRIES = 5
_PAUSE_SECONDS = 1.0
_LOCK_NOT_AVAILABLE = "55P03"
# Any number will do, as long as every version of this program uses the same one.
_LOCK = 7_235_901


async def upgrade(url: URL, revision: str = "head") -> None:
    """Apply the migrations up to `revision`, all of them or none.

    A table in use is waited for again and again, a few seconds each time. Migrations of a newer
    release stay: whoever goes back to this one finds the tables it needs among them.
    Raises `StartupError` when it stays in use, or the database cannot be reached within 30 seconds.
    """
    await _run(url, lambda config: _upgrade(config, revision))


async def downgrade(url: URL, revision: str) -> None:
    """Undo the migrations after `revision` ("base" undoes all); the data in them is lost."""
    await _run(url, lambda config: command.downgrade(config, revision))


async def write_migration(url: URL, message: str) -> None:
    """Write the next migration file: what turns the database at `url` into the models."""
    number = f"{int(expected_revision()) + 1:04}"
    await _run(
        url, lambda config: command.revision(config, message, autogenerate=True, rev_id=number)
    )


async def _run(url: URL, action: Callable[[Config], object]) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        await wait_for_database(engine, _START_SECONDS)
        for _ in range(_TRIES):
            if await _act(engine, action):
                return
            await asyncio.sleep(_PAUSE_SECONDS)
    finally:
        await engine.dispose()
    raise StartupError(f"a table was in use each of {_TRIES} times; try again")


async def _act(engine: AsyncEngine, action: Callable[[Config], object]) -> bool:
    """Act in one transaction; False if a lock was not to be had in time."""
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await connection.run_sync(_with_config, action)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            return False
        raise
    return True


def _upgrade(config: Config, revision: str) -> None:
    connection: Connection = config.attributes["connection"]
    found = MigrationContext.configure(connection).get_current_revision()
    if found is None or found <= expected_revision():
        command.upgrade(config, revision)


def _with_config(connection: Connection, action: Callable[[Config], object]) -> None:
    config = migration_config()
    config.attributes["connection"] = connection
    action(config)


def main() -> None:
    """Upgrade to the newest schema, or say in one line why not."""
    parser = argparse.ArgumentParser(prog="python -m tasks_service.migrate")
    parser.add_argument("--new", metavar="MESSAGE", help="write the next migration instead")
    message: str | None = parser.parse_args().new
    url = load_settings(DatabaseSettings, _SERVICE).sqlalchemy_url
    try:
        asyncio.run(write_migration(url, message) if message else upgrade(url))
    except StartupError as error:
        refuse_to_start(_SERVICE, str(error))


if __name__ == "__main__":
    main()
