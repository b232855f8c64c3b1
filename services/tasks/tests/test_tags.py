from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from sqlalchemy import text

from tasks_service.dependencies.resources import Resources
from tasks_service.services import tag_filter

TAGS = "/api/v1/tags"
TASKS = "/api/v1/tasks"


async def new_task(client: AsyncClient, *tags: str, title: str = "x") -> Any:
    response = await client.post(TASKS, json={"title": title, "tags": tags})
    assert response.status_code == 201, response.text
    return response.json()


async def all_tags(client: AsyncClient) -> dict[str, Any]:
    return {tag["name"]: tag for tag in (await client.get(TAGS)).json()["items"]}


async def counts(client: AsyncClient) -> dict[str, int]:
    return {name: tag["task_count"] for name, tag in (await all_tags(client)).items()}


async def now(client: AsyncClient, task: Any) -> Any:
    return (await client.get(f"{TASKS}/{task['id']}")).json()


async def rename(client: AsyncClient, old: str, new: str) -> Response:
    tag = (await all_tags(client))[old]
    return await client.patch(f"{TAGS}/{tag['id']}", json={"name": new})


@pytest.mark.spec("TAG-1")
async def test_every_tag_a_task_was_given_is_there_with_the_number_of_its_tasks(
    alice: AsyncClient,
) -> None:
    task = await new_task(alice, "Home", "Straße")
    await new_task(alice, "HOME")
    await alice.put(
        f"{TASKS}/{uuid4()}", json={"title": "x", "tags": ["b"]}, headers={"If-None-Match": "*"}
    )
    await alice.post("/api/tasks", json={"title": "x", "tags": ["a"]})
    await alice.patch(f"{TASKS}/{task['id']}", json={"tags": ["Home", "C"]})

    tags = await all_tags(alice)

    assert {name: tag["task_count"] for name, tag in tags.items()} == {
        "a": 1,
        "b": 1,
        "C": 1,
        "Home": 2,
        "Straße": 0,
    }
    assert list(tags) == ["a", "b", "C", "Home", "Straße"]
    home = tags["Home"]
    assert home == {
        "id": home["id"],
        "name": "Home",
        "task_count": 2,
        "version": 1,
        "created_at": task["created_at"],
        "updated_at": task["created_at"],
    }
    assert (await alice.get(f"{TAGS}/{home['id']}")).json() == home


@pytest.mark.spec("TAG-1")
async def test_tags_come_by_the_page(alice: AsyncClient) -> None:
    await new_task(alice, "c", "A", "b")

    first = (await alice.get(TAGS, params={"limit": 2})).json()
    rest = (await alice.get(TAGS, params={"limit": 2, "cursor": first["next_cursor"]})).json()

    assert [tag["name"] for tag in first["items"] + rest["items"]] == ["A", "b", "c"]
    assert rest["next_cursor"] is None


@pytest.mark.spec("TAG-1", "TAG-2")
async def test_the_trash_does_not_count_and_a_purged_task_leaves_its_tags(
    alice: AsyncClient,
) -> None:
    task = await new_task(alice, "home")

    await alice.delete(f"{TASKS}/{task['id']}")
    in_trash = await counts(alice)
    await alice.post(f"{TASKS}/{task['id']}/restore")
    restored = await counts(alice)
    await alice.delete(f"{TASKS}/{task['id']}")
    await alice.delete("/api/v1/trash")

    assert (in_trash, restored, await counts(alice)) == ({"home": 0}, {"home": 1}, {"home": 0})


@pytest.mark.spec("TAG-3")
async def test_a_tag_is_renamed_on_every_task_and_on_no_other(alice: AsyncClient) -> None:
    one = await new_task(alice, "a", "Home", "z")
    other = await new_task(alice, "a")
    trashed = await new_task(alice, "hOME")
    await alice.delete(f"{TASKS}/{trashed['id']}")
    before = (await all_tags(alice))["Home"]

    response = await rename(alice, "Home", " House ")

    tag = response.json()
    renamed = await now(alice, one)
    restored = (await alice.post(f"{TASKS}/{trashed['id']}/restore")).json()
    assert response.status_code == 200
    assert tag == before | {"name": "House", "version": 5, "updated_at": tag["updated_at"]}
    assert renamed == one | {
        "tags": ["a", "House", "z"],
        "version": 5,
        "updated_at": tag["updated_at"],
    }
    assert restored["tags"] == ["House"]
    assert await now(alice, other) == other
    assert await counts(alice) == {"a": 2, "House": 2, "z": 1}


@pytest.mark.spec("TAG-3")
async def test_only_the_spelling_of_a_tag_may_change(alice: AsyncClient) -> None:
    one, already = await new_task(alice, "home", "a"), await new_task(alice, "HOME")

    await rename(alice, "home", "HOME")

    assert (await now(alice, one))["tags"] == ["HOME", "a"]
    assert await now(alice, already) == already
    assert await counts(alice) == {"a": 1, "HOME": 2}


@pytest.mark.spec("TAG-3", "TASK-15")
async def test_the_name_it_has_changes_nothing(alice: AsyncClient) -> None:
    task = await new_task(alice, "home")

    same = await rename(alice, "home", "home")

    assert same.json()["version"] == 1
    assert await now(alice, task) == task
    assert (await new_task(alice))["version"] == 2


