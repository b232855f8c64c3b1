"""What changed since: every change once, in order, whatever happens meanwhile."""

import asyncio
import secrets
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from devkit.containers.backup import NEW_EPOCHS
from devkit.mirror import Mirror, everything
from service_kit.clock import utc_now
from tasks_service.migrate import upgrade
from tasks_service.services.tombstone import purge_tombstones
from tasks_service.settings import DatabaseSettings

LISTS = "/api/v1/lists"
SYNC = "/api/v1/sync"
TAGS = "/api/v1/tags"
TASKS = "/api/v1/tasks"
TRASH = "/api/v1/trash"
MONTH = timedelta(days=30)


async def new_task(client: AsyncClient, title: str = "x", **fields: Any) -> str:
    created = await client.post(TASKS, json={"title": title, **fields})
    assert created.status_code == 201, created.text
    return str(created.json()["id"])


async def new_list(client: AsyncClient) -> str:
    return str((await client.post(LISTS, json={"name": "Home"})).json()["id"])


async def tag_ids(client: AsyncClient) -> dict[str, str]:
    return {tag["name"]: tag["id"] for tag in (await client.get(TAGS)).json()["items"]}


async def at(client: AsyncClient, version: int) -> str:
    """Give the cursor of who knows everything up to a version of the user's."""
    cursor = str((await client.get(SYNC)).json()["cursor"])
    return f"{cursor.partition('.')[0]}.{version}"


async def in_step(client: AsyncClient) -> Mirror:
    """Give a mirror that holds what the user has."""
    mirror = Mirror(client)
    await mirror.sync()
    return mirror


def told(changes: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(change["kind"], change["op"], change["id"]) for change in changes}


def keys(changes: list[dict[str, Any]]) -> list[tuple[int, str, str]]:
    return [(change["version"], change["kind"], change["id"]) for change in changes]


@pytest.mark.spec("SYNC-1", "SYNC-2", "SYNC-3")
async def test_a_first_sync_is_everything_as_its_own_route_answers_it(alice: AsyncClient) -> None:
    home = await new_list(alice)
    await new_task(alice, list_id=home, tags=["a", "b"], description="long", due_on="2026-12-01")
    await new_task(alice, priority="high")
    trashed, gone = await new_task(alice), await new_list(alice)
    await alice.delete(f"{TASKS}/{trashed}")
    await alice.delete(f"{LISTS}/{gone}")

    page = (await alice.get(SYNC)).json()

    assert page["has_more"] is False
    assert {change["op"] for change in page["changes"]} == {"upsert"}
    assert {(c["kind"], c["id"]): c["object"] for c in page["changes"]} == await everything(alice)
    assert keys(page["changes"]) == sorted(keys(page["changes"]))
    assert all(change["version"] == change["object"]["version"] for change in page["changes"])


@pytest.mark.spec("SYNC-1")
async def test_a_user_who_never_wrote_has_a_cursor_to_go_on_from(alice: AsyncClient) -> None:
    page = (await alice.get(SYNC)).json()
    task = await new_task(alice)

    later = (await alice.get(SYNC, params={"cursor": page["cursor"]})).json()

    assert page == {"changes": [], "cursor": "0", "has_more": False}
    assert told(later["changes"]) == {("task", "upsert", task)}


