from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient

from tasks_service.services import trash

LISTS = "/api/v1/lists"
TASKS = "/api/v1/tasks"
TRASH = "/api/v1/trash"


async def new_task(client: AsyncClient, title: str = "x", **fields: Any) -> Any:
    response = await client.post(TASKS, json={"title": title, **fields})
    assert response.status_code == 201, response.text
    return response.json()


async def deleted_task(client: AsyncClient, title: str = "x", **fields: Any) -> Any:
    task = await new_task(client, title, **fields)
    assert (await client.delete(f"{TASKS}/{task['id']}")).status_code == 204
    return task


async def new_list(client: AsyncClient) -> Any:
    return (await client.post(LISTS, json={"name": "Home"})).json()


async def in_trash(client: AsyncClient, path: str = TRASH) -> list[Any]:
    items: list[Any] = (await client.get(path)).json()["items"]
    return items


ROUTES: list[tuple[str, str, Any]] = [
    ("GET", TASKS + "/{id}", None),
    ("PUT", TASKS + "/{id}", {"title": "y"}),
    ("PATCH", TASKS + "/{id}", {"title": "y"}),
    ("DELETE", TASKS + "/{id}", None),
    ("POST", TASKS + "/{id}/complete", None),
    ("POST", TASKS + "/{id}/reopen", None),
    ("GET", "/api/tasks/{id}", None),
    ("PUT", "/api/tasks/{id}", {"title": "y"}),
    ("DELETE", "/api/tasks/{id}", None),
    ("PATCH", "/api/tasks/{id}/complete", None),
]


@pytest.mark.spec("TRASH-1")
@pytest.mark.parametrize("route", ROUTES)
async def test_a_task_in_the_trash_is_answered_as_one_that_never_existed(
    alice: AsyncClient, route: Any
) -> None:
    method, path, body = route
    task = await deleted_task(alice)
    before = await in_trash(alice)

    response = await alice.request(
        method,
        path.format(id=task["id"]),
        json=body,
        headers={"If-Match": "*"} if method == "PUT" else {},
    )

    assert (response.status_code, response.json()["code"]) == (404, "task_not_found")
    assert await in_trash(alice) == before


@pytest.mark.spec("TRASH-1")
async def test_no_list_shows_the_trash(alice: AsyncClient) -> None:
    await deleted_task(alice, tags=["a"], completed=True)
    await new_task(alice, "live")

    lists = [
        (await alice.get(TASKS, params=params)).json()["items"]
        for params in ({}, {"tag": "a"}, {"completed": "true"}, {"sort": "title"})
    ]

    assert [len(found) for found in lists] == [1, 0, 0, 1]
    assert [task["title"] for task in (await alice.get("/api/tasks")).json()] == ["live"]


@pytest.mark.spec("TRASH-1", "TASK-11")
async def test_the_id_of_a_task_in_the_trash_stays_taken(alice: AsyncClient) -> None:
    task = await deleted_task(alice)

    response = await alice.put(
        f"{TASKS}/{task['id']}", json={"title": "y"}, headers={"If-None-Match": "*"}
    )

    assert response.status_code == 412
    assert [response.json()["current"]] == await in_trash(alice)


@pytest.mark.spec("TRASH-2", "TASK-12")
async def test_the_trash_shows_what_was_deleted_last_first_by_the_page(alice: AsyncClient) -> None:
    for title in "abc":
        await deleted_task(alice, title)

    first = (await alice.get(TRASH, params={"limit": 2})).json()
    rest = (await alice.get(TRASH, params={"limit": 2, "cursor": first["next_cursor"]})).json()

    assert [task["title"] for task in first["items"] + rest["items"]] == ["c", "b", "a"]
    assert rest["next_cursor"] is None
    assert all(task["deleted_at"] == task["updated_at"] for task in first["items"])


@pytest.mark.spec("TRASH-3")
async def test_a_restored_task_is_what_it_was(alice: AsyncClient) -> None:
    home = await new_list(alice)
    task = await deleted_task(alice, list_id=home["id"], tags=["a"], completed=True)

    response = await alice.post(f"{TASKS}/{task['id']}/restore")

    back = response.json()
    assert (response.status_code, response.headers["etag"]) == (200, '"4"')
    assert back == task | {"version": 4, "updated_at": back["updated_at"]}
    assert (await alice.get(f"{TASKS}/{task['id']}")).json() == back
    assert await in_trash(alice) == []


@pytest.mark.spec("TRASH-3")
async def test_restoring_what_is_not_in_the_trash_changes_nothing(alice: AsyncClient) -> None:
    task, home = await new_task(alice), await new_list(alice)

    same = await alice.post(f"{TASKS}/{task['id']}/restore")
    same_list = await alice.post(f"{LISTS}/{home['id']}/restore")

    assert (same.json(), same_list.json()) == (task, home)
    assert (await new_task(alice))["version"] == 3
    assert (await alice.post(f"{TASKS}/{uuid4()}/restore")).json()["code"] == "task_not_found"


@pytest.mark.spec("TRASH-3")
async def test_a_task_restored_without_its_list_is_in_none(alice: AsyncClient) -> None:
    home = await new_list(alice)
    task = await deleted_task(alice, list_id=home["id"])
    await alice.delete(f"{LISTS}/{home['id']}")

    restored = await alice.post(f"{TASKS}/{task['id']}/restore")

    assert restored.json()["list_id"] is None