@pytest.mark.spec("TAG-3")
async def test_with_the_name_of_another_the_two_become_one(alice: AsyncClient) -> None:
    both = await new_task(alice, "job", "x", "Work")
    old = await new_task(alice, "job")
    new = await new_task(alice, "WORK", "y")
    exact = await new_task(alice, "work")
    tags = await all_tags(alice)

    response = await rename(alice, "job", "work")

    tag = response.json()
    assert (tag["id"], tag["name"], tag["task_count"]) == (tags["job"]["id"], "work", 4)
    assert (await alice.get(f"{TAGS}/{tags['Work']['id']}")).json()["code"] == "tag_not_found"
    assert (await now(alice, both))["tags"] == ["x", "work"]
    assert (await now(alice, old))["tags"] == ["work"]
    assert (await now(alice, new))["tags"] == ["work", "y"]
    assert await now(alice, exact) == exact
    assert await counts(alice) == {"work": 4, "x": 1, "y": 1}
    found = (await alice.get(TASKS, params={"tag": "WORK"})).json()["items"]
    assert len(found) == 4


@pytest.mark.spec("TAG-4", "TAG-2")
async def test_a_deleted_tag_is_on_no_task_any_more(alice: AsyncClient) -> None:
    one, other = await new_task(alice, "a", "Home", "z"), await new_task(alice, "a")
    only = await new_task(alice, "HOME")
    await alice.delete(f"{TASKS}/{only['id']}")
    url = f"{TAGS}/{(await all_tags(alice))['Home']['id']}"

    response = await alice.delete(url)

    left = await now(alice, one)
    assert (response.status_code, response.content) == (204, b"")
    assert left == one | {"tags": ["a", "z"], "version": 5, "updated_at": left["updated_at"]}
    assert await now(alice, other) == other
    assert (await alice.post(f"{TASKS}/{only['id']}/restore")).json()["tags"] == []
    assert (await alice.get(url)).json()["code"] == "tag_not_found"
    assert (await alice.delete(url)).status_code == 404
    assert await counts(alice) == {"a": 2, "z": 1}


@pytest.mark.spec("TAG-3")
@pytest.mark.parametrize("name", ["", " ", "x" * 51, None, 1])
async def test_what_is_no_tag_names_none(alice: AsyncClient, name: Any) -> None:
    await new_task(alice, "home")

    response = await rename(alice, "home", name)

    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "#/name"


@pytest.mark.spec("TAG-5")
@pytest.mark.parametrize(
    ("method", "body"), [("GET", None), ("PATCH", {"name": "mine"}), ("DELETE", None)]
)
async def test_another_users_tag_is_one_that_never_existed(
    alice: AsyncClient, mallory: AsyncClient, method: str, body: Any
) -> None:
    hers, theirs = await new_task(alice, "home"), await new_task(mallory, "home")
    tag = (await all_tags(alice))["home"]

    foreign = await mallory.request(method, f"{TAGS}/{tag['id']}", json=body)
    nobodys = await mallory.request(method, f"{TAGS}/{uuid4()}", json=body)

    assert foreign.status_code == nobodys.status_code == 404
    assert foreign.json() | {"request_id": ""} == nobodys.json() | {"request_id": ""}
    assert await all_tags(alice) == {"home": tag}
    assert (await now(alice, hers), await now(mallory, theirs)) == (hers, theirs)


@pytest.mark.spec("TAG-5")
async def test_a_tag_of_the_same_name_is_another_users_own(
    alice: AsyncClient, mallory: AsyncClient
) -> None:
    await new_task(alice, "home")
    theirs = await new_task(mallory, "home")

    await rename(alice, "home", "house")
    await alice.delete(f"{TAGS}/{(await all_tags(alice))['house']['id']}")

    assert await now(mallory, theirs) == theirs
    assert await counts(mallory) == {"home": 1}


@pytest.mark.spec("TAG-6")
async def test_what_the_release_before_writes_is_tagged_too(
    app: FastAPI, alice: AsyncClient
) -> None:
    await new_task(alice, "home")
    resources: Resources = app.state.resources
    user = {"user_id": alice.headers["x-user-id"], "id": UUID(int=1)}
    insert = text(
        "INSERT INTO task (user_id, id, title, priority, tags, tag_keys, version, created_at,"
        " updated_at) VALUES (:user_id, :id, 'x', 0, '{Home,New}', '{home,new}', 2, now(), now())"
    )
    async with resources.database.engine.begin() as connection:
        await connection.execute(insert, user)
    added = await counts(alice)
    async with resources.database.engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE task SET tags = '{b}', tag_keys = '{b}' WHERE id = :id AND"
                " user_id = :user_id"
            ),
            user,
        )

    assert added == {"home": 2, "New": 1}
    assert await counts(alice) == {"b": 1, "home": 1, "New": 0}
    assert len((await alice.get(TASKS, params={"tag": "B"})).json()["items"]) == 1


@pytest.mark.spec("TAG-6", "TASK-18", "SPEED-5")
@pytest.mark.parametrize("common", [False, True])
async def test_tags_find_the_same_tasks_whether_rare_or_common(
    alice: AsyncClient, monkeypatch: pytest.MonkeyPatch, common: bool
) -> None:
    monkeypatch.setattr(tag_filter, "met_soon", lambda *_: common)
    await new_task(alice, "a", "b", title="ab")
    await new_task(alice, "B", "c", title="bc")
    await new_task(alice, "a", "b", "c", title="abc")

    async def titles(*tags: str) -> list[str]:
        found = await alice.get(TASKS, params={"tag": tags, "sort": "title"})
        return [task["title"] for task in found.json()["items"]]

    assert await titles("b") == ["ab", "abc", "bc"]
    assert await titles("a", "A") == ["ab", "abc"]
    assert await titles("a", "b", "C") == ["abc"]
    assert await titles("a", "d") == []
