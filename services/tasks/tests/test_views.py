from datetime import UTC, datetime
from typing import Any

import pytest
from httpx import AsyncClient

from tasks_service.services import task_list

TASKS = "/api/v1/tasks"
# Half past one in the night in Berlin, still the day before in New York and in UTC.
NOW = "2026-05-10T23:30:00Z"


@pytest.fixture(autouse=True)
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give what makes it another time for the views."""

    def at(instant: str) -> None:
        now = datetime.fromisoformat(instant).astimezone(UTC)
        monkeypatch.setattr(task_list, "utc_now", lambda: now)

    at(NOW)
    return at


async def due(client: AsyncClient, title: str, when: str | None, **fields: Any) -> None:
    field = "due_at" if when and "T" in when else "due_on"
    response = await client.post(TASKS, json={"title": title, field: when, **fields})
    assert response.status_code == 201, response.text


async def view(client: AsyncClient, name: str, zone: str | None = None, **more: Any) -> Any:
    params = {"view": name, **({"time_zone": zone} if zone else {}), **more}
    response = await client.get(TASKS, params=params)
    assert response.status_code == 200, response.text
    return response.json()


async def titles(client: AsyncClient, name: str, zone: str | None = None, **more: Any) -> str:
    return "".join(task["title"] for task in (await view(client, name, zone, **more))["items"])


async def some_tasks(client: AsyncClient) -> None:
    await due(client, "a", "2026-05-09")
    await due(client, "b", "2026-05-10")
    await due(client, "c", "2026-05-11")
    await due(client, "d", "2026-05-12")
    await due(client, "e", "2026-05-10T03:59:59Z")
    await due(client, "f", "2026-05-10T21:59:59Z")
    await due(client, "g", "2026-05-10T22:00:00Z")
    await due(client, "h", "2026-05-10T23:45:00Z")
    await due(client, "i", "2026-05-11T04:00:00Z")
    await due(client, "j", "2026-05-11T22:00:00Z")
    await due(client, "k", None)
    await due(client, "l", "2026-05-10", completed=True)
    await due(client, "m", "2026-05-11T00:00:00Z", completed=True)


@pytest.mark.spec("VIEW-1")
@pytest.mark.parametrize(
    ("zone", "today", "overdue", "upcoming"),
    [
        (None, "befgh", "aefg", "cijd"),
        ("UTC", "befgh", "aefg", "cijd"),
        ("Europe/Berlin", "ghci", "abefg", "jd"),
        ("America/New_York", "bfgh", "aefg", "cijd"),
        ("Pacific/Kiritimati", "fghci", "abefg", "jd"),
    ],
)
async def test_a_view_shows_open_tasks_by_the_day_where_the_user_is(
    alice: AsyncClient, zone: str | None, today: str, overdue: str, upcoming: str
) -> None:
    await some_tasks(alice)

    assert await titles(alice, "today", zone) == today
    assert await titles(alice, "overdue", zone) == overdue
    assert await titles(alice, "upcoming", zone) == upcoming


@pytest.mark.spec("VIEW-1")
async def test_a_view_combines_with_filters_and_sort_and_pages(alice: AsyncClient) -> None:
    await some_tasks(alice)
    await due(alice, "z", "2026-05-11", priority="high")

    first = await view(alice, "upcoming", limit=2)
    rest = await view(alice, "upcoming", limit=5, cursor=first["next_cursor"])

    assert [task["title"] for task in first["items"] + rest["items"]] == list("czijd")
    assert await titles(alice, "upcoming", priority="high") == "z"
    assert await titles(alice, "upcoming", sort="-title") == "zjidc"
    assert await titles(alice, "upcoming", q="z") == "z"
    assert await titles(alice, "upcoming", completed="true") == ""


@pytest.mark.spec("VIEW-2")
@pytest.mark.parametrize(
    ("name", "zone", "changes_at"),
    [
        ("today", "UTC", "2026-05-11T00:00:00Z"),
        ("upcoming", "Europe/Berlin", "2026-05-11T22:00:00Z"),
        ("overdue", "Europe/Berlin", "2026-05-10T23:45:00.000001Z"),
        ("overdue", "Asia/Kathmandu", "2026-05-10T23:45:00.000001Z"),
    ],
)
async def test_a_view_says_when_it_changes_by_itself(
    alice: AsyncClient, at: Any, name: str, zone: str, changes_at: str
) -> None:
    await some_tasks(alice)
    before = await view(alice, name, zone)

    at(before["changes_at"])
    after = await view(alice, name, zone)

    assert before["changes_at"] == changes_at
    assert after["items"] != before["items"]


@pytest.mark.spec("VIEW-2")
async def test_overdue_changes_with_the_day_when_nothing_is_due_before(
    alice: AsyncClient,
) -> None:
    await due(alice, "a", "2026-05-11T00:00:00Z")
    await due(alice, "b", "2026-05-10T23:31:00Z", completed=True)

    assert (await view(alice, "overdue"))["changes_at"] == "2026-05-11T00:00:00Z"


@pytest.mark.spec("VIEW-3")
@pytest.mark.parametrize(
    ("now", "zone", "start", "end"),
    [
        # 23 and 25 hours, and a day whose midnight there is not.
        ("2026-03-29T12:00:00Z", "Europe/Berlin", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("2026-10-25T12:00:00Z", "Europe/Berlin", "2026-10-24T22:00", "2026-10-25T23:00"),
        ("2018-11-04T12:00:00Z", "America/Sao_Paulo", "2018-11-04T03:00", "2018-11-05T02:00"),
    ],
)
async def test_a_day_has_the_midnights_of_its_zone(
    alice: AsyncClient, at: Any, now: str, zone: str, start: str, end: str
) -> None:
    at(now)
    await due(alice, "b", f"{start}:00Z")
    await due(alice, "c", f"{end}:00Z")

    today = await view(alice, "today", zone)

    assert "b" in [task["title"] for task in today["items"]]
    assert "c" not in [task["title"] for task in today["items"]]
    assert today["changes_at"] == f"{end}:00Z"


@pytest.mark.spec("VIEW-4", "VIEW-1")
@pytest.mark.parametrize(
    "params",
    [
        {"time_zone": "UTC"},
        {"view": "tomorrow"},
        {"view": "today", "time_zone": "Mars/Base"},
        {"view": "today", "time_zone": "localtime"},
        {"view": "today", "time_zone": ""},
    ],
)
async def test_what_is_no_view_is_422(alice: AsyncClient, params: Any) -> None:
    response = await alice.get(TASKS, params=params)

    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")


@pytest.mark.spec("VIEW-1", "TASK-8")
async def test_a_view_shows_the_callers_tasks_only(
    alice: AsyncClient, mallory: AsyncClient
) -> None:
    await some_tasks(alice)

    assert [await titles(mallory, name) for name in ("today", "overdue", "upcoming")] == [""] * 3
