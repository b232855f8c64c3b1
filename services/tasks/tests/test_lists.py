from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response

LISTS = "/api/v1/lists"
TASKS = "/api/v1/tasks"


async def new_list(client: AsyncClient, name: str = "Home", **fields: Any) -> Any:
    response = await client.post(LISTS, json={"name": name, **fields})
    assert response.status_code == 201, response.text
    return response.json()


async def new_task(client: AsyncClient, list_id: str | None = None, title: str = "x") -> Any:
    response = await client.post(TASKS, json={"title": title, "list_id": list_id})
    assert response.status_code == 201, response.text
    return response.json()


async def names(client: AsyncClient, **params: Any) -> list[str]:
    return [found["name"] for found in (await client.get(LISTS, params=params)).json()["items"]]


async def titles(client: AsyncClient, **params: Any) -> set[str]:
    return {task["title"] for task in (await client.get(TASKS, params=params)).json()["items"]}


@pytest.mark.spec("LIST-1", "LIST-2")
async def test_a_new_list_has_every_field_and_where_to_find_it(alice: AsyncClient) -> None:
    response = await alice.post(LISTS, json={"name": "  Home ", "colour": "#FF8800"})

    made = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"{LISTS}/{made['id']}"
    assert response.headers["etag"] == '"1"'
    assert made == {
        "id": made["id"],
        "name": "Home",
        "colour": "#ff8800",
        "position": made["position"],
        "archived": False,
        "version": 1,
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
        "deleted_at": None,
    }
    assert (await alice.get(response.headers["location"])).json() == made


@pytest.mark.spec("LIST-1")
@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"name": " "}, "#/name"),
        ({"name": "x" * 101}, "#/name"),
        ({"name": None}, "#/name"),
        ({"colour": "red"}, "#/colour"),
        ({"colour": "#ff880"}, "#/colour"),
        ({"colour": "#ff8800\n#"}, "#/colour"),
        ({"archived": 1}, "#/archived"),
        ({"position": "8"}, "#/position"),
        ({"version": 1}, "#/version"),
    ],
)
async def test_what_a_list_may_not_be(
    alice: AsyncClient, given: dict[str, Any], pointer: str
) -> None:
    response = await alice.post(LISTS, json={"name": "x", **given})

    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


@pytest.mark.spec("LIST-1", "LIST-3")
async def test_lists_come_in_order_by_the_page_and_archived_or_not(alice: AsyncClient) -> None:
    for name in "abcd":
        await new_list(alice, name, archived=name in "bd")

    first = (await alice.get(LISTS, params={"limit": 3})).json()
    rest = await alice.get(LISTS, params={"limit": 3, "cursor": first["next_cursor"]})

    assert [found["name"] for found in first["items"] + rest.json()["items"]] == list("abcd")
    assert rest.json()["next_cursor"] is None
    assert await names(alice, archived="true") == ["b", "d"]
    assert await names(alice, archived="false") == ["a", "c"]


@pytest.mark.spec("LIST-3")
async def test_a_cursor_of_another_route_or_query_or_user_is_refused(
    alice: AsyncClient, mallory: AsyncClient
) -> None:
    for _ in range(2):
        await new_list(alice)
        await new_task(alice)
    one = {"limit": "1"}
    cursor = {"cursor": (await alice.get(LISTS, params=one)).json()["next_cursor"]}
    of_tasks = {"cursor": (await alice.get(TASKS, params=one)).json()["next_cursor"]}

    answers = [
        await mallory.get(LISTS, params=cursor),
        await alice.get(LISTS, params=cursor | {"archived": "false"}),
        await alice.get(TASKS, params=cursor),
        await alice.get(LISTS, params=of_tasks),
        await alice.get("/api/v1/trash", params=of_tasks),
        await alice.get("/api/v1/trash/lists", params=cursor),
    ]

    assert {(a.status_code, a.json()["code"]) for a in answers} == {(400, "invalid_cursor")}


@pytest.mark.spec("LIST-4")
async def test_a_patch_changes_what_it_names_and_nothing_else(alice: AsyncClient) -> None:
    before = await new_list(alice, colour="#112233")
    url = f"{LISTS}/{before['id']}"

    renamed = (await alice.patch(url, json={"name": "New"})).json()
    cleared = (await alice.patch(url, json={"colour": None, "archived": True})).json()
    same = await alice.patch(url, json={"archived": True})

    changed = {"name": "New", "version": 2, "updated_at": renamed["updated_at"]}
    assert renamed == before | changed
    assert (cleared["name"], cleared["colour"], cleared["archived"]) == ("New", None, True)
    assert (same.json(), same.headers["etag"]) == (cleared, '"3"')
    assert (await new_list(alice))["version"] == 4


@pytest.mark.spec("LIST-4")
async def test_a_list_the_caller_has_is_304(alice: AsyncClient) -> None:
    made = await new_list(alice)

    response = await alice.get(f"{LISTS}/{made['id']}", headers={"If-None-Match": '"1"'})

    assert (response.status_code, response.content) == (304, b"")


