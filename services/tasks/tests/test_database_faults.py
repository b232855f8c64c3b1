import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import pytest
from asyncpg import (
    CannotConnectNowError,
    ConnectionDoesNotExistError,
    InterfaceError,
    InternalClientError,
)
from fastapi import FastAPI
from httpx import AsyncClient, Response
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi as Adapter

from devkit.servers import Server
from tasks_service import database
from tasks_service.dependencies.resources import Resources
from tasks_service.main import create_app
from tasks_service.migrate import upgrade
from tasks_service.settings import TasksSettings

TASKS = "/api/v1/tasks"
# What the adapter raises where a connection cannot be made; it has no types.
ADAPTED: Callable[[str, Exception], Exception] = Adapter.Error
UserOf = Callable[[FastAPI, str], AsyncClient]


@pytest.fixture
async def faulty_app(
    private_postgres: Server, settings: TasksSettings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FastAPI]:
    """Give a service on a PostgreSQL of its own, with little patience."""
    monkeypatch.setattr(database, "_COMMAND_SECONDS", 1.5)
    monkeypatch.setattr(database, "_CONNECT_SECONDS", 1.5)
    monkeypatch.setattr(database, "_POOL_SECONDS", 1.5)
    url = SecretStr(private_postgres.url)
    mine = settings.model_copy(update={"database_url": url, "database_pool_size": 2})
    await upgrade(mine.sqlalchemy_url)
    app = create_app(mine)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def user(faulty_app: FastAPI, user_of: UserOf) -> AsyncClient:
    return user_of(faulty_app, "alice")


async def read_and_write(user: AsyncClient) -> list[Response]:
    async with asyncio.timeout(30):
        return list(
            await asyncio.gather(
                user.get(TASKS),
                user.post(TASKS, json={"title": "x"}),
                user.get("/api/tasks"),
                user.get(TASKS),
            )
        )


@contextmanager
def hanging(server: Server) -> Iterator[None]:
    server.pause()
    try:
        yield
    finally:
        server.resume()


def assert_unavailable(answers: list[Response]) -> None:
    assert {(a.status_code, a.json()["code"]) for a in answers} == {(503, "database_unavailable")}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)


def assert_available(answers: list[Response]) -> None:
    assert [answer.status_code for answer in answers] == [200, 201, 200, 200]


@pytest.mark.spec("TASK-23")
async def test_a_stopped_database_is_503_and_its_return_needs_no_restart(
    private_postgres: Server, user: AsyncClient
) -> None:
    assert_available(await read_and_write(user))

    await private_postgres.stop()
    assert_unavailable(await read_and_write(user))
    assert (await user.get("/healthz")).status_code == 200
    assert (await user.get("/readyz")).json()["failing"] == ["database"]

    await private_postgres.start()
    assert_available(await read_and_write(user))
    assert (await user.get("/readyz")).status_code == 200


@pytest.mark.spec("TASK-23")
async def test_a_database_back_before_anyone_asked_is_never_missed(
    private_postgres: Server, user: AsyncClient
) -> None:
    assert_available(await read_and_write(user))

    await private_postgres.stop()
    await private_postgres.start()

    assert_available(await read_and_write(user))


@pytest.mark.spec("TASK-23", "OVER-5")
async def test_a_database_that_hangs_is_503_and_then_good_again(
    private_postgres: Server, user: AsyncClient
) -> None:
    assert_available(await read_and_write(user))

    with hanging(private_postgres):
        assert_unavailable(await read_and_write(user))

    assert_available(await read_and_write(user))


@pytest.mark.spec("TASK-23")
async def test_a_write_that_waits_too_long_for_another_is_503_and_writes_nothing(
    faulty_app: FastAPI, user: AsyncClient
) -> None:
    await user.post(TASKS, json={"title": "x"})
    resources: Resources = faulty_app.state.resources
    async with resources.database.engine.begin() as holder:
        await holder.execute(text("SELECT 1 FROM account FOR UPDATE"))
        async with asyncio.timeout(30):
            answer = await user.post(TASKS, json={"title": "waiting"})

    assert_unavailable([answer])
    assert (await user.post(TASKS, json={"title": "y"})).json()["version"] == 2


@pytest.mark.spec("TASK-23")
async def test_a_database_that_hangs_in_the_middle_of_a_write_is_503(
    faulty_app: FastAPI, private_postgres: Server, user: AsyncClient
) -> None:
    await user.post(TASKS, json={"title": "x"})
    resources: Resources = faulty_app.state.resources
    async with asyncio.timeout(30), resources.database.engine.begin() as holder:
        await holder.execute(text("SELECT 1 FROM account FOR UPDATE"))
        writing = asyncio.create_task(user.post(TASKS, json={"title": "waiting"}))
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while not await holder.scalar(waiting):
            assert not writing.done()
        with hanging(private_postgres):
            answer = await writing

    assert_unavailable([answer])


@pytest.mark.spec("ERR-5", "TASK-23")
@pytest.mark.parametrize(
    ("failure", "passing"),
    [
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (InterfaceError("connection is closed"), True),
        (ConnectionDoesNotExistError(), True),
        (InternalClientError("another operation is in progress"), True),
        (ADAPTED("starting up", CannotConnectNowError("starting up")), True),
        (ValueError("a mistake of ours"), False),
    ],
)
async def test_only_a_missing_database_is_called_one(
    app: FastAPI,
    user_of: UserOf,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    passing: bool,
) -> None:
    async def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr("tasks_service.reads.Reads.rows", fail)
    request = user_of(app, "alice").get(f"{TASKS}/00000000-0000-0000-0000-000000000001")

    if passing:
        assert_unavailable([await request])
    else:
        with pytest.raises(ValueError, match="a mistake of ours"):
            await request
