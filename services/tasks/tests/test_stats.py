from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from sqlalchemy import text

from service_kit.clock import utc_now
from tasks_service.dependencies.resources import Resources
from tasks_service.services import stats, task_list

STATS = "/api/v1/stats"
TASKS = "/api/v1/tasks"
NOW = datetime(2026, 5, 10, 23, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "utc_now", lambda: NOW)


async def create(client: AsyncClient, **fields: Any) -> Any:
    response = await client.post(TASKS, json={"title": "x", **fields})
    assert response.status_code == 201, response.text
    return response.json()


async def numbers(client: AsyncClient, **params: str) -> Any:
    response = await client.get(STATS, params=params)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.spec("STAT-1")
async def test_nothing_is_counted_as_nothing(alice: AsyncClient) -> None:
    found = await numbers(alice)

    days = found.pop("completed_per_day")
    assert found == {
        "open": 0,
        "completed": 0,
        "overdue": 0,
        "due_today": 0,
        "by_list": [],
        "by_priority": {"none": 0, "low": 0, "medium": 0, "high": 0, "urgent": 0},
    }
    assert len(days) == 30


@pytest.mark.spec("STAT-1")
async def test_every_task_is_counted_once_in_each_way(
    alice: AsyncClient, mallory: AsyncClient
) -> None:
    home = (await alice.post("/api/v1/lists", json={"name": "Home"})).json()["id"]
    await create(mallory, priority="low", due_on="2026-05-10")
    await create(alice, priority="high", list_id=home, due_on="2026-05-09")
    await create(alice, priority="high", list_id=home, due_on="2026-05-10")
    await create(alice, priority="low", list_id=home, completed=True, due_on="2026-05-09")
    await create(alice, due_at="2026-05-10T23:29:59Z")
    await create(alice, due_at="2026-05-11T10:00:00Z")
    trashed = await create(alice, priority="urgent", due_on="2026-05-10")
    await alice.delete(f"{TASKS}/{trashed['id']}")

    utc, berlin = await numbers(alice), await numbers(alice, time_zone="Europe/Berlin")

    assert (utc["open"], utc["completed"]) == (4, 1)
    assert (utc["overdue"], utc["due_today"]) == (2, 2)
    assert (berlin["overdue"], berlin["due_today"]) == (3, 2)
    assert utc["by_list"] == [
        {"list_id": home, "open": 2, "completed": 1},
        {"list_id": None, "open": 2, "completed": 0},
    ]
    assert utc["by_priority"] == {"none": 2, "low": 0, "medium": 0, "high": 2, "urgent": 0}


@pytest.mark.spec("STAT-2")
async def test_the_last_thirty_days_are_those_of_the_zone(app: FastAPI, alice: AsyncClient) -> None:
    resources: Resources = app.state.resources
    for completed_at in (
        "2026-05-10T23:00:00+00:00",
        "2026-05-10T21:59:59+00:00",
        "2026-05-10T22:00:00+00:00",
        "2026-04-11T22:00:00+00:00",
        "2026-04-11T00:00:00+00:00",
        "2026-04-10T23:59:59+00:00",
    ):
        task = await create(alice, completed=True)
        async with resources.database.engine.begin() as connection:
            await connection.execute(
                text("UPDATE task SET completed_at = :at WHERE id = :id AND user_id = :user_id"),
                {
                    "at": datetime.fromisoformat(completed_at),
                    "id": task["id"],
                    "user_id": alice.headers["x-user-id"],
                },
            )

    utc = (await numbers(alice))["completed_per_day"]
    berlin = (await numbers(alice, time_zone="Europe/Berlin"))["completed_per_day"]

    def counted(days: Any) -> dict[str, int]:
        return {day["date"]: day["completed"] for day in days if day["completed"]}

    dates = [date.fromisoformat(day["date"]) for day in utc]
    assert dates == [date(2026, 4, 11) + timedelta(days=n) for n in range(30)]
    assert berlin[-1]["date"] == "2026-05-11"
    assert counted(utc) == {"2026-04-11": 2, "2026-05-10": 3}
    assert counted(berlin) == {"2026-04-12": 1, "2026-05-10": 1, "2026-05-11": 2}


