import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from httpx import AsyncClient

NewUser = Callable[..., AsyncClient]


@pytest.fixture(params=["short", "of user"])
def tasks(request: pytest.FixtureRequest, alice: AsyncClient) -> str:
    """Give the address of Alice's tasks, in each of its two forms."""
    return "/api/tasks" if request.param == "short" else f"/api/{alice.headers['x-user-id']}/tasks"


async def create(client: AsyncClient, tasks: str = "/api/tasks", **fields: Any) -> Any:
    response = await client.post(tasks, json={"title": "x", **fields})
    assert response.status_code == 201, response.text
    return response.json()


@pytest.mark.spec("PH2-1", "PH2-2")
async def test_a_task_is_a_bare_object_and_a_list_a_bare_array(
    alice: AsyncClient, tasks: str
) -> None:
    task = await create(alice, tasks, title=" Buy ", tags=["a"], due_date="2026-05-01")

    assert task == {
        "id": task["id"],
        "user_id": alice.headers["x-user-id"],
        "title": "Buy",
        "description": None,
        "completed": False,
        "priority": "none",
        "tags": ["a"],
        "due_date": "2026-05-01",
        "created_at": task["created_at"],
        "updated_at": task["created_at"],
    }
    assert (await alice.get(tasks)).json() == [task]
    assert (await alice.get(f"{tasks}/{task['id']}")).json() == task


@pytest.mark.spec("PH2-3")
async def test_put_changes_only_what_it_names(alice: AsyncClient, tasks: str) -> None:
    task = await create(alice, tasks, description="d", due_date="2026-05-01", priority="low")

    response = await alice.put(f"{tasks}/{task['id']}", json={"title": "New", "completed": True})

    new = response.json()
    assert response.status_code == 200
    assert new == task | {"title": "New", "completed": True, "updated_at": new["updated_at"]}


@pytest.mark.spec("PH2-11")
async def test_a_task_that_was_read_can_be_put_back_whole(alice: AsyncClient, tasks: str) -> None:
    task = await create(alice, tasks, tags=["a"], due_date="2026-05-01T10:00:00Z")

    response = await alice.put(
        f"{tasks}/{task['id']}", json=task | {"title": "New", "user_id": "x"}
    )

    new = response.json()
    assert response.status_code == 200
    assert new == task | {"title": "New", "updated_at": new["updated_at"]}


@pytest.mark.spec("PH2-11")
async def test_a_new_task_may_bring_fields_of_its_own(alice: AsyncClient, tasks: str) -> None:
    task = await create(alice, tasks, id=7, user_id="x", colour="red")

    assert task["user_id"] == alice.headers["x-user-id"]
    assert "colour" not in task


@pytest.mark.spec("PH2-2")
async def test_delete_is_204_and_then_404(alice: AsyncClient, tasks: str) -> None:
    task = await create(alice, tasks)

    first = await alice.delete(f"{tasks}/{task['id']}")
    second = await alice.delete(f"{tasks}/{task['id']}")

    assert (first.status_code, second.status_code) == (204, 404)


@pytest.mark.spec("PH2-4")
async def test_complete_toggles_without_a_body_and_obeys_one(
    alice: AsyncClient, tasks: str
) -> None:
    task = await create(alice, tasks)
    bodies: list[dict[str, Any]] = [
        {},
        {},
        {"json": {"completed": True}},
        {"json": {"completed": True}},
        {"headers": {"Content-Type": "application/json"}},
    ]

    answers = [await alice.patch(f"{tasks}/{task['id']}/complete", **body) for body in bodies]

    assert [a.json()["completed"] for a in answers] == [True, False, True, True, False]
    wrong = await alice.patch(f"{tasks}/{task['id']}/complete", json={"completed": "yes"})
    assert wrong.status_code == 422


@pytest.mark.spec("PH2-5")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "dcba"),
        ("status=all", "dcba"),
        ("status=pending", "dca"),
        ("status=completed", "b"),
        ("completed=true", "b"),
        ("completed=false&status=completed", ""),
        ("priority=high", "c"),
        ("search=MILK", "da"),
        ("search=100%25", "b"),
        ("search=_", "d"),
        ("search=%5C", "c"),
        ("search=", "dcba"),
        ("sort=created&order=asc", "abcd"),
        ("sort=created_at", "dcba"),
        ("sort_by=title", "abcd"),
        ("sort=title&order=desc", "dcba"),
        ("sort=title&sort_by=title", "abcd"),
        ("sort=due_date", "badc"),
        ("sort_by=due_date&sort_order=desc", "dabc"),
        ("sort=priority", "cadb"),
        ("sort=priority&order=asc", "bdac"),
        ("status=pending&search=milk&sort=title", "ad"),
    ],
)
async def test_the_list_filters_and_sorts(alice: AsyncClient, query: str, found: str) -> None:
    await create(alice, title="a", description="Milk", priority="medium", due_date="2026-05-03")
    await create(alice, title="b", description="100%", completed=True, due_date="2026-05-02")
    await create(alice, title="c", description="\\", priority="high")
    await create(alice, title="d_milk", priority="low", due_date="9999-01-01")

    response = await alice.get(f"/api/tasks?{query}")

    assert response.status_code == 200, response.text
    assert [task["title"][0] for task in response.json()] == list(found)


