import asyncio
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from sqlalchemy import text

from tasks_service.models import metadata
from tasks_service.services import account

ACCOUNT = "/api/v1/account"
TASKS = "/api/v1/tasks"
CONFIRMED = {"X-Confirm": "delete"}


async def fill(user: AsyncClient) -> None:
    """Give a user a row in every table, and some in the trash."""
    await user.post("/api/v1/lists", json={"name": "Errands"})
    gone = (await user.post("/api/v1/lists", json={"name": "Gone"})).json()["id"]
    await user.post(TASKS, json={"title": "trashed", "list_id": gone})
    await user.delete(f"/api/v1/lists/{gone}")
    daily = {"title": "x", "tags": ["a"], "due_on": "2026-11-25", "recurrence": "FREQ=DAILY"}
    task = (await user.post(TASKS, json=daily, headers={"Idempotency-Key": "k"})).json()["id"]
    await user.post(f"{TASKS}/{task}/complete")
    for _ in range(3):
        await user.post(TASKS, json={"title": "child", "parent_id": task})


async def rows_of(app: FastAPI, user: AsyncClient) -> dict[str, int]:
    """Count the rows of a user in every table there is."""
    counts = {}
    async with app.state.resources.database.engine.connect() as connection:
        for table in metadata.tables:
            counted = text(f"SELECT count(*) FROM {table} WHERE user_id = :user_id")  # noqa: S608
            of_user = {"user_id": user.headers["X-User-Id"]}
            counts[table] = (await connection.execute(counted, of_user)).scalar_one()
    return counts


async def export(user: AsyncClient) -> Any:
    document = (await user.get("/api/v1/export")).json()
    document.pop("exported_at")
    return document


@pytest.mark.spec("DATA-19", "DATA-21")
async def test_removing_an_account_leaves_no_row_of_its_user_and_every_row_of_others(
    app: FastAPI, alice: AsyncClient, mallory: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "_AT_ONCE", 2)
    await asyncio.gather(fill(alice), fill(mallory))
    before, hers = await rows_of(app, alice), await export(alice)

    response = await mallory.delete(ACCOUNT, headers=CONFIRMED)

    assert (response.status_code, response.content) == (204, b"")
    assert set((await rows_of(app, mallory)).values()) == {0}
    assert min(before.values()) > 0
    assert await rows_of(app, alice) == before
    assert await export(alice) == hers


@pytest.mark.spec("DATA-19", "DATA-21")
async def test_who_comes_back_has_an_empty_account(alice: AsyncClient) -> None:
    await fill(alice)
    await alice.delete(ACCOUNT, headers=CONFIRMED)

    again = await alice.delete(ACCOUNT, headers=CONFIRMED)
    created = await alice.post(TASKS, json={"title": "x"}, headers={"Idempotency-Key": "k"})

    assert again.status_code == 204
    assert created.json()["version"] == 1
    document = await export(alice)
    assert [task["id"] for task in document["tasks"]] == [created.json()["id"]]
    assert (document["lists"], document["tags"], document["completions"]) == ([], [], [])


@pytest.mark.spec("DATA-19")
@pytest.mark.parametrize("headers", [{}, {"X-Confirm": ""}, {"X-Confirm": "yes"}])
async def test_without_the_word_nothing_is_removed(
    app: FastAPI, alice: AsyncClient, headers: dict[str, str]
) -> None:
    await fill(alice)
    before = await rows_of(app, alice)

    response = await alice.delete(ACCOUNT, headers=headers)

    assert (response.status_code, response.json()["code"]) == (428, "confirmation_required")
    assert await rows_of(app, alice) == before
