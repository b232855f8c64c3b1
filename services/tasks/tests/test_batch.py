import asyncio
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from sqlalchemy import text

from tasks_service.dependencies.resources import Resources

BATCH = "/api/v1/batch"
TASKS = "/api/v1/tasks"


async def batch(client: AsyncClient, *operations: Any, atomic: bool = False) -> Response:
    return await client.post(BATCH, json={"atomic": atomic, "operations": operations})


async def done(client: AsyncClient, *operations: Any, atomic: bool = False) -> list[Any]:
    response = await batch(client, *operations, atomic=atomic)
    assert response.status_code == 200, response.text
    results: list[Any] = response.json()["results"]
    return results


async def new_task(client: AsyncClient, **fields: Any) -> Any:
    return (await client.post(TASKS, json={"title": "x", **fields})).json()


async def now(client: AsyncClient, task_id: object) -> Any:
    return (await client.get(f"{TASKS}/{task_id}")).json()


def create(title: str = "x", **more: Any) -> Any:
    task_id = more.pop("id", None)
    made = {"op": "create", "task": {"title": title, **more}}
    return made | ({"id": task_id} if task_id else {})


@pytest.mark.spec("BATCH-1", "BATCH-2", "BATCH-5")
@pytest.mark.parametrize("atomic", [True, False])
async def test_each_operation_does_what_its_route_does(alice: AsyncClient, *, atomic: bool) -> None:
    trashed, old, one = await new_task(alice), await new_task(alice), str(uuid4())
    await alice.delete(f"{TASKS}/{trashed['id']}")

    results = await done(
        alice,
        create("made", tags=["a"]),
        create("one", id=one),
        {"op": "update", "id": old["id"], "patch": {"title": "new"}, "if_match": '"2"'},
        {"op": "complete", "id": old["id"]},
        {"op": "move", "id": old["id"], "move": {"parent_id": one}},
        {"op": "reopen", "id": old["id"], "if_match": "*"},
        {"op": "restore", "id": trashed["id"]},
        {"op": "delete", "id": one},
        atomic=atomic,
    )

    assert [result["status"] for result in results] == [201, 201, 200, 200, 200, 200, 200, 204]
    assert [result["error"] for result in results] == [None] * 8
    tasks = [result["task"] for result in results]
    assert [task and task["version"] for task in tasks] == [4, 5, 6, 7, 8, 9, 10, None]
    assert tasks[0] == await now(alice, tasks[0]["id"])
    assert (tasks[1]["id"], tasks[1]["title"]) == (one, "one")
    assert (tasks[3]["completed"], tasks[5]["completed"]) == (True, False)
    assert tasks[4]["parent_id"] == one
    assert tasks[6] == await now(alice, trashed["id"])
    assert tasks[7] is None
    assert {task["id"] for task in (await alice.get("/api/v1/trash")).json()["items"]} == {
        one,
        old["id"],
    }


@pytest.mark.spec("BATCH-1")
async def test_an_operation_may_name_what_an_earlier_one_makes(alice: AsyncClient) -> None:
    parent, child = str(uuid4()), str(uuid4())

    results = await done(
        alice,
        create("child too early", parent_id=parent),
        create("parent", id=parent),
        create("child", id=child, parent_id=parent),
        {"op": "complete", "id": child},
    )

    assert [result["status"] for result in results] == [422, 201, 201, 200]
    assert (await now(alice, child))["parent_id"] == parent


@pytest.mark.spec("BATCH-2", "BATCH-4", "BATCH-5")
async def test_each_fails_by_itself_and_takes_no_version(alice: AsyncClient) -> None:
    task, nobodys = await new_task(alice), str(uuid4())

    results = await done(
        alice,
        {"op": "delete", "id": nobodys},
        {"op": "update", "id": task["id"], "patch": {"title": "x"}, "if_match": '"7"'},
        create("first", id=task["id"]),
        create("due twice", due_on="2026-05-01", due_at="2026-05-01T10:00:00Z"),
        {"op": "move", "id": task["id"], "move": {"after_id": nobodys}},
        {"op": "update", "id": task["id"], "patch": {"title": "x"}},
        create("last"),
    )

    errors = [result["error"] and result["error"]["code"] for result in results]
    assert errors == [
        "task_not_found",
        "precondition_failed",
        "precondition_failed",
        "validation_failed",
        "validation_failed",
        None,
        None,
    ]
    assert [result["status"] for result in results] == [404, 412, 412, 422, 422, 200, 201]
    assert all(result["task"] is None for result in results[:5])
    assert results[1]["error"]["current"] == task
    assert results[3]["error"]["errors"][0]["pointer"] == "#/operations/3/task/due_on"
    assert results[4]["error"]["errors"][0]["pointer"] == "#/operations/4/move/after_id"
    assert results[4]["error"]["detail"].startswith("#/operations/4/move/after_id: ")
    assert results[5]["task"] == task
    assert results[6]["task"]["version"] == 2
    assert await now(alice, task["id"]) == task