@pytest.mark.spec("SYNC-2", "SYNC-3")
async def test_each_kind_of_write_is_told_by_all_it_changed(alice: AsyncClient) -> None:
    home, other = await new_list(alice), await new_list(alice)
    parent = await new_task(alice, list_id=home, tags=["a"])
    child = await new_task(alice, parent_id=parent)
    lone = await new_task(alice, tags=["b"])
    tags = await tag_ids(alice)
    a, b = tags["a"], tags["b"]
    mirror = await in_step(alice)
    both = {parent, child}
    script: list[tuple[str, str, Any, set[tuple[str, str, str]]]] = [
        ("PATCH", f"{TASKS}/{lone}", {"title": "y"}, {("task", "upsert", lone)}),
        ("PATCH", f"{TASKS}/{lone}", {"title": "y"}, set()),
        ("PATCH", f"{LISTS}/{home}", {"name": "y"}, {("list", "upsert", home)}),
        ("POST", f"{LISTS}/{home}/move", {"after_id": other}, {("list", "upsert", home)}),
        ("PATCH", f"{TAGS}/{a}", {"name": "A"}, {("tag", "upsert", a), ("task", "upsert", parent)}),
        (
            "PATCH",
            f"{TAGS}/{a}",
            {"name": "b"},
            {("tag", "upsert", a), ("tag", "delete", b)} | {("task", "upsert", parent)},
        ),
        (
            "DELETE",
            f"{TAGS}/{a}",
            None,
            {("tag", "delete", a), ("task", "upsert", parent), ("task", "upsert", lone)},
        ),
        (
            "POST",
            f"{TASKS}/{parent}/move",
            {"list_id": other},
            {("task", "upsert", each) for each in both},
        ),
        ("DELETE", f"{TASKS}/{parent}", None, {("task", "delete", each) for each in both}),
        (
            "POST",
            f"{TASKS}/{parent}/restore",
            None,
            {("task", "upsert", each) for each in both},
        ),
        (
            "DELETE",
            f"{LISTS}/{other}",
            None,
            {("list", "delete", other)} | {("task", "delete", each) for each in both},
        ),
        (
            "POST",
            f"{LISTS}/{other}/restore",
            None,
            {("list", "upsert", other)} | {("task", "upsert", each) for each in both},
        ),
        (
            "DELETE",
            f"{LISTS}/{other}?keep_tasks=true",
            None,
            {("list", "delete", other)} | {("task", "upsert", each) for each in both},
        ),
        ("DELETE", f"{TRASH}/lists/{other}", None, set()),
        ("DELETE", TRASH, None, set()),
    ]

    for method, path, body, expected in script:
        answer = await alice.request(method, path, json=body)
        assert answer.is_success, answer.text
        assert told(await mirror.sync()) == expected, (method, path)
        assert mirror.cursor == answer.headers["x-sync-cursor"]
        assert mirror.objects == await everything(alice)


@pytest.mark.spec("SYNC-4")
async def test_one_write_may_change_more_than_a_page_holds(alice: AsyncClient) -> None:
    home = await new_list(alice)
    tasks = [await new_task(alice, list_id=home) for _ in range(5)]
    mirror = await in_step(alice)
    await alice.delete(f"{LISTS}/{home}")

    pages = [await mirror.sync_page(2) for _ in range(3)]

    assert [page["has_more"] for page in pages] == [True, True, False]
    assert len({change["version"] for page in pages for change in page["changes"]}) == 1
    assert told([change for page in pages for change in page["changes"]]) == {
        ("list", "delete", home),
        *(("task", "delete", task) for task in tasks),
    }
    assert mirror.objects == {}


@pytest.mark.spec("SYNC-4")
@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_pages_of_a_first_sync_hold_while_others_write(
    alice: AsyncClient, limit: int
) -> None:
    home, tasks = await new_list(alice), [await new_task(alice, tags=[str(n)]) for n in range(6)]
    trashed = await new_task(alice)
    await alice.delete(f"{TASKS}/{trashed}")
    writes: list[tuple[str, str, Any]] = [
        ("PATCH", f"{TASKS}/{tasks[0]}", {"title": "sent already", "list_id": home}),
        ("DELETE", f"{TASKS}/{tasks[1]}", None),
        ("DELETE", f"{TRASH}/{tasks[1]}", None),
        ("DELETE", f"{TASKS}/{tasks[5]}", None),
        ("DELETE", f"{TRASH}/{trashed}", None),
        ("POST", TASKS, {"title": "new"}),
        ("DELETE", f"{LISTS}/{home}", None),
        ("DELETE", TRASH, None),
        ("DELETE", f"{TAGS}/{(await tag_ids(alice))['0']}", None),
    ]
    mirror, has_more = Mirror(alice), True
    seen: list[dict[str, Any]] = []

    while has_more:
        page = await mirror.sync_page(limit)
        has_more, seen = page["has_more"], seen + page["changes"]
        if writes:
            method, path, body = writes.pop(0)
            assert (await alice.request(method, path, json=body)).is_success
    await mirror.sync(limit)

    assert mirror.objects == await everything(alice)
    assert keys(seen) == sorted(keys(seen))
    assert ("task", "delete", trashed) not in told(seen)


@pytest.mark.spec("SYNC-4")
async def test_nothing_is_missed_while_many_write_at_once(alice: AsyncClient) -> None:
    mirror = Mirror(alice)

    async def write() -> None:
        for _ in range(6):
            task = await new_task(alice, tags=[secrets.token_hex(1)])
            await alice.patch(f"{TASKS}/{task}", json={"title": "y"})
            await alice.delete(f"{TASKS}/{task}") if secrets.randbelow(2) else None

    writing = asyncio.gather(*(write() for _ in range(6)))
    seen = []
    while not writing.done():
        seen += await mirror.sync(limit=3)
    await writing
    seen += await mirror.sync()

    assert mirror.objects == await everything(alice)
    versions = [change["version"] for change in seen]
    assert versions == sorted(versions)