CONDITIONAL = [
    ("PATCH", "", {"name": "New"}),
    ("DELETE", "", None),
    ("POST", "/move", {}),
]


@pytest.mark.spec("LIST-4")
@pytest.mark.parametrize(("method", "path", "body"), CONDITIONAL)
async def test_another_version_is_412_with_the_current_list(
    alice: AsyncClient, method: str, path: str, body: Any
) -> None:
    made = await new_list(alice)
    url = f"{LISTS}/{made['id']}{path}"

    stale = await alice.request(method, url, json=body, headers={"If-Match": '"2"'})
    right = await alice.request(method, url, json=body, headers={"If-Match": '"1"'})

    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    assert (stale.json()["current"], stale.headers["etag"]) == (made, '"1"')
    assert right.is_success


@pytest.mark.spec("LIST-5")
@pytest.mark.parametrize(
    ("move", "order"),
    [
        ("a after c", "bcad"),
        ("a after d", "bcda"),
        ("d before a", "dabc"),
        ("d before b", "adbc"),
        ("b after a", "abcd"),
        ("b before c", "abcd"),
        ("c before b", "acbd"),
        ("a", "bcda"),
        ("d after b", "abdc"),
    ],
)
async def test_a_moved_list_stands_where_it_was_put(
    alice: AsyncClient, move: str, order: str
) -> None:
    lists = {name: await new_list(alice, name) for name in "abcd"}
    moving, *where = move.split()
    body = {f"{where[0]}_id": lists[where[1]]["id"]} if where else {}

    moved = await alice.post(f"{LISTS}/{lists[moving]['id']}/move", json=body)

    assert moved.status_code == 200, moved.text
    assert "".join(await names(alice)) == order
    after = {found["name"]: found for found in (await alice.get(LISTS)).json()["items"]}
    assert after.pop(moving) == moved.json()
    assert after.items() <= lists.items()
    stayed = order == "abcd"
    assert (moved.json()["version"] == lists[moving]["version"]) == stayed


