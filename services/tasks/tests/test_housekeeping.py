import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from devkit.servers import Server
from service_kit.clock import utc_now
from tasks_service import housekeeping
from tasks_service import main as main_module
from tasks_service.database import open_database
from tasks_service.housekeeping import kept_tidy
from tasks_service.main import create_app
from tasks_service.migrate import upgrade
from tasks_service.services.housekeeping import DUTIES, Duty
from tasks_service.settings import TasksSettings

TASKS = "/api/v1/tasks"
NEW = {"If-None-Match": "*"}
TRASHED_TASKS, TRASHED_LISTS, KEYS, TOMBSTONES = DUTIES
AT_ONCE = housekeeping._BATCH


@pytest.fixture(autouse=True)
async def session(app: FastAPI) -> AsyncIterator[AsyncSession]:
    """Give a session, with everything removed that other tests have left to remove."""
    async with app.state.resources.database.sessions() as session:
        for duty in DUTIES:
            await do(session, duty)
        yield session


async def age(app: FastAPI, user: AsyncClient, days: float = 31) -> None:
    """Let time pass for what a user has in the trash, and for their keys."""
    columns = {
        "task": "deleted_at",
        "list": "deleted_at",
        "idempotency_key": "created_at",
        "tombstone": "created_at",
    }
    async with app.state.resources.database.engine.begin() as connection:
        for table, column in columns.items():
            then = f"{column} - CAST(:by AS interval)"
            statement = f"UPDATE {table} SET {column} = {then} WHERE user_id = :user"  # noqa: S608
            values = {"user": user.headers["X-User-Id"], "by": timedelta(days=days)}
            await connection.execute(text(statement), values)


async def trash(user: AsyncClient, **given: Any) -> str:
    """Create a task, put it into the trash, and return its id."""
    created = await user.post(TASKS, json={"title": "x", **given})
    task_id: str = created.json()["id"]
    await user.delete(f"{TASKS}/{task_id}")
    return task_id


async def trashed(user: AsyncClient, path: str = "trash") -> set[str]:
    return {item["id"] for item in (await user.get(f"/api/v1/{path}")).json()["items"]}


async def do(session: AsyncSession, duty: Duty, limit: int = AT_ONCE) -> list[int]:
    """Do a duty to its end; return what each batch removed."""
    counts = []
    while count := await duty.purge(session, utc_now() - duty.kept, limit):
        counts.append(count)
    return counts


@pytest.mark.spec("DATA-22")
async def test_what_has_been_in_the_trash_for_thirty_days_is_gone_and_nothing_else(
    app: FastAPI, alice: AsyncClient, session: AsyncSession
) -> None:
    parent = (await alice.post(TASKS, json={"title": "parent"})).json()["id"]
    await alice.post(TASKS, json={"title": "child", "parent_id": parent})
    await alice.delete(f"{TASKS}/{parent}")
    await age(app, alice, days=29.99)
    young = await trash(alice)
    await age(app, alice, days=0.02)
    live = (await alice.post(TASKS, json={"title": "live"})).json()

    await do(session, TRASHED_TASKS)

    assert await trashed(alice) == {young}
    assert (await alice.get(f"{TASKS}/{live['id']}")).json() == live
    assert (await alice.put(f"{TASKS}/{parent}", json={"title": "x"}, headers=NEW)).is_success


@pytest.mark.spec("DATA-22")
async def test_a_purge_by_the_service_takes_a_version_as_the_users_own_does(
    app: FastAPI, alice: AsyncClient, session: AsyncSession
) -> None:
    await trash(alice)
    await age(app, alice)
    before = (await alice.post(TASKS, json={"title": "before"})).json()["version"]

    await do(session, TRASHED_TASKS)

    assert (await alice.post(TASKS, json={"title": "after"})).json()["version"] == before + 2


@pytest.mark.spec("DATA-22", "DATA-24")
async def test_a_list_goes_after_the_tasks_in_it(
    app: FastAPI, alice: AsyncClient, session: AsyncSession
) -> None:
    old = (await alice.post("/api/v1/lists", json={"name": "old"})).json()["id"]
    for _ in range(2):
        await alice.post(TASKS, json={"title": "x", "list_id": old})
    await alice.delete(f"/api/v1/lists/{old}")
    await age(app, alice)
    young = (await alice.post("/api/v1/lists", json={"name": "young"})).json()["id"]
    await alice.delete(f"/api/v1/lists/{young}")

    early = await do(session, TRASHED_LISTS)
    tasks = await do(session, TRASHED_TASKS)
    late = await do(session, TRASHED_LISTS)

    assert (early, tasks, late) == ([], [2], [1])
    assert await trashed(alice, "trash/lists") == {young}


