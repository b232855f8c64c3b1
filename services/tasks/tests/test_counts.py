"""The numbers that are kept are those of the tasks there are, whoever wrote them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from service_kit.clock import utc_now
from tasks_service.migrate import upgrade
from tasks_service.services import trash
from tasks_service.settings import DatabaseSettings

TASKS, LISTS, TAGS, TRASH = "/api/v1/tasks", "/api/v1/lists", "/api/v1/tags", "/api/v1/trash"
# Of all users there are: what other tests wrote counts too.
TASK_COUNTS = """
SELECT user_id, list_id, priority, open, completed FROM task_count WHERE open <> 0 OR completed <> 0
"""
COUNTED_TASKS = """
SELECT user_id, list_id, priority, count(*) - count(completed_at), count(completed_at)
FROM task WHERE deleted_at IS NULL GROUP BY user_id, list_id, priority
"""
TAG_COUNTS = "SELECT user_id, key, task_count FROM tag WHERE task_count <> 0"
COUNTED_TAGS = """
SELECT user_id, key, count(*) FROM task, unnest(tag_keys) AS given (key)
WHERE deleted_at IS NULL GROUP BY user_id, key
"""


async def wrong_numbers(connection: AsyncConnection) -> list[Any]:
    """Return what is kept and not there, or there and not kept."""
    found: list[Any] = []
    for kept, counted in ((TASK_COUNTS, COUNTED_TASKS), (TAG_COUNTS, COUNTED_TAGS)):
        for one, other in ((kept, counted), (counted, kept)):
            found += await connection.execute(text(f"({one}) EXCEPT ALL ({other})"))
    return found


async def make(user: AsyncClient, path: str = TASKS, **fields: Any) -> str:
    body = {"name": "x"} if path == LISTS else {"title": "x", **fields}
    made: str = (await user.post(path, json=body)).json()["id"]
    return made


async def a_list_with_tasks(user: AsyncClient) -> str:
    """Create a list with an open and a completed task, one in the trash, and a subtask."""
    home = await make(user, LISTS)
    parent = await make(user, list_id=home, tags=["a", "b"], priority="high")
    await make(user, parent_id=parent, tags=["a"])
    await make(user, list_id=home, tags=["b"], completed=True)
    gone = await make(user, list_id=home, tags=["c"])
    await user.delete(f"{TASKS}/{gone}")
    return home


async def import_again(user: AsyncClient, _home: str) -> Response:
    data = (await user.get("/api/v1/export")).json()
    return await user.post("/api/v1/import?ids=new", json=data)


async def replace(user: AsyncClient, home: str) -> Response:
    body = {"title": "x", "tags": ["A", "d"], "list_id": home, "priority": "low"}
    path = f"{TASKS}/{uuid4()}"
    made = await user.put(path, json=body, headers={"If-None-Match": "*"})
    changed = {"title": "x", "tags": ["e"], "priority": "urgent", "completed": True}
    return await user.put(path, json=changed, headers={"If-Match": made.headers["ETag"]})


async def fail_halfway(user: AsyncClient, home: str) -> Response:
    create = {"op": "create", "task": {"title": "x", "tags": ["a"], "list_id": home}}
    operations = [create, {"op": "delete", "id": str(uuid4())}, create]
    await user.post("/api/v1/batch", json={"atomic": True, "operations": operations})
    return await user.post("/api/v1/batch", json={"atomic": False, "operations": operations})


async def complete_to_the_end(user: AsyncClient, home: str) -> Response:
    rule = "FREQ=DAILY;COUNT=2"
    daily = await make(user, due_on="2126-11-25", recurrence=rule, list_id=home, tags=["a"])
    await user.post(f"{TASKS}/{daily}/complete")
    return await user.post(f"{TASKS}/{daily}/complete")


async def rename_tags(user: AsyncClient, _home: str) -> Response:
    tags = [f"{TAGS}/{tag['id']}" for tag in (await user.get(TAGS)).json()["items"]]
    await user.patch(tags[0], json={"name": "B"})
    await user.patch(tags[0], json={"name": "new"})
    return await user.patch(tags[2], json={"name": "NEW"})


async def delete_a_tag(user: AsyncClient, _home: str) -> Response:
    tag = (await user.get(TAGS)).json()["items"][0]
    return await user.delete(f"{TAGS}/{tag['id']}")


async def give_back(user: AsyncClient, home: str) -> Response:
    await user.delete(f"{LISTS}/{home}")
    return await user.post(f"{LISTS}/{home}/restore")


async def keep_tasks(user: AsyncClient, home: str) -> Response:
    return await user.delete(f"{LISTS}/{home}", params={"keep_tasks": "true"})


async def purge_a_list(user: AsyncClient, home: str) -> Response:
    await user.delete(f"{LISTS}/{home}")
    return await user.delete(f"{TRASH}/lists/{home}")


async def empty_the_trash(user: AsyncClient, home: str) -> Response:
    await user.delete(f"{LISTS}/{home}")
    return await user.delete(TRASH)


async def remove_the_account(user: AsyncClient, _home: str) -> Response:
    return await user.delete("/api/v1/account", headers={"X-Confirm": "delete"})


async def write_as_phase_two(user: AsyncClient, _home: str) -> Response:
    task = (await user.post("/api/tasks", json={"title": "x", "tags": ["a"]})).json()["id"]
    await user.patch(f"/api/tasks/{task}/complete")
    return await user.put(f"/api/tasks/{task}", json={"priority": "high", "tags": ["b"]})


async def write_at_once(user: AsyncClient, home: str) -> Response:
    tasks = [{"title": "x", "tags": ["a", f"t{n}"], "list_id": home} for n in range(10)]
    made = await asyncio.gather(*(user.post(TASKS, json=task) for task in tasks))
    paths = [f"{TASKS}/{each.json()['id']}" for each in made]
    *_, last = await asyncio.gather(
        *(user.delete(path) for path in paths[:5]),
        *(user.post(f"{path}/complete") for path in paths),
        user.delete(f"{LISTS}/{home}"),
        *(user.patch(path, json={"tags": ["a"]}) for path in paths[5:]),
        user.post(TASKS, json={"title": "x", "tags": ["t1"]}),
    )
    return last


WRITES: list[Callable[[AsyncClient, str], Awaitable[Response]]] = [
    import_again,
    replace,
    fail_halfway,
    complete_to_the_end,
    rename_tags,
    delete_a_tag,
    give_back,
    keep_tasks,
    purge_a_list,
    empty_the_trash,
    remove_the_account,
    write_as_phase_two,
    write_at_once,
]


@pytest.mark.spec("SPEED-4", "STAT-1", "TAG-1")
@pytest.mark.parametrize("write", WRITES)
async def test_no_write_leaves_a_number_wrong(
    app: FastAPI, alice: AsyncClient, write: Callable[[AsyncClient, str], Awaitable[Response]]
) -> None:
    home = await a_list_with_tasks(alice)

    answer = await write(alice, home)

    assert answer.is_success
    async with app.state.resources.database.engine.connect() as connection:
        assert await wrong_numbers(connection) == []


@pytest.mark.spec("SPEED-4", "DATA-22")
async def test_housekeeping_leaves_no_number_wrong(app: FastAPI, alice: AsyncClient) -> None:
    home = await a_list_with_tasks(alice)
    await alice.delete(f"{LISTS}/{home}")

    async with app.state.resources.database.sessions() as session:
        for purge in (trash.purge_old_tasks, trash.purge_old_lists):
            while await purge(session, utc_now() + timedelta(days=1), 2):
                pass

    async with app.state.resources.database.engine.connect() as connection:
        assert await wrong_numbers(connection) == []


STATEMENTS = {
    "many tasks of many users": (
        (
            "INSERT INTO account (user_id, last_version, created_at, updated_at)"
            " SELECT 'many-' || n, 9, now(), now() FROM generate_series(1, 3) n"
        ),
        (
            "INSERT INTO task (user_id, id, title, priority, tags, tag_keys, version, created_at,"
            " updated_at) SELECT 'many-' || n % 3 + 1, gen_random_uuid(), 'x', n % 5, ARRAY['T'],"
            " ARRAY['t'], 1, now(), now() FROM generate_series(1, 30) n"
        ),
        "DELETE FROM account WHERE user_id = 'many-1'",
    ),
    "changes of every kind": (
        (
            "UPDATE task SET priority = 4, list_id = NULL, completed_at = now()"
            " WHERE user_id = :user AND parent_id IS NULL"
        ),
        "UPDATE task SET tags = '{x,y}', tag_keys = '{x,y}' WHERE user_id = :user",
        (
            "UPDATE task SET deleted_at = CASE WHEN deleted_at IS NULL THEN now() END, priority = 1"
            " WHERE user_id = :user"
        ),
    ),
    "a list that takes live tasks with it": ("DELETE FROM list WHERE user_id = :user",),
    "an account that takes all with it": ("DELETE FROM account WHERE user_id = :user",),
}


@pytest.mark.spec("SPEED-4")
@pytest.mark.parametrize("statements", STATEMENTS.values(), ids=STATEMENTS)
async def test_whoever_writes_the_tables_leaves_the_numbers_right(
    app: FastAPI, alice: AsyncClient, statements: tuple[str, ...]
) -> None:
    await a_list_with_tasks(alice)

    async with app.state.resources.database.engine.connect() as connection:
        for statement in statements:
            given = {"user": alice.headers["X-User-Id"]} if ":user" in statement else {}
            await connection.execute(text(statement), given)
            assert await wrong_numbers(connection) == []
        await connection.rollback()


@pytest.mark.spec("SPEED-4", "TASK-22")
async def test_tasks_of_the_release_before_are_counted(database_url: str) -> None:
    url = DatabaseSettings(database_url=SecretStr(database_url)).sqlalchemy_url
    await upgrade(url, "0014")
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        for statement in STATEMENTS["many tasks of many users"]:
            await connection.execute(text(statement))
        await connection.execute(
            text("UPDATE task SET deleted_at = now() WHERE user_id = 'many-2' AND priority < 2")
        )
        await connection.execute(text("UPDATE task SET completed_at = now() WHERE priority = 2"))

    await upgrade(url)

    async with engine.connect() as connection:
        assert await wrong_numbers(connection) == []
        assert await connection.scalar(text("SELECT sum(completed) FROM task_count")) == 4
        assert await connection.scalar(text("SELECT sum(task_count) FROM tag")) == 16