@pytest.mark.spec("TRASH-4")
async def test_a_purged_task_is_gone_for_good(alice: AsyncClient) -> None:
    task, live = await deleted_task(alice), await new_task(alice)

    response = await alice.delete(f"{TRASH}/{task['id']}")

    assert (response.status_code, response.content) == (204, b"")
    assert await in_trash(alice) == []
    assert (await alice.delete(f"{TRASH}/{task['id']}")).json()["code"] == "task_not_found"
    assert (await alice.post(f"{TASKS}/{task['id']}/restore")).status_code == 404
    assert (await alice.delete(f"{TRASH}/{live['id']}")).json()["code"] == "task_not_found"
    assert (await alice.get(f"{TASKS}/{live['id']}")).json() == live


@pytest.mark.spec("TRASH-5", "TRASH-7")
async def test_emptying_the_trash_purges_all_of_it_and_nothing_else(
    alice: AsyncClient, mallory: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trash, "_AT_ONCE", 2)
    home, kept = await new_list(alice), await new_list(alice)
    await new_task(alice, "in a list", list_id=home["id"])
    await alice.delete(f"{LISTS}/{home['id']}")
    for _ in range(4):
        await deleted_task(alice)
    live = await new_task(alice)
    await deleted_task(mallory)

    response = await alice.delete(TRASH)

    assert response.status_code == 204
    assert await in_trash(alice) == await in_trash(alice, f"{TRASH}/lists") == []
    assert (await alice.get(TASKS)).json()["items"] == [live]
    assert (await alice.get(LISTS)).json()["items"] == [kept]
    assert len(await in_trash(mallory)) == 1


@pytest.mark.spec("TRASH-5", "TASK-15")
async def test_emptying_an_empty_trash_takes_no_version(alice: AsyncClient) -> None:
    assert (await alice.delete(TRASH)).status_code == 204

    assert (await new_task(alice))["version"] == 1


@pytest.mark.spec("TRASH-6")
async def test_a_list_comes_back_with_the_tasks_that_went_with_it(alice: AsyncClient) -> None:
    home = await new_list(alice)
    before = await deleted_task(alice, "deleted before", list_id=home["id"])
    went = await new_task(alice, "went with it", list_id=home["id"])
    await alice.delete(f"{LISTS}/{home['id']}")
    (trashed,) = await in_trash(alice, f"{TRASH}/lists")

    response = await alice.post(f"{LISTS}/{home['id']}/restore")

    back = response.json()
    assert trashed["deleted_at"] == trashed["updated_at"]
    assert response.headers["etag"] == f'"{back["version"]}"'
    assert back == home | {"version": 6, "updated_at": back["updated_at"]}
    assert await in_trash(alice, f"{TRASH}/lists") == []
    found = (await alice.get(TASKS, params={"list_id": home["id"]})).json()["items"]
    assert [(task["id"], task["version"]) for task in found] == [(went["id"], 6)]
    assert [task["id"] for task in await in_trash(alice)] == [before["id"]]


@pytest.mark.spec("TRASH-6")
async def test_a_purged_list_takes_the_tasks_still_in_it_along(alice: AsyncClient) -> None:
    home = await new_list(alice)
    await deleted_task(alice, list_id=home["id"])
    restored = await new_task(alice, list_id=home["id"])
    await alice.delete(f"{LISTS}/{home['id']}")
    await alice.post(f"{TASKS}/{restored['id']}/restore")
    other = await deleted_task(alice)

    response = await alice.delete(f"{TRASH}/lists/{home['id']}")

    assert (response.status_code, response.content) == (204, b"")
    assert (await alice.get(f"{TASKS}/{restored['id']}")).status_code == 200
    assert [task["id"] for task in await in_trash(alice)] == [other["id"]]
    assert (await alice.delete(f"{TRASH}/lists/{home['id']}")).json()["code"] == "list_not_found"
    assert (await alice.post(f"{LISTS}/{home['id']}/restore")).status_code == 404


@pytest.mark.spec("TRASH-6")
async def test_a_list_that_is_not_in_the_trash_cannot_be_purged(alice: AsyncClient) -> None:
    home = await new_list(alice)

    response = await alice.delete(f"{TRASH}/lists/{home['id']}")

    assert (response.status_code, response.json()["code"]) == (404, "list_not_found")
    assert (await alice.get(f"{LISTS}/{home['id']}")).json() == home


@pytest.mark.spec("TRASH-7")
@pytest.mark.parametrize(
    ("method", "path"), [("POST", TASKS + "/{id}/restore"), ("DELETE", TRASH + "/{id}")]
)
async def test_another_users_task_in_the_trash_is_one_that_never_existed(
    alice: AsyncClient, mallory: AsyncClient, method: str, path: str
) -> None:
    task = await deleted_task(alice)
    before = await in_trash(alice)

    theirs = await mallory.request(method, path.format(id=task["id"]))
    nobodys = await mallory.request(method, path.format(id=uuid4()))

    assert theirs.status_code == nobodys.status_code == 404
    assert {k: v for k, v in theirs.json().items() if k != "request_id"} == {
        k: v for k, v in nobodys.json().items() if k != "request_id"
    }
    assert await in_trash(mallory) == []
    assert await in_trash(alice) == before