@pytest.mark.spec("DATA-23")
async def test_a_key_goes_when_its_day_is_over_though_its_user_does_not_come_back(
    app: FastAPI, alice: AsyncClient, mallory: AsyncClient, session: AsyncSession
) -> None:
    key = {"Idempotency-Key": "k"}
    first = [await user.post(TASKS, json={"title": "x"}, headers=key) for user in (alice, mallory)]
    await age(app, alice, days=1)
    await age(app, mallory, days=0.99)

    assert await do(session, KEYS) == [1]
    again = await mallory.post(TASKS, json={"title": "x"}, headers=key)
    assert again.json() == first[1].json()


@pytest.mark.spec("DATA-23", "SYNC-6")
async def test_tombstones_go_when_their_time_is_over(
    app: FastAPI, alice: AsyncClient, session: AsyncSession
) -> None:
    before = (await alice.get("/api/v1/sync")).json()["cursor"]
    task_id = await trash(alice)
    await alice.delete(f"/api/v1/trash/{task_id}")
    assert (await alice.get("/api/v1/sync", params={"cursor": before})).status_code == 200
    await age(app, alice)

    assert await do(session, TOMBSTONES) == [1]
    late = await alice.get("/api/v1/sync", params={"cursor": before})
    assert (late.status_code, late.json()["code"]) == (410, "resync_required")


@pytest.mark.spec("DATA-24")
@pytest.mark.parametrize("duty", [TRASHED_TASKS, KEYS], ids=lambda duty: duty.name)
async def test_a_batch_has_as_many_rows_as_it_may(
    app: FastAPI, alice: AsyncClient, session: AsyncSession, duty: Duty
) -> None:
    for number in range(5):
        headers = {"Idempotency-Key": f"k{number}"}
        created = await alice.post(TASKS, json={"title": "x"}, headers=headers)
        await alice.delete(f"{TASKS}/{created.json()['id']}")
    await age(app, alice)

    assert await do(session, duty, limit=2) == [2, 2, 1]


@pytest.mark.spec("DATA-24")
async def test_who_is_writing_is_passed_over_and_nobody_waits(
    app: FastAPI, alice: AsyncClient, mallory: AsyncClient, session: AsyncSession
) -> None:
    kept, gone = await trash(alice), await trash(mallory)
    await age(app, alice, days=32)
    await age(app, mallory)
    lock = text("UPDATE account SET last_version = last_version WHERE user_id = :user")
    async with app.state.resources.database.engine.begin() as writer:
        await writer.execute(lock, {"user": alice.headers["X-User-Id"]})
        async with asyncio.timeout(5):
            await do(session, TRASHED_TASKS)

        assert await trashed(alice) == {kept}
        assert gone not in await trashed(mallory)
    await do(session, TRASHED_TASKS)
    assert await trashed(alice) == set()


@pytest.mark.spec("DATA-24")
async def test_the_tombstones_of_who_is_writing_are_passed_over_and_nobody_waits(
    app: FastAPI, alice: AsyncClient, mallory: AsyncClient, session: AsyncSession
) -> None:
    for user in (alice, mallory):
        await trash(user)
        await user.delete("/api/v1/trash")
        await age(app, user)
    lock = text("UPDATE account SET last_version = last_version WHERE user_id = :user")
    async with app.state.resources.database.engine.begin() as writer, asyncio.timeout(5):
        await writer.execute(lock, {"user": alice.headers["X-User-Id"]})

        assert await do(session, TOMBSTONES) == [1]
    assert await do(session, TOMBSTONES) == [1]


@pytest.mark.spec("DATA-24")
async def test_a_key_that_another_process_removes_is_passed_over(
    app: FastAPI, alice: AsyncClient, mallory: AsyncClient, session: AsyncSession
) -> None:
    for user in (alice, mallory):
        await user.post(TASKS, json={"title": "x"}, headers={"Idempotency-Key": "k"})
        await age(app, user)
    lock = text("SELECT 1 FROM idempotency_key WHERE user_id = :user FOR UPDATE")
    async with app.state.resources.database.engine.begin() as other, asyncio.timeout(5):
        await other.execute(lock, {"user": alice.headers["X-User-Id"]})

        assert await do(session, KEYS) == [1]
    assert await do(session, KEYS) == [1]


