"""A frontend's whole way through the gateway: what it calls, and what it gets back."""

from uuid import uuid4

import pytest
from httpx import AsyncClient

from devkit.stack import Stack

TASKS = "/api/v1/tasks"


@pytest.mark.spec("GW-5", "TASK-9", "TASK-10", "TASK-12", "TASK-13")
async def test_a_task_is_created_read_changed_completed_and_deleted(alice: AsyncClient) -> None:
    created = await alice.post(TASKS, json={"title": "Write to Ada", "tags": ["post"]})
    address = created.headers["location"]
    read = await alice.get(address)
    changed = await alice.patch(
        address, json={"priority": "high"}, headers={"If-Match": created.headers["etag"]}
    )
    completed = await alice.post(f"{address}/complete")
    listed = await alice.get(TASKS, params={"completed": "true", "tag": "Post"})
    deleted = await alice.delete(address)
    gone = await alice.get(address)

    answers = (created, read, changed, completed, listed, deleted, gone)
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 200, 204, 404]
    assert read.json() == created.json()
    assert changed.json()["tags"] == ["post"]
    assert completed.json()["completed"] is True
    assert listed.json()["items"] == [completed.json()]
    assert deleted.content == b""


@pytest.mark.spec("GW-7", "TASK-16")
async def test_an_unchanged_task_is_answered_304_without_a_body(alice: AsyncClient) -> None:
    created = await alice.post(TASKS, json={"title": "Write to Ada"})
    etag = created.headers["etag"]

    answer = await alice.get(created.headers["location"], headers={"If-None-Match": etag})

    assert answer.status_code == 304
    assert answer.content == b""
    assert answer.headers["etag"] == etag
    assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.spec("TASK-11")
async def test_a_client_creates_a_task_under_its_own_id_exactly_once(alice: AsyncClient) -> None:
    address = f"{TASKS}/{uuid4()}"
    create = {"If-None-Match": "*"}

    first = await alice.put(address, json={"title": "Write to Ada"}, headers=create)
    again = await alice.put(address, json={"title": "Write to Bob"}, headers=create)

    assert (first.status_code, again.status_code) == (201, 412)
    assert (await alice.get(address)).json() == first.json()


@pytest.mark.spec("TASK-17", "TASK-20")
async def test_pages_hold_every_task_once_and_belong_to_their_user(
    alice: AsyncClient, mallory: AsyncClient
) -> None:
    titles = [f"Task {number}" for number in range(5)]
    for title in titles:
        await alice.post(TASKS, json={"title": title})

    seen, query = [], {"limit": "2", "sort": "title"}
    while True:
        page = (await alice.get(TASKS, params=query)).json()
        seen += [task["title"] for task in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    stolen = await mallory.get(TASKS, params=query)

    assert seen == titles
    assert stolen.status_code == 400
    assert stolen.json()["code"] == "invalid_cursor"


@pytest.mark.spec("GW-4")
async def test_the_gateway_tells_a_user_who_they_are(alice: AsyncClient, alice_id: str) -> None:
    answer = await alice.get("/api/v1/me")

    assert answer.status_code == 200
    assert answer.json()["user_id"] == alice_id


@pytest.mark.spec("GW-2", "TASK-8")
@pytest.mark.parametrize("user_id", ["a/b", "a b", "Zoë 🦊", "a%2Fb", "x" * 255])
async def test_a_user_id_means_the_same_on_both_sides_of_the_gateway(
    alice: AsyncClient, stack: Stack, user_id: str
) -> None:
    title = f"Of {uuid4()}"
    mine = stack.headers(user_id)

    await alice.post(TASKS, json={"title": title}, headers=mine)
    answer = await alice.get("/api/tasks", params={"search": title}, headers=mine)

    assert [task["user_id"] for task in answer.json()] == [user_id]


@pytest.mark.spec("PH2-1", "PH2-2", "PH2-3", "PH2-4")
@pytest.mark.parametrize("form", ["/api/{user}/tasks", "/api/tasks", "/api/{user}/tasks/"])
async def test_a_phase_two_frontend_keeps_working(
    alice: AsyncClient, alice_id: str, form: str
) -> None:
    tasks = form.format(user=alice_id)
    one = tasks.rstrip("/") + "/{}"

    created = await alice.post(tasks, json={"title": "Write to Ada", "description": "Soon"})
    task = one.format(created.json()["id"])
    updated = await alice.put(task, json={"title": "Write to Bob"})
    completed = await alice.patch(f"{task}/complete")
    listed = await alice.get(tasks, params={"status": "completed", "search": "BOB"})
    deleted = await alice.delete(task)
    empty = await alice.get(tasks)

    answers = (created, updated, completed, listed, deleted, empty)
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 204, 200]
    assert updated.json()["description"] == "Soon"
    assert completed.json()["completed"] is True
    assert listed.json() == [completed.json()]
    assert listed.json()[0]["user_id"] == alice_id
    assert empty.json() == []


@pytest.mark.spec("PH2-6")
@pytest.mark.parametrize(("method", "path"), [("GET", "tasks"), ("POST", "tasks")])
async def test_a_phase_two_path_that_names_another_user_is_forbidden(
    mallory: AsyncClient, alice_id: str, method: str, path: str
) -> None:
    answer = await mallory.request(method, f"/api/{alice_id}/{path}", json={"title": "x"})

    assert answer.status_code == 403
    assert answer.json()["code"] == "user_mismatch"