@pytest.mark.spec("STAT-4")
async def test_each_completion_of_a_recurring_task_is_one_of_its_day(
    alice: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "utc_now", utc_now)
    rule = {"due_on": "2099-11-25", "recurrence": "FREQ=DAILY;COUNT=3"}
    task = f"{TASKS}/{(await create(alice, **rule))['id']}"

    async def completed() -> tuple[int, int]:
        found = await numbers(alice)
        return found["completed"], sum(day["completed"] for day in found["completed_per_day"])

    seen = [await completed()]
    for method, path in (
        ("POST", f"{task}/complete"),
        ("POST", f"{task}/complete"),
        ("POST", f"{task}/complete"),
        ("POST", f"{task}/reopen"),
        ("DELETE", task),
        ("POST", f"{task}/restore"),
    ):
        assert (await alice.request(method, path)).is_success
        seen.append(await completed())

    assert seen == [(0, 0), (0, 1), (0, 2), (1, 3), (0, 3), (0, 0), (0, 3)]


@pytest.mark.spec("STAT-2")
async def test_an_unknown_zone_is_422(alice: AsyncClient) -> None:
    response = await alice.get(STATS, params={"time_zone": "Mars/Base"})

    assert response.status_code == 422
    assert response.json()["errors"][0]["parameter"] == "time_zone"


@pytest.mark.spec("STAT-3")
async def test_a_list_counts_what_is_on_all_its_pages_when_asked(alice: AsyncClient) -> None:
    for n in range(5):
        await create(alice, tags=["a"] if n else [], due_on="2026-05-10", description="milk")

    async def page(**params: Any) -> Any:
        return (await alice.get(TASKS, params={"count": "true", "limit": 2, **params})).json()

    first = await page()
    rest = await page(cursor=first["next_cursor"])

    assert (first["count"], rest["count"], len(first["items"])) == (5, 5, 2)
    assert (await page(tag="a"))["count"] == 4
    assert (await page(q="mil"))["count"] == 5
    assert (await page(q="bread"))["count"] == 0
    counted = {"items", "next_cursor", "count", "count_exact"}
    assert first.keys() == counted
    assert (await page(view="overdue")).keys() == {*counted, "changes_at"}
    assert (await page(count="false")).keys() == {"items", "next_cursor"}


@pytest.mark.spec("STAT-3", "SPEED-4")
async def test_the_count_is_that_of_all_tasks_listed_whatever_the_filters(
    alice: AsyncClient,
) -> None:
    home = (await alice.post("/api/v1/lists", json={"name": "home"})).json()["id"]
    for number, (priority, list_id) in enumerate(product(["low", "high", "urgent"], [home, None])):
        for completed in [True, False, False][: number % 3 + 1]:
            task = await create(alice, priority=priority, list_id=list_id)
            if completed:
                await alice.post(f"{TASKS}/{task['id']}/complete")
    gone = await create(alice, list_id=home, priority="low")
    await alice.delete(f"{TASKS}/{gone['id']}")

    async def counted(**params: Any) -> tuple[int, int]:
        page = (await alice.get(TASKS, params={"count": "true", "limit": 200, **params})).json()
        return page["count"], len(page["items"])

    for values in product(
        [None, "true", "false"],
        [None, ["low"], ["low", "urgent"], ["medium"]],
        [None, home, "none", str(uuid4())],
        [None, "false"],
    ):
        names = ("completed", "priority", "list_id", "has_due")
        params = {name: value for name, value in zip(names, values, strict=True) if value}
        count, listed = await counted(**params)
        assert count == listed, params


@pytest.mark.spec("STAT-3")
@pytest.mark.parametrize(("most", "counted"), [(4, (4, True)), (3, (3, False))])
async def test_a_list_that_is_too_long_is_not_counted_to_its_end(
    alice: AsyncClient, monkeypatch: pytest.MonkeyPatch, most: int, counted: tuple[int, bool]
) -> None:
    monkeypatch.setattr(task_list, "_MOST_COUNTED", most)
    for _ in range(4):
        await create(alice)

    page = (await alice.get(TASKS, params={"count": "true", "limit": 2})).json()

    assert (page["count"], page["count_exact"]) == counted
    assert len(page["items"]) == 2