@pytest.mark.spec("SYNC-5")
@pytest.mark.parametrize(
    "cursor",
    [
        *("", "x", "-1", "1.5", " {1}", "{1}\n", "٣", "9" * 19, "{1}.task", "{1}.task.{id}"),
        *("{1}.task.x.0", "{1}.note.{id}.0", "{1}.task.{id}.2", "{2}.task.{id}.1", "{2}"),
    ],
)
async def test_a_cursor_nobody_was_given_is_refused(alice: AsyncClient, cursor: str) -> None:
    await new_task(alice)
    first, second = await at(alice, 1), await at(alice, 2)

    given = cursor.replace("{1}", first).replace("{2}", second).replace("{id}", str(uuid4()))
    refused = await alice.get(SYNC, params={"cursor": given})

    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.spec("SYNC-6")
async def test_what_is_purged_is_told_to_who_had_it_and_to_nobody_else(
    alice: AsyncClient,
) -> None:
    home = await new_list(alice)
    inside, lone = await new_task(alice, list_id=home), await new_task(alice)
    before = await in_step(alice)
    await alice.delete(f"{LISTS}/{home}")
    await alice.delete(f"{TASKS}/{lone}")
    after = await in_step(alice)
    # The task goes with its list, by the foreign key.
    await alice.delete(f"{TRASH}/lists/{home}")
    await alice.delete(TRASH)

    assert told(await before.sync(limit=1)) == {
        ("list", "delete", home),
        ("task", "delete", inside),
        ("task", "delete", lone),
    }
    assert await after.sync() == []


@pytest.mark.spec("SYNC-6")
async def test_an_id_that_is_used_again_is_told_in_its_order(alice: AsyncClient) -> None:
    task = f"{TASKS}/{uuid4()}"
    create = {"headers": {"If-None-Match": "*"}, "json": {"title": "x"}}
    await alice.put(task, **create)  # type: ignore[arg-type]
    mirror = await in_step(alice)
    await alice.delete(task)
    await alice.delete(TRASH)
    await alice.put(task, **create)  # type: ignore[arg-type]

    changes = await mirror.sync()

    assert [change["op"] for change in changes] == ["delete", "upsert"]
    assert mirror.objects == await everything(alice)


async def age_tombstones(app: FastAPI, user: AsyncClient, upto: int) -> None:
    """Make a user's tombstones up to a version older than a month."""
    async with app.state.resources.database.engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE tombstone SET created_at = now() - interval '40 days'"
                " WHERE user_id = :user AND version <= :upto"
            ),
            {"user": user.headers["x-user-id"], "upto": upto},
        )


@pytest.fixture
async def purged(app: FastAPI, alice: AsyncClient) -> dict[str, Any]:
    """Purge two tasks, the tombstone of the first of them too; give the cursors on the way."""
    cursors = [(await in_step(alice)).cursor]
    for _ in range(2):
        task = await new_task(alice)
        cursors.append((await alice.delete(f"{TASKS}/{task}")).headers["x-sync-cursor"])
        await alice.delete(TRASH)
    await age_tombstones(app, alice, upto=2)
    async with app.state.resources.database.sessions() as session:
        while await purge_tombstones(session, utc_now() - MONTH, 1):
            pass
    return {"early": cursors[0], "at": cursors[1], "late": cursors[2]}


@pytest.mark.spec("SYNC-6")
async def test_a_cursor_from_before_the_oldest_tombstone_has_to_begin_anew(
    alice: AsyncClient, purged: dict[str, Any]
) -> None:
    answers = {
        name: await alice.get(SYNC, params={"cursor": cursor}) for name, cursor in purged.items()
    }

    assert (answers["early"].status_code, answers["early"].json()["code"]) == (
        410,
        "resync_required",
    )
    assert [c["op"] for c in answers["at"].json()["changes"]] == ["delete"]
    assert answers["late"].json()["changes"] == []
    assert (await alice.get(SYNC)).status_code == 200