@pytest.mark.spec("BATCH-3", "BATCH-5")
@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"op": "delete", "id": str(uuid4())}, 404, "task_not_found"),
        ({"op": "complete", "id": "{id}", "if_match": '"9"'}, 412, "precondition_failed"),
        ({"op": "skip", "id": "{id}"}, 409, "not_recurring"),
        (create("x", list_id=str(uuid4())), 422, "validation_failed"),
    ],
)
async def test_all_or_none_is_none_when_one_fails_and_names_it(
    alice: AsyncClient, wrong: Any, status: int, code: str
) -> None:
    task = await new_task(alice)
    if "id" in wrong:
        wrong = wrong | {"id": wrong["id"].format(id=task["id"])}

    response = await batch(
        alice,
        create("lost"),
        {"op": "delete", "id": task["id"]},
        {"op": "restore", "id": task["id"]},
        wrong,
        create("never"),
        atomic=True,
    )

    problem = response.json()
    assert (response.status_code, problem["code"], problem["index"]) == (status, code, 3)
    assert response.headers["content-type"] == "application/problem+json"
    if status == 422:
        assert problem["errors"][0]["pointer"] == "#/operations/3/task/list_id"
    assert (await alice.get(TASKS)).json()["items"] == [task]
    assert (await new_task(alice))["version"] == 2


@pytest.mark.spec("BATCH-1", "BATCH-4")
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/operations"),
        ({"operations": []}, "#/operations"),
        ({"operations": [create()] * 101}, "#/operations"),
        ({"operations": [create()], "atomic": 1}, "#/atomic"),
        ({"operations": [create()], "more": 1}, "#/more"),
        ({"operations": [create(), {"op": "explode"}]}, "#/operations/1/op"),
        ({"operations": [create(), create("")]}, "#/operations/1/task/title"),
        ({"operations": [create(version=1)]}, "#/operations/0/task/version"),
        ({"operations": [create() | {"if_match": "*"}]}, "#/operations/0"),
        ({"operations": [{"op": "create"}]}, "#/operations/0"),
        ({"operations": [{"op": "delete"}]}, "#/operations/0"),
        ({"operations": [{"op": "delete", "id": None}]}, "#/operations/0"),
        ({"operations": [{"op": "delete", "id": "x"}]}, "#/operations/0/id"),
        (
            {"operations": [{"op": "update", "id": str(uuid4()), "task": {"title": "x"}}]},
            "#/operations/0",
        ),
        (
            {"operations": [{"op": "delete", "id": str(uuid4()), "if_match": "1"}]},
            "#/operations/0/if_match",
        ),
    ],
)
async def test_a_malformed_batch_is_refused_whole(
    alice: AsyncClient, body: Any, pointer: str
) -> None:
    response = await alice.post(BATCH, json=body)

    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert response.json()["errors"][0]["pointer"] == pointer
    assert (await alice.get(TASKS)).json()["items"] == []


@pytest.mark.spec("BATCH-1")
async def test_a_batch_may_hold_a_hundred_operations(alice: AsyncClient) -> None:
    results = await done(alice, *(create(str(n)) for n in range(100)))

    assert [result["task"]["version"] for result in results] == list(range(1, 101))
    listed = (await alice.get(f"{TASKS}?sort=position&limit=200")).json()["items"]
    assert [task["title"] for task in listed] == [str(n) for n in range(100)]


@pytest.mark.spec("BATCH-5")
async def test_a_batch_whose_connection_is_lost_has_done_nothing(
    app: FastAPI, alice: AsyncClient
) -> None:
    first, held = await new_task(alice), await new_task(alice)
    resources: Resources = app.state.resources
    user = {"user_id": alice.headers["x-user-id"], "id": held["id"]}
    async with asyncio.timeout(30):
        async with resources.database.engine.begin() as holder:
            await holder.execute(
                text("SELECT 1 FROM task WHERE user_id = :user_id AND id = :id FOR UPDATE"), user
            )
            running = asyncio.create_task(
                batch(
                    alice,
                    {"op": "complete", "id": first["id"]},
                    {"op": "complete", "id": held["id"]},
                )
            )
            # Waiting for the second task, the batch has written the first one.
            waiting = text(
                "SELECT pid FROM pg_locks WHERE NOT granted AND pg_backend_pid() ="
                " ANY (pg_blocking_pids(pid))"
            )
            while (pid := await holder.scalar(waiting)) is None:
                assert not running.done()
            await holder.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            response = await running

    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    assert await now(alice, first["id"]) == first


@pytest.mark.spec("BATCH-6")
@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize(
    "operation",
    [
        {"op": "update", "patch": {"title": "mine"}},
        {"op": "move", "move": {}},
        {"op": "complete", "if_match": "*"},
        {"op": "reopen"},
        {"op": "delete"},
        {"op": "restore"},
    ],
)
async def test_another_users_task_in_a_batch_is_one_that_never_existed(
    alice: AsyncClient, mallory: AsyncClient, operation: Any, *, atomic: bool
) -> None:
    task = await new_task(alice)

    theirs = await batch(mallory, operation | {"id": task["id"]}, atomic=atomic)
    nobodys = await batch(mallory, operation | {"id": str(uuid4())}, atomic=atomic)

    assert "task_not_found" in theirs.text
    assert theirs.status_code == nobodys.status_code == (404 if atomic else 200)
    assert theirs.json() | {"request_id": ""} == nobodys.json() | {"request_id": ""}
    assert await now(alice, task["id"]) == task


@pytest.mark.spec("LIMIT-7")
@pytest.mark.parametrize("atomic", [True, False])
async def test_a_batch_tells_the_gateway_what_it_cost_done_or_not(
    alice: AsyncClient, *, atomic: bool
) -> None:
    nowhere = {"op": "complete", "id": str(uuid4())}

    good = await batch(alice, create(), create(), create(), atomic=atomic)
    bad = await batch(alice, create(), nowhere, atomic=atomic)

    assert bad.status_code == (404 if atomic else 200)
    assert [answer.headers["x-request-cost"] for answer in (good, bad)] == ["3", "2"]
