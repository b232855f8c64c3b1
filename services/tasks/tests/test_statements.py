from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from sqlalchemy import event

from tasks_service.reads import Query, Reads

TASKS = "/api/v1/tasks"
NEW = str(uuid4())
DAILY = {"title": "x", "due_on": "2026-11-25", "recurrence": "FREQ=DAILY"}


@contextmanager
def counted(app: FastAPI) -> Iterator[list[str]]:
    """Collect the statements sent to the database, BEGIN and COMMIT left out."""
    engine = app.state.resources.database.engine.sync_engine
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    rows = Reads.rows

    async def note_and_read(reads: Reads, query: Query, parameters: dict[str, Any]) -> Any:
        statements.append(query.text)
        return await rows(reads, query, parameters)

    event.listen(engine, "before_cursor_execute", note)
    with patch.object(Reads, "rows", note_and_read):
        try:
            yield statements
        finally:
            event.remove(engine, "before_cursor_execute", note)


async def things_to_write_to(user: AsyncClient) -> dict[str, str]:
    """Create a task and lists, live and in the trash; return their ids."""
    made = {}
    for name, path, body in (
        ("id", "tasks", {"title": "x"}),
        ("trashed", "tasks", {"title": "x"}),
        ("first", "tasks", {"title": "x", "tags": ["a", "other"]}),
        ("second", "tasks", {"title": "x"}),
        ("daily", "tasks", DAILY),
        ("list", "lists", {"name": "x"}),
        ("other", "lists", {"name": "x"}),
        ("third", "lists", {"name": "x"}),
        ("gone", "lists", {"name": "x"}),
    ):
        created = await user.post(f"/api/v1/{path}", json=body)
        made[name] = created.json()["id"]
    made["epoch"] = created.headers["x-sync-cursor"].partition(".")[0]
    made["tag"] = (await user.get("/api/v1/tags")).json()["items"][0]["id"]
    await user.delete(f"{TASKS}/{made['trashed']}")
    await user.delete(f"/api/v1/lists/{made['gone']}")
    return made


@pytest.mark.parametrize(
    ("request_line", "body", "statements"),
    [
        ("GET /api/v1/tasks", None, 1),
        ("POST /api/v1/tasks", {"title": "x"}, 2),
        ("GET /api/v1/tasks/{id}", None, 1),
        ("PATCH /api/v1/tasks/{id}", {"title": "y"}, 3),
        ("DELETE /api/v1/tasks/{id}", None, 3),
        ("POST /api/v1/tasks/{id}/complete", None, 3),
        ("POST /api/v1/tasks/{id}/restore", None, 2),
        ("POST /api/v1/tasks", DAILY, 2),
        ("PATCH /api/v1/tasks/{daily}", {"recurrence": "FREQ=WEEKLY"}, 3),
        ("POST /api/v1/tasks/{daily}/complete", None, 5),
        ("POST /api/v1/tasks/{daily}/skip", None, 4),
        ("GET /api/v1/tasks/{daily}/completions", None, 2),
        ("GET /api/tasks", None, 1),
        ("POST /api/v1/tasks", {"title": "x", "list_id": "{list}"}, 3),
        ("POST /api/v1/tasks", {"title": "x", "parent_id": "{id}"}, 3),
        ("PATCH /api/v1/tasks/{id}", {"list_id": "{list}"}, 5),
        ("PATCH /api/v1/tasks/{id}", {"parent_id": "{second}"}, 5),
        ("POST /api/v1/tasks/{id}/move", {}, 3),
        ("POST /api/v1/tasks/{id}/move", {"before_id": "{second}"}, 4),
        ("POST /api/v1/tasks", {"title": "x", "tags": ["a", "b"]}, 2),
        ("GET /api/v1/tasks?tag=a&tag=other", None, 2),
        ("POST /api/v1/batch", {"operations": [{"op": "create", "task": {"title": "x"}}] * 5}, 20),
        ("GET /api/v1/tasks?view=today&time_zone=Europe/Berlin", None, 1),
        ("GET /api/v1/tasks?view=overdue", None, 2),
        ("GET /api/v1/tasks?q=x", None, 2),
        ("GET /api/v1/tasks?count=true&tag=a", None, 3),
        ("GET /api/v1/stats", None, 2),
        ("GET /api/v1/sync", None, 1),
        ("GET /api/v1/sync?cursor={epoch}.2&limit=3", None, 1),
        ("GET /api/v1/tasks?min_cursor={epoch}.2", None, 2),
        ("GET /api/v1/tags", None, 1),
        ("GET /api/v1/tags/{tag}", None, 1),
        ("PATCH /api/v1/tags/{tag}", {"name": "new"}, 6),
        ("PATCH /api/v1/tags/{tag}", {"name": "other"}, 8),
        ("DELETE /api/v1/tags/{tag}", None, 4),
        ("GET /api/v1/lists", None, 1),
        ("POST /api/v1/lists", {"name": "x"}, 2),
        ("GET /api/v1/lists/{list}", None, 1),
        ("PATCH /api/v1/lists/{list}", {"name": "y"}, 3),
        ("POST /api/v1/lists/{list}/move", {}, 3),
        ("POST /api/v1/lists/{list}/move", {"after_id": "{other}"}, 4),
        ("DELETE /api/v1/lists/{list}", None, 4),
        ("DELETE /api/v1/lists/{list}?keep_tasks=true", None, 4),
        ("POST /api/v1/lists/{gone}/restore", None, 4),
        ("GET /api/v1/trash", None, 1),
        ("GET /api/v1/trash/lists", None, 1),
        ("DELETE /api/v1/trash", None, 4),
        ("DELETE /api/v1/trash/{trashed}", None, 2),
        ("DELETE /api/v1/trash/lists/{gone}", None, 2),
        ("POST /api/v1/tasks/{trashed}/restore", None, 5),
        ("POST /api/v1/import", {"tasks": [{"title": "x"}] * 900}, 5),
        (
            "POST /api/v1/import",
            {"tasks": [{"title": "x"}], "lists": [{"id": NEW, "name": "x"}]},
            7,
        ),
        ("DELETE /api/v1/account", None, 3),
    ],
)
async def test_each_endpoint_costs_so_many_statements(
    app: FastAPI, alice: AsyncClient, request_line: str, body: Any, statements: int
) -> None:
    ids = await things_to_write_to(alice)
    method, path = request_line.split()
    filled = {
        name: value.format(**ids) if isinstance(value, str) else value
        for name, value in (body or {}).items()
    }

    with counted(app) as sent:
        response = await alice.request(
            method,
            path.format(**ids),
            json=None if body is None else filled,
            headers={"X-Confirm": "delete"} if path == "/api/v1/account" else None,
        )

    assert response.is_success
    assert len(sent) == statements


@pytest.mark.parametrize(("times", "statements"), [(1, 8), (2, 2)])
async def test_a_create_that_may_be_repeated_costs_so_many_statements(
    app: FastAPI, alice: AsyncClient, times: int, statements: int
) -> None:
    key = {"Idempotency-Key": "k"}
    for _ in range(times - 1):
        await alice.post(TASKS, json={"title": "x"}, headers=key)

    with counted(app) as sent:
        response = await alice.post(TASKS, json={"title": "x"}, headers=key)

    assert response.status_code == 201
    assert len(sent) == statements
