import asyncio
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient

TASKS = "/api/v1/tasks"


async def create(client: AsyncClient, **fields: Any) -> Any:
    return (await client.post(TASKS, json={"title": "Buy milk", **fields})).json()


@pytest.mark.spec("TASK-11")
async def test_a_client_creates_under_its_own_id_exactly_once(alice: AsyncClient) -> None:
    url = f"{TASKS}/{uuid4()}"
    condition = {"If-None-Match": "*"}

    async with asyncio.timeout(30):
        answers = await asyncio.gather(
            *(alice.put(url, json={"title": "Mine"}, headers=condition) for _ in range(5))
        )

    assert sorted(answer.status_code for answer in answers) == [201, 412, 412, 412, 412]
    task = (await alice.get(url)).json()
    assert task["version"] == 1
    for answer in answers:
        if answer.status_code == 201:
            assert (answer.headers["location"], answer.json()) == (url, task)
        else:
            assert answer.json()["code"] == "precondition_failed"
            assert answer.json()["current"] == task


@pytest.mark.spec("TASK-11")
async def test_put_with_if_match_replaces_the_whole_task(alice: AsyncClient) -> None:
    task = await create(alice, description="old", tags=["a"], completed=True)

    response = await alice.put(
        f"{TASKS}/{task['id']}", json={"title": "New"}, headers={"If-Match": '"1"'}
    )

    new = response.json()
    assert (response.status_code, response.headers["etag"]) == (200, '"2"')
    assert (new["title"], new["description"], new["tags"]) == ("New", None, [])
    assert (new["completed"], new["created_at"]) == (False, task["created_at"])


@pytest.mark.spec("TASK-11")
@pytest.mark.parametrize("headers", [{}, {"If-None-Match": '"1"'}])
async def test_put_that_says_neither_create_nor_replace_is_428(
    alice: AsyncClient, headers: dict[str, str]
) -> None:
    task = await create(alice)

    response = await alice.put(f"{TASKS}/{task['id']}", json={"title": "x"}, headers=headers)

    assert (response.status_code, response.json()["code"]) == (428, "precondition_required")


@pytest.mark.spec("TASK-11")
async def test_put_that_says_both_create_and_replace_never_holds(alice: AsyncClient) -> None:
    task = await create(alice)

    response = await alice.put(
        f"{TASKS}/{task['id']}",
        json={"title": "x"},
        headers={"If-Match": '"1"', "If-None-Match": "*"},
    )

    assert response.status_code == 412


CONDITIONAL = [
    ("PUT", "", {"title": "New"}),
    ("PATCH", "", {"title": "New"}),
    ("DELETE", "", None),
    ("POST", "/complete", None),
    ("POST", "/move", {}),
    ("POST", "/reopen", None),
]


@pytest.mark.spec("TASK-14")
@pytest.mark.parametrize("if_match", ['"2"', 'W/"1"', '"0", "7"', '""'])
@pytest.mark.parametrize(("method", "path", "body"), CONDITIONAL)
async def test_another_version_is_412_with_the_current_task(
    alice: AsyncClient, method: str, path: str, body: Any, if_match: str
) -> None:
    task = await create(alice)
    url = f"{TASKS}/{task['id']}"

    response = await alice.request(method, url + path, json=body, headers={"If-Match": if_match})

    assert (response.status_code, response.json()["code"]) == (412, "precondition_failed")
    assert (response.json()["current"], response.headers["etag"]) == (task, '"1"')
    assert (await alice.get(url)).json() == task


@pytest.mark.spec("TASK-14")
@pytest.mark.parametrize("if_match", ['"1"', "*", '"7", "1"'])
@pytest.mark.parametrize(("method", "path", "body"), CONDITIONAL)
async def test_the_right_version_lets_the_write_through(
    alice: AsyncClient, method: str, path: str, body: Any, if_match: str
) -> None:
    task = await create(alice)

    response = await alice.request(
        method, f"{TASKS}/{task['id']}{path}", json=body, headers={"If-Match": if_match}
    )

    assert response.status_code in {200, 204}


@pytest.mark.spec("TASK-14", "TASK-7")
@pytest.mark.parametrize(("method", "path", "body"), CONDITIONAL)
async def test_a_condition_on_a_missing_task_is_404(
    alice: AsyncClient, method: str, path: str, body: Any
) -> None:
    response = await alice.request(
        method, f"{TASKS}/{uuid4()}{path}", json=body, headers={"If-Match": "*"}
    )

    assert (response.status_code, response.json()["code"]) == (404, "task_not_found")


