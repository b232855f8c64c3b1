from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient

LISTS = "/api/v1/lists"
TASKS = "/api/v1/tasks"


async def new_task(client: AsyncClient, title: str = "x", **fields: Any) -> Any:
    response = await client.post(TASKS, json={"title": title, **fields})
    assert response.status_code == 201, response.text
    return response.json()


async def new_list(client: AsyncClient) -> Any:
    return (await client.post(LISTS, json={"name": "Home"})).json()


async def in_order(client: AsyncClient, **params: Any) -> str:
    query = {"sort": "position", **params}
    return "".join(
        task["title"] for task in (await client.get(TASKS, params=query)).json()["items"]
    )


async def move(client: AsyncClient, task: Any, **body: Any) -> Any:
    return await client.post(f"{TASKS}/{task['id']}/move", json=body)


@pytest.mark.spec("TASK-26")
async def test_a_new_task_comes_last_and_so_does_one_that_changes_its_list(
    alice: AsyncClient,
) -> None:
    home = await new_list(alice)
    first = await new_task(alice, "a", list_id=home["id"])
    outside = await new_task(alice, "b")
    await new_task(alice, "c", list_id=home["id"])

    await alice.patch(f"{TASKS}/{outside['id']}", json={"list_id": home["id"]})
    assert await in_order(alice, list_id=home["id"]) == "acb"
    await alice.patch(f"{TASKS}/{first['id']}", json={"title": "A"})

    assert await in_order(alice, list_id=home["id"]) == "Acb"


@pytest.mark.spec("TASK-27")
@pytest.mark.parametrize("in_list", [True, False])
@pytest.mark.parametrize(
    ("moving", "where", "order"),
    [
        ("a", "after c", "bcad"),
        ("a", "after d", "bcda"),
        ("d", "before a", "dabc"),
        ("d", "before c", "abdc"),
        ("b", "after a", "abcd"),
        ("b", "before c", "abcd"),
        ("a", "", "bcda"),
    ],
)
async def test_a_move_writes_one_task_and_puts_it_where_it_says(
    alice: AsyncClient, moving: str, where: str, order: str, *, in_list: bool
) -> None:
    list_id = (await new_list(alice))["id"] if in_list else None
    tasks = {title: await new_task(alice, title, list_id=list_id) for title in "abcd"}
    side, _, anchor = where.partition(" ")
    body = {f"{side}_id": tasks[anchor]["id"]} if where else {}

    moved = await move(alice, tasks[moving], **body)

    assert moved.status_code == 200, moved.text
    assert moved.headers["etag"] == f'"{moved.json()["version"]}"'
    assert await in_order(alice) == order
    assert (moved.json() == tasks[moving]) == (order == "abcd")
    for title in set("abcd") - {moving}:
        assert (await alice.get(f"{TASKS}/{tasks[title]['id']}")).json() == tasks[title]


@pytest.mark.spec("TASK-27")
async def test_a_move_goes_to_another_list_and_parent_beside_a_task_there(
    alice: AsyncClient,
) -> None:
    home = await new_list(alice)
    parent = await new_task(alice, "p", list_id=home["id"])
    first = await new_task(alice, "a", parent_id=parent["id"])
    await new_task(alice, "b", parent_id=parent["id"])
    moving = await new_task(alice, "m")
    under = await new_task(alice, "u", parent_id=moving["id"])

    moved = (await move(alice, moving, parent_id=parent["id"], after_id=first["id"])).json()
    assert await in_order(alice, parent_id=parent["id"]) == "amb"
    freed = (await move(alice, moving, parent_id=None, list_id=None)).json()

    assert (moved["list_id"], moved["parent_id"]) == (home["id"], parent["id"])
    assert (freed["list_id"], freed["parent_id"]) == (None, None)
    follower = (await alice.get(f"{TASKS}/{under['id']}")).json()
    assert (follower["list_id"], follower["version"]) == (None, freed["version"])


@pytest.mark.spec("TASK-27")
async def test_a_task_to_stand_beside_must_be_a_sibling(
    alice: AsyncClient, mallory: AsyncClient
) -> None:
    home = await new_list(alice)
    task, gone, theirs = await new_task(alice), await new_task(alice), await new_task(mallory)
    inside = await new_task(alice, list_id=home["id"])
    child = await new_task(alice, parent_id=task["id"])
    await alice.delete(f"{TASKS}/{gone['id']}")

    wrong = (str(uuid4()), gone["id"], theirs["id"], task["id"], inside["id"], child["id"])
    answers = [await move(alice, task, before_id=anchor) for anchor in wrong]
    both = await move(alice, task, before_id=gone["id"], after_id=gone["id"])

    assert {a.json()["errors"][0]["pointer"] for a in answers} == {"#/before_id"}
    assert len({a.json()["detail"] for a in answers}) == 1
    assert both.json()["errors"][0]["pointer"] == "#"
    assert (await alice.get(f"{TASKS}/{task['id']}")).json() == task


@pytest.mark.spec("TASK-26", "TASK-27")
async def test_a_full_gap_is_spread_and_the_order_holds(
    alice: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks_service.services.position._LONGEST", 11)
    tasks = {title: await new_task(alice, title) for title in "abcdef"}
    expected = list("abcdef")

    for turn in range(30):
        moving = expected[2 + turn % 4]
        response = await move(alice, tasks[moving], after_id=tasks[expected[0]]["id"])
        assert response.status_code == 200
        expected.remove(moving)
        expected.insert(1, moving)

    assert await in_order(alice) == "".join(expected)