@pytest.mark.spec("SYNC-6")
async def test_old_tombstones_go_in_small_batches_and_young_ones_stay(
    app: FastAPI, alice: AsyncClient, mallory: AsyncClient
) -> None:
    for user in (alice, mallory):
        for _ in range(3):
            await user.delete(f"{TASKS}/{await new_task(user)}")
        await user.delete(TRASH)
        # The third, at version 6, stays.
        await age_tombstones(app, user, upto=4)

    async with app.state.resources.database.sessions() as session:
        at_once = [await purge_tombstones(session, utc_now() - MONTH, 3) for _ in range(3)]

    assert at_once == [3, 1, 0]
    for user in (alice, mallory):
        since = {"cursor": await at(user, 4)}
        (left,) = (await user.get(SYNC, params=since)).json()["changes"]
        assert (left["op"], left["version"]) == ("delete", 6)


@pytest.mark.spec("SYNC-6")
async def test_with_the_account_its_tombstones_go_too(app: FastAPI, alice: AsyncClient) -> None:
    user = {"user": alice.headers["x-user-id"]}
    await alice.delete(f"{TASKS}/{await new_task(alice, tags=['a'])}")
    await alice.delete(TRASH)
    await new_task(alice, tags=["b"], list_id=await new_list(alice))

    async with app.state.resources.database.engine.begin() as connection:
        await connection.execute(text("DELETE FROM account WHERE user_id = :user"), user)
        left = text("SELECT count(*) FROM tombstone WHERE user_id = :user")

        assert await connection.scalar(left, user) == 0


@pytest.mark.spec("SYNC-6", "TASK-22")
async def test_no_cursor_counts_from_before_there_were_tombstones(database_url: str) -> None:
    url = DatabaseSettings(database_url=SecretStr(database_url)).sqlalchemy_url
    await upgrade(url, "0009")
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO account VALUES ('a', 3, now(), now())"))

    await upgrade(url)

    async with engine.begin() as connection:
        assert await connection.scalar(text("SELECT oldest_cursor FROM account")) == 3


async def counter(client: AsyncClient) -> str:
    return str((await client.get(SYNC, params={"cursor": "0"})).json()["cursor"])


@pytest.mark.spec("SYNC-11", "CON-19")
async def test_every_account_of_a_restored_backup_has_another_epoch(database_url: str) -> None:
    url = DatabaseSettings(database_url=SecretStr(database_url)).sqlalchemy_url
    engine = create_async_engine(url, poolclass=NullPool)

    async def epochs() -> set[str]:
        async with engine.begin() as connection:
            await connection.execute(text(NEW_EPOCHS))
            return set((await connection.scalars(text("SELECT epoch FROM account"))).all())

    await upgrade(url, "0011")
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO account VALUES ('a', 3, now(), now())"))
        await connection.execute(text("INSERT INTO account VALUES ('b', 3, now(), now())"))
        await connection.execute(text(NEW_EPOCHS))
    await upgrade(url)

    once, twice = await epochs(), await epochs()

    assert len(once | twice) == 4


OTHER_EPOCHS = {
    "another": "ffffffff.1",
    "a page of another": "ffffffff.1.task.{id}.1",
    "none": "1",
    "a page of none": "1.task.{id}.1",
    "far ahead in another": "ffffffff.99",
}


@pytest.mark.spec("SYNC-11")
@pytest.mark.parametrize("cursor", OTHER_EPOCHS.values(), ids=OTHER_EPOCHS)
@pytest.mark.parametrize("writes", [0, 2], ids=["never wrote", "wrote"])
async def test_a_cursor_of_another_epoch_has_to_begin_anew(
    alice: AsyncClient, cursor: str, writes: int
) -> None:
    for _ in range(writes):
        await new_task(alice)
    given = cursor.format(id=uuid4())

    refused = [
        await alice.get(SYNC, params={"cursor": given}),
        *[await alice.get(path, params={"min_cursor": given}) for path in READS],
    ]

    assert {(a.status_code, a.json()["code"]) for a in refused} == {(410, "resync_required")}


@pytest.mark.spec("SYNC-11", "DATA-21")
async def test_a_cursor_from_before_the_account_was_removed_is_never_good_again(
    alice: AsyncClient,
) -> None:
    fresh = await in_step(alice)
    await new_task(alice)
    before = await in_step(alice)
    await alice.delete("/api/v1/account", headers={"X-Confirm": "delete"})

    gone = await alice.get(SYNC, params={"cursor": str(before.cursor)})
    tasks = {await new_task(alice) for _ in range(2)}
    passed = await alice.get(SYNC, params={"cursor": str(before.cursor)})

    assert [answer.status_code for answer in (gone, passed)] == [410, 410]
    assert told(await fresh.sync()) == {("task", "upsert", task) for task in tasks}


