import asyncio
from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient

TASKS = "/api/v1/tasks"


async def create(client: AsyncClient, **fields: Any) -> Any:
    response = await client.post(TASKS, json={"title": "Buy milk", **fields})
    assert response.status_code == 201, response.text
    return response.json()


@pytest.mark.spec("TASK-1", "TASK-9")
async def test_a_new_task_has_every_field_and_where_to_find_it(alice: AsyncClient) -> None:
    response = await alice.post(TASKS, json={"title": "  Buy milk "})

    task = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"{TASKS}/{task['id']}"
    assert response.headers["etag"] == '"1"'
    assert task["created_at"] == task["updated_at"]
    assert task["created_at"].endswith("Z")
    assert UUID(task["id"]).version == 7
    assert task == {
        "id": task["id"],
        "title": "Buy milk",
        "description": None,
        "completed": False,
        "completed_at": None,
        "priority": "none",
        "due_on": None,
        "due_at": None,
        "time_zone": None,
        "start_at": None,
        "reminders": [],
        "recurrence": None,
        "recurrence_from": "due",
        "tags": [],
        "list_id": None,
        "parent_id": None,
        "position": task["position"],
        "version": 1,
        "created_at": task["created_at"],
        "updated_at": task["created_at"],
        "deleted_at": None,
    }
    assert (await alice.get(response.headers["location"])).json() == task


@pytest.mark.spec("TASK-9", "TASK-13")
async def test_a_task_may_be_created_done(alice: AsyncClient) -> None:
    task = await create(alice, completed=True)

    assert (task["completed"], task["completed_at"]) == (True, task["created_at"])


FULL = {
    "title": "Call",
    "description": "about it",
    "priority": "high",
    "due_at": "2026-05-01T10:00:00+02:00",
    "time_zone": "Europe/Berlin",
    "start_at": "2026-04-30T08:00:00Z",
    "reminders": ["PT30M"],
    "tags": ["home"],
}


@pytest.mark.spec("TASK-10")
@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        ({"title": " New "}, {"title": "New"}),
        ({"description": None}, {"description": None}),
        ({"priority": "low"}, {"priority": "low"}),
        ({"time_zone": None}, {"time_zone": None}),
        ({"due_at": None, "time_zone": None}, {"due_at": None, "time_zone": None}),
        (
            {"due_on": "2026-05-02", "due_at": None, "time_zone": None},
            {"due_on": "2026-05-02", "due_at": None, "time_zone": None},
        ),
        ({"tags": []}, {"tags": []}),
        ({"start_at": None}, {"start_at": None}),
        ({"reminders": []}, {"reminders": []}),
    ],
)
async def test_a_patch_changes_what_it_names_and_nothing_else(
    alice: AsyncClient, patch: dict[str, Any], changed: dict[str, Any]
) -> None:
    before = await create(alice, **FULL)

    after = (await alice.patch(f"{TASKS}/{before['id']}", json=patch)).json()

    assert after == before | changed | {"version": 2, "updated_at": after["updated_at"]}
    assert after["updated_at"] > before["updated_at"]


@pytest.mark.spec("TASK-10")
@pytest.mark.parametrize("field", ["title", "priority", "reminders", "tags", "completed"])
async def test_a_field_that_is_always_there_cannot_be_cleared(
    alice: AsyncClient, field: str
) -> None:
    task = await create(alice)

    response = await alice.patch(f"{TASKS}/{task['id']}", json={field: None})

    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == f"#/{field}"


@pytest.mark.spec("TASK-4", "TASK-15")
@pytest.mark.parametrize(
    "patch", [{"due_on": "2026-05-02"}, {"due_at": None}, {"title": "x", "due_at": None}]
)
async def test_a_patch_that_would_leave_a_task_due_wrongly_changes_nothing(
    alice: AsyncClient, patch: dict[str, Any]
) -> None:
    task = await create(alice, **FULL)

    response = await alice.patch(f"{TASKS}/{task['id']}", json=patch)

    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert (await alice.get(f"{TASKS}/{task['id']}")).json() == task


@pytest.mark.spec("TASK-12")
async def test_a_deleted_task_is_gone(alice: AsyncClient) -> None:
    task = await create(alice)

    response = await alice.delete(f"{TASKS}/{task['id']}")

    assert (response.status_code, response.content) == (204, b"")
    assert (await alice.get(f"{TASKS}/{task['id']}")).status_code == 404
    assert (await alice.delete(f"{TASKS}/{task['id']}")).json()["code"] == "task_not_found"


@pytest.mark.spec("TASK-13", "TASK-15")
async def test_completing_twice_keeps_the_first_time_and_version(alice: AsyncClient) -> None:
    task = await create(alice)
    first = await alice.post(f"{TASKS}/{task['id']}/complete")

    second = await alice.post(f"{TASKS}/{task['id']}/complete")

    assert first.json()["completed_at"] == first.json()["updated_at"]
    assert (second.content, second.headers["etag"]) == (first.content, '"2"')


@pytest.mark.spec("TASK-13")
async def test_reopening_clears_the_time(alice: AsyncClient) -> None:
    task = await create(alice, completed=True)

    reopened = (await alice.post(f"{TASKS}/{task['id']}/reopen")).json()

    assert (reopened["completed"], reopened["completed_at"]) == (False, None)


@pytest.mark.spec("TASK-15")
async def test_versions_have_no_gaps_whatever_fails_between(alice: AsyncClient) -> None:
    first = await create(alice)
    url = f"{TASKS}/{first['id']}"
    await alice.patch(url, json={"title": ""})
    await alice.patch(url, json={"title": "x"}, headers={"If-Match": '"9"'})
    await alice.put(url, json={"title": "x"}, headers={"If-None-Match": "*"})
    await alice.delete(f"{TASKS}/{UUID(int=1)}")
    await alice.patch(url, json={"title": first["title"]})

    second = await create(alice)

    assert (first["version"], second["version"]) == (1, 2)
    assert (await alice.delete(url)).status_code == 204
    assert (await create(alice))["version"] == 4


@pytest.mark.spec("TASK-15")
async def test_parallel_writes_take_each_version_once_in_the_order_of_their_times(
    alice: AsyncClient,
) -> None:
    async with asyncio.timeout(30):
        tasks = await asyncio.gather(*(create(alice) for _ in range(20)))

    tasks.sort(key=lambda task: task["version"])
    assert [task["version"] for task in tasks] == list(range(1, 21))
    times = [task["updated_at"] for task in tasks]
    assert times == sorted(set(times))