@pytest.mark.spec("PH2-5", "ERR-2")
@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("status=open", "status"),
        ("sort=colour", "sort"),
        ("order=up", "order"),
        ("sort=title&sort_by=priority", "sort_by"),
        ("order=asc&sort_order=desc", "sort_order"),
        ("order=up&sort_order=desc", "order"),
        ("search=%00", "search"),
        ("search=a&search=b", "search"),
        ("page=2", "page"),
    ],
)
async def test_a_wrong_query_is_422_and_named(
    alice: AsyncClient, query: str, parameter: str
) -> None:
    response = await alice.get(f"/api/tasks?{query}")

    assert response.status_code == 422
    assert [error["parameter"] for error in response.json()["errors"]] == [parameter]


@pytest.mark.spec("PH2-5")
async def test_the_list_is_whole(alice: AsyncClient) -> None:
    file = {"tasks": [{"title": "x"}] * 201}
    (await alice.post("/api/v1/import", json=file)).raise_for_status()

    assert len((await alice.get("/api/tasks")).json()) == 201


@pytest.mark.spec("PH2-6")
async def test_a_path_of_another_user_is_403_whether_or_not_there_is_such_a_user(
    alice: AsyncClient, mallory: AsyncClient
) -> None:
    task = await create(alice)
    theirs = f"/api/{alice.headers['x-user-id']}/tasks"
    asked: list[tuple[str, str, Any]] = [
        ("GET", theirs, None),
        ("GET", "/api/nobody/tasks", None),
        ("GET", "/api/no%0Abody/tasks", None),
        ("POST", theirs, {"title": "x"}),
        ("POST", theirs, {"title": ""}),
        ("GET", f"{theirs}/{task['id']}", None),
        ("PUT", f"{theirs}/{task['id']}", {"title": "x"}),
        ("DELETE", f"{theirs}/{task['id']}", None),
        ("PATCH", f"{theirs}/{task['id']}/complete", None),
    ]

    answers = [await mallory.request(method, url, json=body) for method, url, body in asked]

    assert {(a.status_code, a.json()["code"]) for a in answers} == {(403, "user_mismatch")}
    assert (await alice.get(f"/api/tasks/{task['id']}")).json() == task


@pytest.mark.spec("PH2-6")
@pytest.mark.parametrize("name", ["auth0|7", "a/b", "ü €", "tasks", "x/tasks", "v1x", "%2F", "a."])
async def test_a_user_id_in_the_path_is_compared_decoded(new_user: NewUser, name: str) -> None:
    user_id = name if name in {"tasks", "a."} else name + secrets.token_hex(4)
    user = new_user(user_id)
    tasks = f"/api/{quote(user_id, safe='')}/tasks"

    task = await create(user, tasks)

    assert task["user_id"] == user_id
    assert (await user.get(f"{tasks}/{task['id']}")).json() == task


@pytest.mark.spec("PH2-9")
async def test_a_user_called_v1_uses_the_short_form_and_v1_stays_the_api(
    new_user: NewUser,
) -> None:
    user = new_user("v1")

    task = await create(user)

    assert (await user.get("/api/v1/tasks")).json().keys() == {"items", "next_cursor"}
    assert (await user.get(f"/api/tasks/{task['id']}")).json()["user_id"] == "v1"
    assert (await user.patch(f"/api/v1/tasks/{task['id']}/complete")).status_code == 405


@pytest.mark.spec("PH2-10")
@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ("2026-05-01", "2026-05-01"),
        ("2026-05-01T10:00:00", "2026-05-01T10:00:00Z"),
        ("2026-05-01T10:00:00.000Z", "2026-05-01T10:00:00Z"),
        ("2026-05-01T10:00:00+02:00", "2026-05-01T08:00:00Z"),
        (None, None),
    ],
)
async def test_a_due_date_comes_back_as_it_was_meant(
    alice: AsyncClient, sent: str | None, answered: str | None
) -> None:
    task = await create(alice, due_date=sent)
    other = await create(alice, due_date="2020-01-01T00:00:00Z")

    changed = await alice.put(f"/api/tasks/{other['id']}", json={"due_date": sent})

    assert task["due_date"] == answered
    assert changed.json()["due_date"] == answered


@pytest.mark.spec("PH2-10")
@pytest.mark.parametrize("due_date", ["", "tomorrow", 5, "2026-13-01", "2026-05-01T25:00:00Z"])
async def test_what_is_no_due_date_is_422(alice: AsyncClient, due_date: Any) -> None:
    response = await alice.post("/api/tasks", json={"title": "x", "due_date": due_date})

    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"].startswith("#/due_date")
