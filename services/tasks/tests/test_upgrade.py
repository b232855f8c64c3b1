"""A release that takes the place of another while both serve."""

import shutil
from pathlib import Path
from textwrap import dedent

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from service_kit.api import StartupError
from tasks_service import schema_version
from tasks_service.main import create_app
from tasks_service.migrate import upgrade
from tasks_service.settings import DatabaseSettings, TasksSettings


@pytest.fixture
def url(database_url: str) -> URL:
    return DatabaseSettings(database_url=SecretStr(database_url)).sqlalchemy_url


class NextRelease:
    """The migrations of a later release: ours, and one more."""

    def __init__(self, folder: Path) -> None:
        self._versions = folder / "versions"
        newest = schema_version.expected_revision()
        self.revision = f"{int(newest) + 1:04}"
        self._down_revision = newest

    def does(self, *statements: str) -> None:
        code = f"""
            from alembic import op

            revision = "{self.revision}"
            down_revision = "{self._down_revision}"


            def upgrade() -> None:
                for statement in {statements!r}:
                    op.execute(statement)
        """
        (self._versions / f"{self.revision}_next.py").write_text(dedent(code))


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NextRelease:
    folder = tmp_path / "migrations"
    shutil.copytree(schema_version._MIGRATIONS, folder)
    release = NextRelease(folder)
    monkeypatch.setattr(schema_version, "_MIGRATIONS", folder)
    return release


@pytest.mark.spec("CON-17")
async def test_a_migration_waits_five_seconds_for_a_lock(
    url: URL, next_release: NextRelease
) -> None:
    next_release.does("CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS waits")

    await upgrade(url)

    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT waits FROM seen")) == "5s"


@pytest.mark.spec("CON-17")
@pytest.mark.parametrize("freed", [True, False], ids=["freed in time", "never freed"])
async def test_a_migration_that_finds_a_table_locked_is_tried_again(
    url: URL, next_release: NextRelease, monkeypatch: pytest.MonkeyPatch, freed: bool
) -> None:
    await upgrade(url, next_release._down_revision)
    next_release.does("SET LOCAL lock_timeout = '1ms'", "ALTER TABLE task ADD COLUMN more int")
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as holder:
        await holder.execute(text("LOCK TABLE task"))

        async def pause(_seconds: float) -> None:
            if freed:
                await holder.rollback()

        monkeypatch.setattr("tasks_service.migrate.asyncio.sleep", pause)
        if freed:
            await upgrade(url)
        else:
            with pytest.raises(StartupError, match="a table was in use"):
                await upgrade(url)

    async with engine.connect() as connection:
        found = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    assert found == (next_release.revision if freed else next_release._down_revision)


@pytest.mark.spec("CON-18")
async def test_a_release_serves_on_a_database_that_a_newer_one_has_migrated(
    url: URL, next_release: NextRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    next_release.does("ALTER TABLE task ADD COLUMN more int")
    await upgrade(url)
    monkeypatch.undo()
    assert schema_version.expected_revision() < next_release.revision
    await upgrade(url)
    settings = TasksSettings(
        database_url=SecretStr(url.render_as_string(hide_password=False)),
        identity_key=(SecretStr("k" * 32),),
        redis_url=SecretStr("redis://127.0.0.1:9/0"),
    )
    app = create_app(settings)

    async with app.router.lifespan_context(app):
        assert app.state.resources
