import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from sqlalchemy import text

from tasks_service.dependencies.resources import Resources
from tasks_service.main import create_app
from tasks_service.settings import TasksSettings

TASKS = "/api/v1/tasks"


async def post(client: AsyncClient, key: str = "k", **fields: Any) -> Response:
    body = {"title": "x", **fields}
    return await client.post(TASKS, json=body, headers={"Idempotency-Key": key})


async def send_file(client: AsyncClient) -> Response:
    headers = {"Content-Type": "text/csv", "Idempotency-Key": "k"}
    return await client.post("/api/v1/import", content="title\r\nx", headers=headers)


async def send_list(client: AsyncClient, **fields: Any) -> Response:
    body = {"name": "x", **fields}
    return await client.post("/api/v1/lists", json=body, headers={"Idempotency-Key": "k"})


async def send_batch(client: AsyncClient, *more: Any, **fields: Any) -> Response:
    body = {"operations": [{"op": "create", "task": {"title": "x"}}, *more], **fields}
    return await client.post("/api/v1/batch", json=body, headers={"Idempotency-Key": "k"})


async def send_atomic_batch(client: AsyncClient) -> Response:
    return await send_batch(client, atomic=True)


def shown(response: Response) -> Any:
    headers = {name: value for name, value in response.headers.items() if name != "x-request-id"}
    return response.status_code, headers, response.content


async def titles(client: AsyncClient) -> list[str]:
    return [task["title"] for task in (await client.get(TASKS)).json()["items"]]


async def sql(app: FastAPI, statement: str, client: AsyncClient, **values: Any) -> Any:
    resources: Resources = app.state.resources
    async with resources.database.engine.begin() as connection:
        user = {"user_id": client.headers["x-user-id"]}
        return await connection.execute(text(statement), user | values)


@pytest.mark.spec("RETRY-1")
async def test_the_same_key_and_body_is_answered_as_the_first_time_and_writes_nothing(
    alice: AsyncClient,
) -> None:
    first = await post(alice, title="a", tags=["b"])
    again = await post(alice, title="a", tags=["b"])
    await alice.patch(first.headers["location"], json={"title": "changed"})
    after_a_change = await post(alice, title="a", tags=["b"])
    await alice.delete(first.headers["location"])
    after_deletion = await post(alice, title="a", tags=["b"])

    assert first.status_code == 201
    assert first.headers["etag"] == '"1"'
    assert shown(again) == shown(after_a_change) == shown(after_deletion) == shown(first)
    assert await titles(alice) == []
    assert (await post(alice, "other")).json()["version"] == 4


@pytest.mark.spec("RETRY-1")
async def test_the_answer_outlives_a_restart(
    alice: AsyncClient, settings: TasksSettings, user_of: Callable[[FastAPI, str], AsyncClient]
) -> None:
    first = await post(alice)
    restarted = create_app(settings)
    async with restarted.router.lifespan_context(restarted):
        again = await post(user_of(restarted, alice.headers["x-user-id"]))

    assert shown(again) == shown(first)


@pytest.mark.spec("RETRY-2")
async def test_another_body_under_the_key_is_422_and_writes_nothing(alice: AsyncClient) -> None:
    await post(alice, title="a")

    response = await post(alice, title="b")

    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert await titles(alice) == ["a"]


@pytest.mark.spec("RETRY-2")
async def test_bodies_that_mean_the_same_are_the_same(alice: AsyncClient) -> None:
    first = await post(alice, due_at="2026-05-01T10:00:00+02:00", tags=["a", "A"])

    again = await alice.post(
        TASKS,
        content=b'{"tags": ["a"], "due_at": "2026-05-01T08:00:00Z", "title": " x ", '
        b'"description": null}',
        headers={"Idempotency-Key": "k", "Content-Type": "application/json"},
    )

    assert shown(again) == shown(first)


@pytest.mark.spec("RETRY-3", "RETRY-1", "RETRY-7", "DATA-18")
@pytest.mark.parametrize("send", [post, send_file, send_list, send_batch, send_atomic_batch])
async def test_a_key_whose_first_request_still_runs_is_409_until_it_is_done(
    app: FastAPI, alice: AsyncClient, send: Callable[..., Coroutine[Any, Any, Response]]
) -> None:
    await post(alice, "earlier")
    resources: Resources = app.state.resources
    async with asyncio.timeout(30):
        async with resources.database.engine.begin() as holder:
            await holder.execute(
                text("SELECT 1 FROM account WHERE user_id = :user_id FOR UPDATE"),
                {"user_id": alice.headers["x-user-id"]},
            )
            running = asyncio.create_task(send(alice))
            # Its lock on the key is there as soon as it waits for the account.
            waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted")
            while not await holder.scalar(waiting):
                assert not running.done()
            refused = await send(alice)
        first = await running

    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_key_in_use")
    assert refused.headers["retry-after"] == "1"
    assert first.is_success
    assert shown(await send(alice)) == shown(first)


