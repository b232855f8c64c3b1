import asyncio
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient

LISTS = "/api/v1/lists"
TASKS = "/api/v1/tasks"
TRASH = "/api/v1/trash"


async def new_task(client: AsyncClient, parent: Any = None, **fields: Any) -> Any:
    body = {"title": "x", "parent_id": parent and parent["id"], **fields}
    response = await client.post(TASKS, json=body)
    assert response.status_code == 201, response.text
    return response.json()


async def new_list(client: AsyncClient) -> Any:
    return (await client.post(LISTS, json={"name": "Home"})).json()


async def line(client: AsyncClient, length: int, **fields: Any) -> list[Any]:
    """Create tasks, each under the one before."""
    tasks: list[Any] = []
    for _ in range(length):
        tasks.append(await new_task(client, tasks[-1] if tasks else None, **fields))
        fields = {}
    return tasks


async def now(client: AsyncClient, task: Any) -> Any:
    return (await client.get(f"{TASKS}/{task['id']}")).json()


async def patch(client: AsyncClient, task: Any, **fields: Any) -> Any:
    return await client.patch(f"{TASKS}/{task['id']}", json=fields)


async def trash_ids(client: AsyncClient) -> set[str]:
    return {task["id"] for task in (await client.get(TRASH)).json()["items"]}