@pytest.mark.spec("LIST-5")
async def test_a_gap_that_is_full_is_spread_and_the_order_holds(
    alice: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks_service.services.position._LONGEST", 12)
    lists = [await new_list(alice, name) for name in "abcdef"]
    expected = list("abcdef")

    for turn in range(40):
        moving, anchor = expected[2 + turn % 4], expected[0]
        body = {"after_id": lists["abcdef".index(anchor)]["id"]}
        url = f"{LISTS}/{lists['abcdef'.index(moving)]['id']}/move"
        assert (await alice.post(url, json=body)).status_code == 200
        expected.remove(moving)
        expected.insert(1, moving)

    found = (await alice.get(LISTS)).json()["items"]
    assert [each["name"] for each in found] == expected
    assert max(len(each["position"]) for each in found) <= 13


@pytest.mark.spec("LIST-5")
async def test_a_list_to_stand_beside_must_be_there(
    alice: AsyncClient, mallory: AsyncClient
) -> None:
    made, gone, theirs = await new_list(alice), await new_list(alice), await new_list(mallory)
    await alice.delete(f"{LISTS}/{gone['id']}")
    url = f"{LISTS}/{made['id']}/move"

    answers = [
        await alice.post(url, json={"after_id": wrong})
        for wrong in (str(uuid4()), gone["id"], theirs["id"], made["id"])
    ]
    both = await alice.post(url, json={"after_id": gone["id"], "before_id": gone["id"]})

    assert {a.json()["errors"][0]["pointer"] for a in answers} == {"#/after_id"}
    assert both.json()["errors"][0]["pointer"] == "#"
    assert (await alice.get(f"{LISTS}/{made['id']}")).json() == made


ROUTES: list[tuple[str, str, Any, dict[str, str]]] = [
    ("GET", LISTS + "/{id}", None, {}),
    ("GET", LISTS + "/{id}", None, {"If-None-Match": '"1"'}),
    ("PATCH", LISTS + "/{id}", {"name": "x"}, {}),
    ("PATCH", LISTS + "/{id}", {"name": "x"}, {"If-Match": '"1"'}),
    ("DELETE", LISTS + "/{id}", None, {}),
    ("DELETE", LISTS + "/{id}?keep_tasks=true", None, {"If-Match": "*"}),
    ("POST", LISTS + "/{id}/move", {}, {}),
    ("POST", LISTS + "/{id}/restore", None, {}),
    ("DELETE", "/api/v1/trash/lists/{id}", None, {}),
    ("POST", TASKS, {"title": "x", "list_id": "{id}"}, {}),
    ("PATCH", TASKS + "/{task}", {"list_id": "{id}"}, {}),
    ("GET", TASKS + "?list_id={id}", None, {}),
]


def seen(response: Response) -> Any:
    """Everything an answer shows, the request id apart."""
    request_id = response.headers["x-request-id"]
    headers = {name: value for name, value in response.headers.items() if name != "x-request-id"}
    return response.status_code, headers, response.text.replace(request_id, "")


@pytest.mark.spec("LIST-6", "TRASH-7")
@pytest.mark.parametrize("in_trash", [False, True])
@pytest.mark.parametrize("route", ROUTES)
async def test_another_users_list_is_byte_for_byte_one_that_never_existed(
    alice: AsyncClient, mallory: AsyncClient, route: Any, *, in_trash: bool
) -> None:
    method, path, body, headers = route
    made = await new_list(alice, "secret")
    await new_task(alice, made["id"])
    task = await new_task(mallory)
    if in_trash:
        await alice.delete(f"{LISTS}/{made['id']}")
    at = "/api/v1/trash/lists" if in_trash else LISTS
    before = (await alice.get(at)).content

    async def ask(list_id: str) -> Response:
        sent = body and {k: v.format(id=list_id) for k, v in body.items()}
        url = path.format(id=list_id, task=task["id"])
        return await mallory.request(method, url, json=sent, headers=headers)

    theirs, nobodys = await ask(made["id"]), await ask(str(uuid4()))

    assert seen(theirs) == seen(nobodys)
    assert theirs.status_code in {200, 404, 422}
    assert theirs.status_code != 200 or theirs.json()["items"] == []
    assert (await alice.get(at)).content == before


def test_every_route_with_a_list_is_in_the_table(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    declared = {(m.upper(), path) for path, ms in paths.items() for m in ms if "{list_id}" in path}

    named = {
        (method, path.partition("?")[0].replace("{id}", "{list_id}")) for method, path, *_ in ROUTES
    }

    assert declared <= named


@pytest.mark.spec("LIST-7")
async def test_a_task_goes_into_a_list_out_of_it_and_is_found_by_it(alice: AsyncClient) -> None:
    home, work = await new_list(alice), await new_list(alice, archived=True)
    at_home = await new_task(alice, home["id"], "at home")
    nowhere = await new_task(alice, None, "nowhere")

    await alice.patch(f"{TASKS}/{nowhere['id']}", json={"list_id": work["id"]})
    moved = await alice.patch(f"{TASKS}/{at_home['id']}", json={"list_id": None})

    assert at_home["list_id"] == home["id"]
    assert moved.json()["list_id"] is None
    assert await titles(alice, list_id=home["id"]) == set()
    assert await titles(alice, list_id=work["id"]) == {"nowhere"}
    assert await titles(alice, list_id="none") == {"at home"}
    assert await titles(alice) == {"at home", "nowhere"}


@pytest.mark.spec("LIST-7")
async def test_a_list_that_is_not_there_takes_no_task(alice: AsyncClient) -> None:
    gone, task = await new_list(alice), await new_task(alice)
    await alice.delete(f"{LISTS}/{gone['id']}")
    body = {"title": "x", "list_id": gone["id"]}

    answers = [
        await alice.post(TASKS, json=body),
        await alice.patch(f"{TASKS}/{task['id']}", json={"list_id": str(uuid4())}),
        await alice.put(f"{TASKS}/{uuid4()}", json=body, headers={"If-None-Match": "*"}),
        await alice.put(f"{TASKS}/{task['id']}", json=body, headers={"If-Match": "*"}),
    ]

    assert {(a.status_code, a.json()["errors"][0]["pointer"]) for a in answers} == {
        (422, "#/list_id")
    }
    assert (await alice.get(f"{TASKS}/{task['id']}")).json() == task


@pytest.mark.spec("LIST-8")
async def test_a_deleted_list_goes_to_the_trash_with_its_tasks(alice: AsyncClient) -> None:
    made = await new_list(alice)
    inside = await new_task(alice, made["id"])
    await new_task(alice, None, "outside")

    response = await alice.delete(f"{LISTS}/{made['id']}")

    assert (response.status_code, response.content) == (204, b"")
    assert (await alice.get(f"{LISTS}/{made['id']}")).json()["code"] == "list_not_found"
    assert (await alice.delete(f"{LISTS}/{made['id']}")).status_code == 404
    assert await names(alice) == []
    assert await titles(alice) == {"outside"}
    assert (await alice.get(f"{TASKS}/{inside['id']}")).status_code == 404
    (trashed,) = (await alice.get("/api/v1/trash")).json()["items"]
    assert (trashed["id"], trashed["version"], trashed["list_id"]) == (inside["id"], 4, made["id"])


@pytest.mark.spec("LIST-8")
async def test_a_list_deleted_alone_leaves_its_tasks_in_none(alice: AsyncClient) -> None:
    made = await new_list(alice)
    inside = await new_task(alice, made["id"])

    response = await alice.delete(f"{LISTS}/{made['id']}", params={"keep_tasks": "true"})

    assert response.status_code == 204
    kept = (await alice.get(f"{TASKS}/{inside['id']}")).json()
    assert (kept["list_id"], kept["version"]) == (None, 3)
    assert kept["updated_at"] > inside["updated_at"]