@pytest.mark.spec("ERR-2")
@pytest.mark.parametrize("if_match", ["1", '"1', "", '"1" "2"', "W/1"])
async def test_a_condition_that_is_no_entity_tag_names_its_header(
    alice: AsyncClient, if_match: str
) -> None:
    task = await create(alice)

    response = await alice.patch(f"{TASKS}/{task['id']}", json={}, headers={"If-Match": if_match})

    assert response.status_code == 422
    assert response.json()["errors"][0]["header"] == "If-Match"


async def stale(client: AsyncClient, task: Any, version: object) -> Any:
    response = await client.patch(
        f"{TASKS}/{task['id']}", json={"title": "stale"}, headers={"If-Match": f"{version}"}
    )
    assert response.status_code == 412
    return response.json()


@pytest.mark.spec("TASK-14")
async def test_412_names_the_fields_written_since_the_version_the_caller_has(
    alice: AsyncClient,
) -> None:
    home = (await alice.post("/api/v1/lists", json={"name": "Home"})).json()["id"]
    task = await create(alice, list_id=home, tags=["a"])
    url = f"{TASKS}/{task['id']}"
    tag = (await alice.get("/api/v1/tags")).json()["items"][0]["id"]

    await alice.patch(url, json={"title": "New", "priority": "none"})
    await alice.post(f"{url}/complete")
    await alice.patch(f"/api/v1/tags/{tag}", json={"name": "b"})
    await alice.delete(f"/api/v1/lists/{home}", params={"keep_tasks": "true"})
    await alice.delete(url)
    await alice.post(f"{url}/restore")
    await create(alice)
    await alice.put(f"/api/tasks/{task['id']}", json={"title": "Newer", "due_date": "2026-05-01"})

    since = {
        version: (await stale(alice, task, f'"{version}"')).get("changed")
        for version in (*range(10), 11)
    }
    current = (await alice.get(url)).json()
    assert current["version"] == 10
    assert since == {
        0: None,
        1: None,
        2: ["title", "completed", "completed_at", "due_on", "tags", "list_id"],
        3: ["title", "completed", "completed_at", "due_on", "tags", "list_id"],
        4: ["title", "due_on", "tags", "list_id"],
        5: ["title", "due_on", "list_id"],
        6: ["title", "due_on"],
        7: ["title", "due_on"],
        8: ["title", "due_on"],
        9: ["title", "due_on"],
        11: None,
    }
    assert (await stale(alice, task, '"4", "5", "x"'))["changed"] == since[5]
    assert (await stale(alice, task, 'W/"5"'))["changed"] == since[5]
    assert "changed" not in await stale(alice, task, '"x"')


@pytest.mark.spec("TASK-14", "TASK-27", "SUB-3")
async def test_412_names_a_move_to_every_task_that_it_moved(alice: AsyncClient) -> None:
    home = (await alice.post("/api/v1/lists", json={"name": "Home"})).json()["id"]
    task = await create(alice)
    under = await create(alice, parent_id=task["id"])

    await alice.post(f"{TASKS}/{task['id']}/move", json={"list_id": home})

    moved = await stale(alice, task, f'"{task["version"]}"')
    followed = await stale(alice, under, f'"{under["version"]}"')
    assert (moved["changed"], followed["changed"]) == (["list_id", "position"], ["list_id"])
    assert moved["current"]["list_id"] == followed["current"]["list_id"] == home


@pytest.mark.spec("TASK-14")
async def test_of_parallel_writers_with_one_etag_exactly_one_wins(alice: AsyncClient) -> None:
    task = await create(alice)
    url = f"{TASKS}/{task['id']}"

    async with asyncio.timeout(30):
        answers = await asyncio.gather(
            *(
                alice.patch(url, json={"title": f"by {n}"}, headers={"If-Match": '"1"'})
                for n in range(16)
            )
        )

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 15
    (winner,) = (answer.json() for answer in answers if answer.status_code == 200)
    assert (await alice.get(url)).json() == winner
    assert winner["version"] == 2


@pytest.mark.spec("TASK-16")
@pytest.mark.parametrize("if_none_match", ['"1"', 'W/"1"', '"5", "1"', "*"])
async def test_a_task_the_caller_has_is_304(alice: AsyncClient, if_none_match: str) -> None:
    task = await create(alice)

    response = await alice.get(f"{TASKS}/{task['id']}", headers={"If-None-Match": if_none_match})

    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == '"1"'
    assert response.headers["cache-control"] == "private, no-cache"


@pytest.mark.spec("TASK-16")
async def test_a_task_that_changed_is_sent_again(alice: AsyncClient) -> None:
    task = await create(alice)
    await alice.post(f"{TASKS}/{task['id']}/complete")

    response = await alice.get(f"{TASKS}/{task['id']}", headers={"If-None-Match": '"1"'})

    assert (response.status_code, response.headers["etag"]) == (200, '"2"')
    assert response.headers["cache-control"] == "private, no-cache"
