"""The least that listing and getting tasks can cost in Python: FastAPI, asyncpg, JSON by hand.

It believes `X-User-Id`, checks nothing, and knows one list and one task.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote
from uuid import UUID

import asyncpg
import msgspec
from fastapi import APIRouter, FastAPI, Request, Response

_PRIORITIES = ("none", "low", "medium", "high", "urgent")
_COLUMNS = """
id, title, description, completed_at IS NOT NULL AS completed, completed_at, priority, due_on,
due_at, time_zone, start_at, reminders, recurrence, recurrence_from, tags, list_id, parent_id,
position, version, created_at, updated_at, deleted_at
"""
_LIST = f"""
SELECT {_COLUMNS} FROM task WHERE user_id = $1 AND deleted_at IS NULL
ORDER BY created_at DESC, id DESC LIMIT $2
"""  # noqa: S608 - put together from constants
_GET = f"SELECT {_COLUMNS} FROM task WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL"  # noqa: S608 - as above
_to_json = msgspec.json.Encoder().encode


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=10, max_size=10) as pool:
        app.state.pool = pool
        yield


router = APIRouter()


@router.get("/healthz")
async def get_health() -> Response:
    """Tell that the process is alive."""
    return Response()


@router.get("/api/v1/tasks")
async def list_tasks(request: Request, limit: int) -> Response:
    """List the newest tasks."""
    rows = await request.app.state.pool.fetch(_LIST, _user_id(request), limit)
    return _answer({"items": [_task(row) for row in rows], "next_cursor": None})


@router.get("/api/v1/tasks/{task_id}")
async def get_task(request: Request, task_id: UUID) -> Response:
    """Get one task."""
    row = await request.app.state.pool.fetchrow(_GET, _user_id(request), task_id)
    return _answer(_task(row))


def create_app() -> FastAPI:
    """Build the app; it reads `DATABASE_URL`."""
    app = FastAPI(lifespan=_lifespan)
    app.include_router(router)
    return app


def _user_id(request: Request) -> str:
    return unquote(request.headers["x-user-id"])


def _task(row: asyncpg.Record) -> dict[str, object]:
    task = dict(row)
    task["priority"] = _PRIORITIES[task["priority"]]
    return task


def _answer(body: dict[str, object]) -> Response:
    return Response(_to_json(body), media_type="application/json")