def refused_at(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["errors"][0]["pointer"]


@pytest.mark.spec("SUB-1")
async def test_a_parent_must_be_a_live_task_of_the_user(
    alice: AsyncClient, mallory: AsyncClient
) -> None:
    task, gone, theirs = await new_task(alice), await new_task(alice), await new_task(mallory)
    await alice.delete(f"{TASKS}/{gone['id']}")
    answers = []
    for wrong in (str(uuid4()), gone["id"], theirs["id"]):
        body = {"title": "x", "parent_id": wrong}
        answers += [
            await alice.post(TASKS, json=body),
            await patch(alice, task, parent_id=wrong),
            await alice.put(f"{TASKS}/{uuid4()}", json=body, headers={"If-None-Match": "*"}),
            await alice.post(f"{TASKS}/{task['id']}/move", json={"parent_id": wrong}),
        ]

    assert {refused_at(answer) for answer in answers} == {(422, "#/parent_id")}
    assert len({answer.json()["detail"] for answer in answers}) == 1
    assert await now(alice, task) == task


@pytest.mark.spec("SUB-1", "SUB-6")
async def test_a_task_gets_a_parent_and_loses_it_and_is_found_by_it(alice: AsyncClient) -> None:
    parent = await new_task(alice, title="parent")
    child = await new_task(alice, parent, title="child")
    other = await new_task(alice, title="other")

    async def titles(parent_id: str) -> list[str]:
        params = {"parent_id": parent_id, "sort": "title"}
        items = (await alice.get(TASKS, params=params)).json()["items"]
        return [task["title"] for task in items]

    await patch(alice, other, parent_id=parent["id"])
    freed = await patch(alice, child, parent_id=None)

    assert child["parent_id"] == parent["id"]
    assert freed.json()["parent_id"] is None
    assert await titles(parent["id"]) == ["other"]
    assert await titles("none") == ["child", "parent"]


@pytest.mark.spec("SUB-2")
async def test_there_are_five_levels(alice: AsyncClient) -> None:
    deep, two = await line(alice, 5), await line(alice, 2)

    answers = [
        await alice.post(TASKS, json={"title": "x", "parent_id": deep[4]["id"]}),
        await patch(alice, two[0], parent_id=deep[3]["id"]),
        await alice.post(f"{TASKS}/{two[0]['id']}/move", json={"parent_id": deep[3]["id"]}),
    ]
    just = await patch(alice, two[0], parent_id=deep[2]["id"])

    assert {refused_at(answer) for answer in answers} == {(422, "#/parent_id")}
    assert just.status_code == 200


@pytest.mark.spec("SUB-2")
async def test_a_subtask_in_the_trash_counts_as_it_may_come_back(alice: AsyncClient) -> None:
    deep, two = await line(alice, 4), await line(alice, 2)
    await alice.delete(f"{TASKS}/{two[1]['id']}")

    refused = await patch(alice, two[0], parent_id=deep[3]["id"])
    await alice.delete(f"{TRASH}/{two[1]['id']}")
    accepted = await patch(alice, two[0], parent_id=deep[3]["id"])

    assert refused_at(refused) == (422, "#/parent_id")
    assert accepted.status_code == 200


@pytest.mark.spec("SUB-2")
async def test_no_task_is_its_own_ancestor(alice: AsyncClient) -> None:
    tasks = await line(alice, 3)

    answers = [await patch(alice, tasks[0], parent_id=below["id"]) for below in tasks]

    assert {refused_at(answer) for answer in answers} == {(422, "#/parent_id")}
    assert await now(alice, tasks[0]) == tasks[0]


@pytest.mark.spec("SUB-2")
async def test_parallel_moves_never_make_a_circle(alice: AsyncClient) -> None:
    tasks = [await new_task(alice) for _ in range(4)]

    async with asyncio.timeout(30):
        answers = await asyncio.gather(
            *(
                patch(alice, one, parent_id=other["id"])
                for one in tasks
                for other in tasks
                if one is not other
            )
        )

    assert {answer.status_code for answer in answers} <= {200, 422}
    parents = {task["id"]: (await now(alice, task))["parent_id"] for task in tasks}
    for start, parent in parents.items():
        above, seen = parent, [start]
        while above is not None:
            assert above not in seen
            seen.append(above)
            above = parents[above]


@pytest.mark.spec("SUB-3")
async def test_a_subtask_is_in_its_parents_list_and_follows_it(alice: AsyncClient) -> None:
    home, work = await new_list(alice), await new_list(alice)
    tasks = await line(alice, 3, list_id=home["id"])
    await alice.delete(f"{TASKS}/{tasks[2]['id']}")

    moved = (await patch(alice, tasks[0], list_id=work["id"])).json()
    child = await now(alice, tasks[1])
    back = (await alice.post(f"{TASKS}/{tasks[2]['id']}/restore")).json()

    assert [task["list_id"] for task in tasks] == [home["id"]] * 3
    assert (child["list_id"], child["version"]) == (work["id"], moved["version"])
    assert child["updated_at"] == moved["updated_at"]
    assert back["list_id"] == work["id"]


@pytest.mark.spec("SUB-3")
async def test_a_task_takes_the_list_of_the_parent_it_gets(alice: AsyncClient) -> None:
    home, work = await new_list(alice), await new_list(alice)
    parent = await new_task(alice, list_id=home["id"])
    tasks = await line(alice, 2, list_id=work["id"])

    got = await patch(alice, tasks[0], parent_id=parent["id"])
    freed = await patch(alice, tasks[0], parent_id=None)

    assert got.json()["list_id"] == home["id"]
    assert freed.json()["list_id"] == home["id"]
    assert (await now(alice, tasks[1]))["list_id"] == home["id"]


@pytest.mark.spec("SUB-3")
async def test_a_subtask_has_no_other_list_of_its_own(alice: AsyncClient) -> None:
    home, work = await new_list(alice), await new_list(alice)
    parent, child = await line(alice, 2, list_id=home["id"])
    body = {"title": "x", "parent_id": parent["id"], "list_id": work["id"]}

    answers = [
        await alice.post(TASKS, json=body),
        await patch(alice, child, list_id=work["id"]),
        await alice.post(f"{TASKS}/{child['id']}/move", json={"list_id": work["id"]}),
    ]
    null = await patch(alice, child, list_id=None)
    put = await alice.put(
        f"{TASKS}/{child['id']}",
        json={"title": "y", "parent_id": parent["id"]},
        headers={"If-Match": "*"},
    )
    out = await patch(alice, child, list_id=work["id"], parent_id=None)

    assert {refused_at(answer) for answer in answers} == {(422, "#/list_id")}
    assert null.json() == child
    assert put.json()["list_id"] == home["id"]
    assert out.json()["list_id"] == work["id"]


@pytest.mark.spec("SUB-4")
async def test_subtasks_go_and_come_back_with_their_parent(alice: AsyncClient) -> None:
    tasks = await line(alice, 4)
    before = await new_task(alice, tasks[0])
    await alice.delete(f"{TASKS}/{before['id']}")

    await alice.delete(f"{TASKS}/{tasks[1]['id']}")
    went = await trash_ids(alice)
    restored = await alice.post(f"{TASKS}/{tasks[1]['id']}/restore")

    assert went == {tasks[1]["id"], tasks[2]["id"], tasks[3]["id"], before["id"]}
    assert await trash_ids(alice) == {before["id"]}
    for task in tasks[1:]:
        back = await now(alice, task)
        assert back["parent_id"] == task["parent_id"]
        assert back["version"] == restored.json()["version"]
    assert await now(alice, tasks[0]) == tasks[0]


@pytest.mark.spec("SUB-4")
async def test_a_subtask_restored_before_its_parent_comes_back_without_it(
    alice: AsyncClient,
) -> None:
    home = await new_list(alice)
    parent, child, grandchild = await line(alice, 3, list_id=home["id"])
    await alice.delete(f"{TASKS}/{parent['id']}")

    restored = (await alice.post(f"{TASKS}/{child['id']}/restore")).json()
    await alice.post(f"{TASKS}/{parent['id']}/restore")

    assert (restored["parent_id"], restored["list_id"]) == (None, home["id"])
    assert (await now(alice, grandchild))["parent_id"] == child["id"]
    assert (await now(alice, child))["parent_id"] is None


@pytest.mark.spec("SUB-4", "TRASH-6")
async def test_subtasks_go_and_come_back_with_their_list(alice: AsyncClient) -> None:
    home = await new_list(alice)
    parent, child = await line(alice, 2, list_id=home["id"])

    await alice.delete(f"{LISTS}/{home['id']}")
    assert await trash_ids(alice) == {parent["id"], child["id"]}
    await alice.post(f"{LISTS}/{home['id']}/restore")

    assert (await now(alice, child))["parent_id"] == parent["id"]


@pytest.mark.spec("SUB-3", "SUB-4")
async def test_a_restored_subtask_is_in_the_list_its_parent_is_in_by_now(
    alice: AsyncClient,
) -> None:
    home = await new_list(alice)
    _, child = await line(alice, 2, list_id=home["id"])
    await alice.delete(f"{TASKS}/{child['id']}")
    await alice.delete(f"{LISTS}/{home['id']}", params={"keep_tasks": "true"})

    restored = (await alice.post(f"{TASKS}/{child['id']}/restore")).json()

    assert (restored["parent_id"], restored["list_id"]) == (child["parent_id"], None)


@pytest.mark.spec("SUB-5")
async def test_a_purged_task_takes_its_subtasks_along(alice: AsyncClient) -> None:
    tasks, other = await line(alice, 3), await new_task(alice)
    for task in (tasks[2], tasks[0], other):
        await alice.delete(f"{TASKS}/{task['id']}")

    await alice.delete(f"{TRASH}/{tasks[0]['id']}")

    assert await trash_ids(alice) == {other["id"]}


@pytest.mark.spec("SUB-4", "PH2-1")
async def test_phase_two_deletes_a_task_with_its_subtasks(alice: AsyncClient) -> None:
    tasks = await line(alice, 2)

    await alice.delete(f"/api/tasks/{tasks[0]['id']}")

    assert (await alice.get("/api/tasks")).json() == []
    assert await trash_ids(alice) == {task["id"] for task in tasks}