@pytest.mark.spec("SYNC-7")
async def test_a_write_without_effect_answers_the_counter_as_it_stands(alice: AsyncClient) -> None:
    task, home = await new_task(alice), await new_list(alice)
    create = {"op": "create", "task": {"title": "x"}}
    fails = {"op": "delete", "id": str(uuid4())}
    writes: list[tuple[str, str, Any]] = [
        ("PATCH", f"{TASKS}/{task}", {"title": "x"}),
        ("POST", f"{TASKS}/{task}/reopen", None),
        ("POST", f"{TASKS}/{task}/restore", None),
        ("PATCH", f"{LISTS}/{home}", {"name": "Home"}),
        ("DELETE", TRASH, None),
        ("POST", "/api/v1/batch", {"operations": [fails]}),
        ("POST", "/api/v1/batch", {"operations": [create, create, fails]}),
        ("PUT", f"/api/tasks/{task}", {"title": "z"}),
    ]

    for method, path, body in writes:
        answer = await alice.request(method, path, json=body)
        assert answer.headers["x-sync-cursor"] == await counter(alice), (method, path)


@pytest.mark.spec("SYNC-7", "RETRY-1")
async def test_a_repeated_request_answers_the_cursor_of_its_write(alice: AsyncClient) -> None:
    key = {"Idempotency-Key": "k"}
    first = await alice.post(TASKS, json={"title": "x"}, headers=key)
    await new_task(alice)

    again = await alice.post(TASKS, json={"title": "x"}, headers=key)

    assert first.headers["x-sync-cursor"] == again.headers["x-sync-cursor"] == await at(alice, 1)


@pytest.mark.spec("SYNC-7")
async def test_what_failed_or_only_read_answers_no_cursor(alice: AsyncClient) -> None:
    answers = [
        await alice.get(TASKS),
        await alice.delete(f"{TASKS}/{uuid4()}"),
        await alice.post("/api/v1/recurrence/preview", json={"due_on": "2026-01-01"}),
    ]

    assert not any("x-sync-cursor" in answer.headers for answer in answers)


READS = [TASKS, f"{TASKS}?view=today", LISTS, TAGS, TRASH, f"{TRASH}/lists", "/api/v1/stats"]


@pytest.mark.spec("SYNC-8")
@pytest.mark.parametrize("path", [*READS, TASKS + "/{id}/completions"])
async def test_a_read_is_never_from_before_its_min_cursor(alice: AsyncClient, path: str) -> None:
    url = path.format(id=await new_task(alice))
    cursors = ["0", await at(alice, 1), await at(alice, 2)]

    answers = [await alice.get(url, params={"min_cursor": cursor}) for cursor in cursors]

    assert [answer.status_code for answer in answers] == [200, 200, 400]
    assert answers[-1].json()["code"] == "invalid_cursor"


@pytest.mark.spec("SYNC-8", "TASK-20")
async def test_a_page_cursor_holds_whatever_min_cursor_comes_with_it(alice: AsyncClient) -> None:
    for _ in range(2):
        await new_task(alice)
    page = {"limit": "1", "min_cursor": await at(alice, 2)}
    first = (await alice.get(TASKS, params=page)).json()

    second = await alice.get(TASKS, params={"limit": "1", "cursor": first["next_cursor"]})

    assert second.status_code == 200


@pytest.mark.spec("TASK-7", "SYNC-1")
async def test_a_sync_tells_of_its_user_alone(alice: AsyncClient, mallory: AsyncClient) -> None:
    await new_task(alice, tags=["a"], list_id=await new_list(alice))
    await alice.delete(f"{TASKS}/{await new_task(alice)}")
    await alice.delete(TRASH)
    await new_task(mallory)

    changes = (await mallory.get(SYNC, params={"cursor": "0"})).json()["changes"]

    assert [change["object"]["title"] for change in changes] == ["x"]


@pytest.mark.spec("SYNC-10")
async def test_a_completion_shows_in_its_task(alice: AsyncClient) -> None:
    task = await new_task(alice, due_on="2026-11-25", recurrence="FREQ=DAILY")
    mirror = await in_step(alice)
    await alice.post(f"{TASKS}/{task}/complete")

    (change,) = await mirror.sync()

    (completion,) = (await alice.get(f"{TASKS}/{task}/completions")).json()["items"]
    assert (change["kind"], change["version"]) == ("task", completion["version"])
