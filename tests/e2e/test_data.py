"""A user's data taken out, brought in elsewhere and removed, through the whole system."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest
from httpx import AsyncClient
from icalendar import Calendar

from devkit.stack import Stack

TASKS, EXPORT, IMPORT = "/api/v1/tasks", "/api/v1/export", "/api/v1/import"
ACCOUNT = "/api/v1/account"
CSV = {"Content-Type": "text/csv"}
LIMIT = 10 * 1024 * 1024
PIECE = b"title," * 11_000

Connect = Callable[[str, Mapping[str, str]], Awaitable[AsyncClient]]


async def _fill(user: AsyncClient) -> None:
    home = await user.post("/api/v1/lists", json={"name": "Home"})
    parent = {"title": "Write to Ada", "tags": ["post"], "list_id": home.json()["id"]}
    created = await user.post(TASKS, json=parent)
    await user.post(TASKS, json={"title": "=1+1", "parent_id": created.json()["id"]})
    daily = {"title": "daily", "due_on": "2026-11-25", "recurrence": "FREQ=DAILY"}
    recurring = await user.post(TASKS, json=daily)
    await user.post(f"{TASKS}/{recurring.json()['id']}/complete")
    trashed = await user.post(TASKS, json={"title": "in the trash"})
    await user.delete(f"{TASKS}/{trashed.json()['id']}")


async def _export(user: AsyncClient) -> Any:
    return (await user.get(EXPORT)).json()


def _lasting(document: Any) -> Any:
    """Return an export without what an import stamps anew."""
    stamped = {"version", "updated_at"}
    return {
        name: [{key: row[key] for key in row if key not in stamped} for row in rows]
        for name, rows in document.items()
        if isinstance(rows, list)
    }


@pytest.mark.spec("DATA-3", "DATA-6", "DATA-8", "DATA-10")
async def test_an_account_moves_to_another_user_whole(
    alice: AsyncClient, mallory: AsyncClient
) -> None:
    await _fill(alice)
    exported = await _export(alice)

    imported = await mallory.post(IMPORT, json=exported)

    assert imported.json() == {"lists": 1, "tags": 1, "tasks": 4, "completions": 1}
    assert _lasting(await _export(mallory)) == _lasting(exported)
    calendar: Any = Calendar.from_ical((await mallory.get(EXPORT, params={"format": "ics"})).text)
    assert len(calendar.walk("VTODO")) == 3


@pytest.mark.spec("DATA-2", "DATA-9", "DATA-14")
async def test_a_file_of_several_mebibytes_goes_in_and_comes_out(alice: AsyncClient) -> None:
    lines = [f"task {number},{'d' * 9_000}" for number in range(800)]
    content = "\r\n".join(["title,description", *lines]).encode()

    imported = await alice.post(IMPORT, content=content, headers=CSV)
    exported = await _export(alice)
    refused = await alice.post(IMPORT, content=content + b"\r\n,no title", headers=CSV)

    assert imported.json()["tasks"] == 800
    assert {len(task["description"]) for task in exported["tasks"]} == {9_000}
    assert [(e["line"], e["field"]) for e in refused.json()["errors"]] == [(802, "title")]
    assert len((await _export(alice))["tasks"]) == 800


@pytest.mark.spec("DATA-25")
async def test_readers_who_stop_keep_nobody_else_from_an_export(
    alice: AsyncClient, mallory: AsyncClient
) -> None:
    # More than all buffers on the way hold.
    lines = "".join(f"task {number},{'d' * 9_900}\r\n" for number in range(1000))
    for _ in range(3):
        await alice.post(IMPORT, content=f"title,description\r\n{lines}", headers=CSV)
    async with alice.stream("GET", EXPORT) as stopped:
        seconds = [await alice.get(EXPORT) for _ in range(4)]
        theirs = await mallory.get(EXPORT)

    assert stopped.status_code == 200
    assert {(one.status_code, one.json()["code"]) for one in seconds} == {(429, "export_running")}
    assert theirs.status_code == 200


@pytest.mark.spec("GW-13", "DATA-14")
@pytest.mark.parametrize("chunked", [True, False])
async def test_a_file_over_ten_mebibytes_is_refused(alice: AsyncClient, chunked: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(LIMIT // len(PIECE) + 1):
            yield PIECE

    content = pieces() if chunked else b"x" * (LIMIT + 1)
    answer = await alice.post(IMPORT, content=content, headers=CSV)

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.spec("DATA-19", "DATA-20", "DATA-21")
async def test_a_removed_account_is_empty_for_who_signs_in_anew(
    stack: Stack, connect: Connect, alice: AsyncClient, alice_id: str
) -> None:
    await _fill(alice)
    other = await connect(stack.url, stack.headers(alice_id))
    await other.get(TASKS)

    unconfirmed = await alice.delete(ACCOUNT)
    removed = await alice.delete(ACCOUNT, headers={"X-Confirm": "delete"})
    refused = [await client.get(TASKS) for client in (alice, other)]
    token = stack.token(alice_id, iat=int(time.time()) + 2)
    anew = await connect(stack.url, {"Authorization": f"Bearer {token}"})
    document = await _export(anew)

    assert (unconfirmed.status_code, removed.status_code) == (428, 204)
    assert [answer.json()["code"] for answer in refused] == ["token_revoked"] * 2
    assert not any(rows for rows in document.values() if isinstance(rows, list))