@pytest.mark.spec("DATA-24")
@pytest.mark.parametrize("duty", [TRASHED_TASKS, KEYS], ids=lambda duty: duty.name)
async def test_many_processes_at_once_remove_each_row_once(
    app: FastAPI, alice: AsyncClient, mallory: AsyncClient, duty: Duty
) -> None:
    for user in (alice, mallory):
        for number in range(4):
            headers = {"Idempotency-Key": f"k{number}"}
            created = await user.post(TASKS, json={"title": "x"}, headers=headers)
            await user.delete(f"{TASKS}/{created.json()['id']}")
        await age(app, user)

    async def process() -> int:
        async with app.state.resources.database.sessions() as session:
            return sum(await do(session, duty, limit=1))

    assert sum(await asyncio.gather(*(process() for _ in range(4)))) == 8


class Probe:
    """A duty that tells when it has been asked for so many times, and fails as it is told."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.asked: asyncio.Queue[datetime] = asyncio.Queue()
        self.duty = Duty("probe", self._purge, timedelta(days=1))

    async def _purge(self, _session: AsyncSession, before: datetime, _limit: int) -> int:
        self.asked.put_nowait(before)
        if self.failures:
            raise self.failures.pop()
        return 0

    async def asked_again(self) -> datetime:
        async with asyncio.timeout(20):
            return await self.asked.get()


@pytest.mark.spec("DATA-24")
async def test_a_duty_that_fails_is_logged_tried_again_and_keeps_no_other_from_its_turn(
    app: FastAPI,
) -> None:
    first, second = Probe(ValueError("a mistake"), OSError("away")), Probe()
    sessions = app.state.resources.database.sessions
    with capture_logs() as logs:
        async with kept_tidy(sessions, 0.001, [first.duty, second.duty]):
            for _ in range(3):
                await first.asked_again()
                before = await second.asked_again()

    assert utc_now() - before >= timedelta(days=1)
    failed = [(log["duty"], log["log_level"]) for log in logs if "failed" in log["event"]]
    assert failed == [("probe", "warning"), ("probe", "error")]


@pytest.mark.spec("DATA-24")
async def test_it_ends_at_once_though_a_duty_is_at_work(app: FastAPI) -> None:
    started = asyncio.Event()

    async def sleep(session: AsyncSession, _before: datetime, _limit: int) -> int:
        started.set()
        await session.execute(text("SELECT pg_sleep(60)"))
        return 0

    async with asyncio.timeout(10):
        duty = Duty("sleep", sleep, timedelta(0))
        async with kept_tidy(app.state.resources.database.sessions, 0.001, [duty]):
            await started.wait()
    async with app.state.resources.database.sessions() as session:
        assert await session.scalar(text("SELECT 1")) == 1


@pytest.mark.spec("DATA-24")
async def test_it_outlives_a_database_that_is_away(
    private_postgres: Server, settings: TasksSettings
) -> None:
    url = SecretStr(private_postgres.url)
    mine = settings.model_copy(update={"database_url": url})
    await upgrade(mine.sqlalchemy_url)
    database = open_database(mine.sqlalchemy_url)
    probe = Probe()
    try:
        async with kept_tidy(database.sessions, 0.001, [*DUTIES, probe.duty]):
            await probe.asked_again()
            await private_postgres.stop()
            with capture_logs() as logs:
                while not logs:
                    await probe.asked_again()
            await private_postgres.start()
            with capture_logs() as later:
                for _ in range(3):
                    later.clear()
                    await probe.asked_again()
    finally:
        await database.aclose()

    assert {log["event"] for log in logs} == {"housekeeping_failed"}
    assert later == []


@pytest.mark.spec("DATA-24")
async def test_the_service_keeps_house_by_itself(
    settings: TasksSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = Probe()
    monkeypatch.setattr(
        main_module,
        "kept_tidy",
        lambda sessions, seconds: kept_tidy(sessions, seconds, [probe.duty]),
    )
    app = create_app(settings.model_copy(update={"housekeeping_seconds": 0.001}))

    async with app.router.lifespan_context(app):
        await probe.asked_again()
