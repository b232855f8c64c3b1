import os
import secrets
import subprocess
import sys

import pytest
from httpx import ASGITransport, AsyncClient
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from service_kit.api import StartupError
from tasks_service import main
from tasks_service.main import create_app
from tasks_service.migrate import upgrade
from tasks_service.schema_version import expected_revision
from tasks_service.settings import DatabaseSettings, TasksSettings

KEY = secrets.token_hex(32)
# Nothing listens on the discard port.
NOBODY = SecretStr("redis://127.0.0.1:9/0")
GOOD = {
    "DATABASE_URL": "postgresql://me:hidden-word@localhost/tasks",
    "IDENTITY_KEY": KEY,
    "REDIS_URL": "redis://:hidden-word@localhost:6379/0",
}


def run(code: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return subprocess.run(
        [sys.executable, *code],
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.spec("TASK-24", "EVENT-13")
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
        ({"DATABASE_URL": "hidden-word"}, "DATABASE_URL"),
        ({"DATABASE_URL": "mysql://me:hidden-word@localhost/tasks"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://me:hidden-word@localhost"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://me:hidden-word@localhost:x/tasks"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://localhost/tasks?hidden-word=1"}, "DATABASE_URL"),
        ({"IDENTITY_KEY": ""}, "IDENTITY_KEY"),
        ({"IDENTITY_KEY": "hidden-word"}, "IDENTITY_KEY"),
        ({"IDENTITY_KEY": f"{KEY},hidden-word"}, "IDENTITY_KEY"),
        ({"IDENTITY_KEY": f"{KEY},"}, "IDENTITY_KEY"),
        ({"DATABASE_POOL_SIZE": "0"}, "DATABASE_POOL_SIZE"),
        ({"REDIS_URL": ""}, "REDIS_URL"),
        ({"REDIS_URL": "http://hidden-word"}, "REDIS_URL"),
        ({"EVENTS_HEARTBEAT": "0"}, "EVENTS_HEARTBEAT"),
        ({"EVENTS_POLL": "61"}, "EVENTS_POLL"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"),
        ({"PUBLIC_URL": "here"}, "PUBLIC_URL"),
    ],
)
def test_a_settings_mistake_stops_the_start_with_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], named: str
) -> None:
    for name, value in {**GOOD, **changes}.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as stopped:
        create_app()

    line = str(stopped.value.code)
    assert line.startswith(f"tasks: refusing to start: {named}: ")
    assert "\n" not in line
    assert "hidden-word" not in line


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+asyncpg"])
def test_both_spellings_of_a_database_url_and_its_sslmode_are_understood(scheme: str) -> None:
    settings = DatabaseSettings(database_url=SecretStr(f"{scheme}://u:p@db/tasks?sslmode=require"))

    url = settings.sqlalchemy_url.render_as_string(hide_password=False)

    assert url == "postgresql+asyncpg://u:p@db/tasks?ssl=require"


@pytest.mark.spec("TASK-22")
@pytest.mark.parametrize("found", ["none", "0000"])
async def test_another_schema_stops_the_start_and_says_what_to_run(
    database_url: str, found: str
) -> None:
    settings = TasksSettings(
        database_url=SecretStr(database_url), identity_key=(SecretStr(KEY),), redis_url=NOBODY
    )
    if found != "none":
        await upgrade(settings.sqlalchemy_url)
        engine = create_async_engine(settings.sqlalchemy_url, poolclass=NullPool)
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    app = create_app(settings)

    with pytest.raises(StartupError) as refused:
        async with app.router.lifespan_context(app):
            pass

    assert str(refused.value) == (
        f"the database is at revision {found}, this service needs {expected_revision()}: "
        "run `python -m tasks_service.migrate`"
    )


async def test_a_database_nobody_answers_for_stops_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(main, "_START_SECONDS", 0.1)
    # Nothing listens on the discard port.
    url = SecretStr("postgresql://me:hidden-word@127.0.0.1:9/tasks")
    app = create_app(
        TasksSettings(database_url=url, identity_key=(SecretStr(KEY),), redis_url=NOBODY)
    )

    with pytest.raises(StartupError) as refused:
        async with app.router.lifespan_context(app):
            pass

    assert "127.0.0.1:9" in str(refused.value)
    assert "hidden-word" not in str(refused.value)


async def test_a_database_that_refuses_the_password_stops_the_start(database_url: str) -> None:
    settings = TasksSettings(
        database_url=SecretStr(database_url), identity_key=(SecretStr(KEY),), redis_url=NOBODY
    )
    wrong = settings.sqlalchemy_url.set(password="hidden-word")
    url = SecretStr(wrong.render_as_string(hide_password=False))
    app = create_app(
        TasksSettings(database_url=url, identity_key=(SecretStr(KEY),), redis_url=NOBODY)
    )

    with pytest.raises(StartupError, match="refuses us") as refused:
        async with app.router.lifespan_context(app):
            pass

    assert "hidden-word" not in str(refused.value)


@pytest.mark.spec("EVENT-13")
async def test_without_redis_the_service_is_ready_and_says_what_is_missing(
    settings: TasksSettings,
) -> None:
    app = create_app(settings.model_copy(update={"redis_url": NOBODY}))
    prober = AsyncClient(transport=ASGITransport(app), base_url="http://tasks")

    async with app.router.lifespan_context(app), prober:
        ready = await prober.get("/readyz")

    assert (ready.status_code, ready.json()["failing"]) == (200, ["redis"])


@pytest.mark.spec("TASK-22", "TASK-24")
def test_the_migrate_command_migrates_and_names_its_mistakes(database_url: str) -> None:
    done = run(["-m", "tasks_service.migrate"], {"DATABASE_URL": database_url})
    again = run(["-m", "tasks_service.migrate"], {"DATABASE_URL": database_url})
    wrong = run(["-m", "tasks_service.migrate"], {"DATABASE_URL": "hidden-word"})

    assert (done.returncode, again.returncode) == (0, 0), done.stderr
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("tasks-migrate: refusing to start: DATABASE_URL: ")
    assert wrong.stderr.count("\n") == 1