@pytest.mark.spec("RETRY-1", "RETRY-3")
async def test_of_many_at_once_one_writes(alice: AsyncClient) -> None:
    async with asyncio.timeout(30):
        answers = await asyncio.gather(*(post(alice) for _ in range(12)))

    made = {answer.content for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert await titles(alice) == ["x"]


@pytest.mark.spec("RETRY-4")
async def test_a_write_that_failed_leaves_its_key_free(alice: AsyncClient) -> None:
    gone = "00000000-0000-0000-0000-000000000001"

    failed = await post(alice, list_id=gone)
    retried = await post(alice)

    assert (failed.status_code, failed.json()["code"]) == (422, "validation_failed")
    assert retried.status_code == 201


@pytest.mark.spec("RETRY-4")
async def test_after_a_day_a_key_is_free_and_forgotten(app: FastAPI, alice: AsyncClient) -> None:
    await post(alice, "old")
    await post(alice, "older")
    age = "UPDATE idempotency_key SET created_at = now() - interval '{}' WHERE user_id = :user_id"

    await sql(app, age.format("23 hours 59 minutes"), alice)
    kept = await post(alice, "old")
    await sql(app, age.format("24 hours 1 second"), alice)
    free = await post(alice, "old", title="new")

    assert (kept.json()["version"], free.status_code) == (1, 201)
    assert await titles(alice) == ["new", "x", "x"]
    left = await sql(app, "SELECT key FROM idempotency_key WHERE user_id = :user_id", alice)
    assert left.scalars().all() == ["old"]


@pytest.mark.spec("RETRY-5")
async def test_a_key_belongs_to_its_user(alice: AsyncClient, mallory: AsyncClient) -> None:
    hers = await post(alice, title="secret")

    theirs = await post(mallory, title="mine")
    repeated = await post(mallory, title="mine")

    assert theirs.json()["title"] == "mine"
    assert shown(repeated) == shown(theirs)
    assert shown(await post(alice, title="secret")) == shown(hers)


@pytest.mark.spec("RETRY-1")
@pytest.mark.parametrize("key", ["", "k" * 256, "\u00e9", "a\tb"])
async def test_what_is_no_key_names_its_header(alice: AsyncClient, key: str) -> None:
    response = await alice.post(
        TASKS, json={"title": "x"}, headers=[(b"Idempotency-Key", key.encode("latin-1"))]
    )

    assert response.status_code == 422
    assert response.json()["errors"][0]["header"] == "Idempotency-Key"
    assert (await post(alice, "k" * 255)).status_code == 201


@pytest.mark.spec("RETRY-1")
async def test_a_key_that_the_release_before_recurrence_kept_is_still_good(
    app: FastAPI, alice: AsyncClient
) -> None:
    first = await post(alice)
    body = (
        '{"title":"x","description":null,"completed":false,"priority":"none","due_on":null,'
        '"due_at":null,"time_zone":null,"start_at":null,"reminders":[],"tags":[],"list_id":null,'
        '"parent_id":null}'
    )
    await sql(
        app,
        "UPDATE idempotency_key SET body_hash = sha256(convert_to(:body, 'UTF8'))"
        " WHERE user_id = :user_id",
        alice,
        body=body,
    )

    assert shown(await post(alice)) == shown(first)


@pytest.mark.spec("RETRY-2")
async def test_a_key_used_without_a_rule_is_not_good_with_one(alice: AsyncClient) -> None:
    await post(alice, due_on="2126-11-25")

    with_rule = await post(alice, due_on="2126-11-25", recurrence="FREQ=DAILY")

    assert (with_rule.status_code, with_rule.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.spec("RETRY-7")
async def test_a_list_is_made_once_under_a_key(alice: AsyncClient) -> None:
    first = await send_list(alice, colour="#AABBCC")
    await alice.patch(first.headers["location"], json={"name": "changed"})
    again = await send_list(alice, colour="#aabbcc", archived=False)
    other = await send_list(alice, name="other")
    task = await post(alice)

    assert (first.status_code, first.headers["etag"]) == (201, '"1"')
    assert shown(again) == shown(first)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (task.status_code, task.json()["version"]) == (201, 3)
    assert len((await alice.get("/api/v1/lists")).json()["items"]) == 1


@pytest.mark.spec("RETRY-7")
@pytest.mark.parametrize("atomic", [True, False])
async def test_a_batch_is_carried_out_once_under_a_key(alice: AsyncClient, atomic: bool) -> None:
    task = (await post(alice, "other")).json()
    patch = {"op": "update", "id": task["id"], "patch": {"title": "changed"}}
    stale = {"op": "complete", "id": task["id"], "if_match": '"1"'}
    more = [patch] if atomic else [patch, stale]

    first = await send_batch(alice, *more, atomic=atomic)
    await alice.delete(f"{TASKS}/{task['id']}")
    again = await send_batch(alice, *more, atomic=atomic)
    other = await send_batch(alice, atomic=atomic)

    statuses = [result["status"] for result in first.json()["results"]]
    assert statuses == ([201, 200] if atomic else [201, 200, 412])
    assert shown(again) == shown(first)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await titles(alice) == ["x"]


@pytest.mark.spec("RETRY-7")
@pytest.mark.parametrize("atomic", [True, False])
async def test_a_batch_that_wrote_nothing_leaves_its_key_free(
    alice: AsyncClient, atomic: bool
) -> None:
    gone = {"op": "complete", "id": "00000000-0000-0000-0000-000000000001"}
    body = {"atomic": atomic, "operations": [gone]}

    failed = await alice.post("/api/v1/batch", json=body, headers={"Idempotency-Key": "k"})
    retried = await send_batch(alice, atomic=atomic)

    assert failed.status_code == (404 if atomic else 200)
    assert retried.json()["results"][0]["status"] == 201
