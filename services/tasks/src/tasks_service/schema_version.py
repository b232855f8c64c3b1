"""Which migration the database has seen, against the one this service was written for.

Revisions are numbers of four digits, so that the later one is also the greater text.
"""

from pathlib import Path

import structlog
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from service_kit.api import StartupError

_log = structlog.get_logger(__name__)
_MIGRATIONS = Path(__file__).parent / "migrations"


def migration_config() -> Config:
    """Return Alembic's configuration; it takes the place of an alembic.ini."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


def expected_revision() -> str:
    """Return the newest migration in this source tree."""
    head = ScriptDirectory.from_config(migration_config()).get_current_head()
    if head is None:
        raise StartupError("the migrations are missing from this installation")
    return head


async def require_expected_schema(engine: AsyncEngine) -> None:
    """Return if the database has the tables this service needs.

    A newer release may have added to them: it leaves what this one uses for as long as both serve.
    Raises `StartupError` if they are older, or none.
    """
    found, expected = await _found_revision(engine), expected_revision()
    if found is None or found < expected:
        raise StartupError(
            f"the database is at revision {found or 'none'}, this service needs {expected}: "
            "run `python -m tasks_service.migrate`"
        )
    if found > expected:
        _log.warning("newer_schema", found=found, expected=expected)


async def _found_revision(engine: AsyncEngine) -> str | None:
    async with engine.connect() as connection:
        exists = await connection.scalar(text("SELECT to_regclass('alembic_version')::text"))
        if exists is None:
            return None
        found: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
        return found
