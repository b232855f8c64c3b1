from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from sqlalchemy import event, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from tasks_service.dependencies.resources import Resources
from tasks_service.schemas.task import Sort
from tasks_service.services.task_query import TaskFilter, select_tasks

TASKS = "/api/v1/tasks"
COLUMNS: dict[Sort, str] = {
    "created_at": "created_at",
    "-created_at": "created_at",
    "updated_at": "updated_at",
    "-updated_at": "updated_at",
    "due": "due_ascending",
    "-due": "due_descending",
    "priority": "priority",
    "-priority": "priority",
    "title": "title_key",
    "-title": "title_key",
}


@contextmanager
def counted(app: FastAPI) -> Iterator[list[str]]:
    """Collect the statements sent to the database, BEGIN and COMMIT left out."""
    engine = app.state.resources.database.engine.sync_engine
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    ("request_line", "body", "statements"),
    [
        ("GET /api/v1/tasks", None, 1),
        ("POST /api/v1/tasks", {"title": "x"}, 2),
        ("GET /api/v1/tasks/{id}", None, 1),
        ("PATCH /api/v1/tasks/{id}", {"title": "y"}, 3),
        ("DELETE /api/v1/tasks/{id}", None, 3),
        ("POST /api/v1/tasks/{id}/complete", None, 3),
        ("GET /api/tasks", None, 1),
    ],
)
async def test_each_endpoint_costs_so_many_statements(
    app: FastAPI, alice: AsyncClient, request_line: str, body: Any, statements: int
) -> None:
    task = (await alice.post(TASKS, json={"title": "x"})).json()

    method, path = request_line.split()

    with counted(app) as sent:
        response = await alice.request(method, path.format(id=task["id"]), json=body)

    assert response.is_success
    assert len(sent) == statements


@pytest.fixture
async def connection(app: FastAPI) -> AsyncIterator[AsyncConnection]:
    """Give a transaction that sees many tasks of a few users, and is rolled back."""
    resources: Resources = app.state.resources
    async with resources.database.engine.connect() as connection:
        await connection.execute(
            text(
                "INSERT INTO account SELECT 'reader-' || n, 0, now(), now()"
                " FROM generate_series(1, 20) n"
            )
        )
        await connection.execute(
            text(
                "INSERT INTO task (user_id, id, title, priority, tags, tag_keys, version,"
                " created_at, updated_at, due_on)"
                " SELECT 'reader-' || (n % 20 + 1), gen_random_uuid(), 'task ' || n, n % 5,"
                " '{}', '{}', n, now() - n * interval '1 s', now() - n * interval '1 s',"
                " CASE WHEN n % 2 = 0 THEN date '2026-01-01' + n % 300 END"
                " FROM generate_series(1, 8000) n"
            )
        )
        await connection.execute(text("ANALYZE task"))
        yield connection


@pytest.mark.spec("TASK-17", "TASK-19")
async def test_each_sort_reads_its_index_in_order(connection: AsyncConnection) -> None:
    plans = {}
    for sort in COLUMNS:
        statement = select_tasks("reader-3", TaskFilter(), sort).limit(51)
        compiled = statement.compile(
            dialect=postgresql.dialect(),  # type: ignore[no-untyped-call]  # SQLAlchemy's
            compile_kwargs={"literal_binds": True},
        )
        lines = await connection.execute(text(f"EXPLAIN {compiled}"))
        plans[sort] = "\n".join(line for (line,) in lines)

    for sort, plan in plans.items():
        assert f"ix_task_user_id_{COLUMNS[sort]}" in plan
        assert "Seq Scan" not in plan
        assert "Sort" not in plan
