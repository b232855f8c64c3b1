"""Everything a user has, as a file that is made while it is read."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from service_kit.clock import utc_now
from tasks_service.export_sessions import ExportSessions
from tasks_service.schemas.export import (
    DOCUMENT_VERSION,
    ExportedCompletion,
    ExportedTag,
    ExportedTask,
    ExportFormat,
)
from tasks_service.schemas.list import ListRead
from tasks_service.services.export_csv import csv_head, csv_rows
from tasks_service.services.export_ics import ICS_END, ICS_HEAD, ics_tasks, ics_zones
from tasks_service.services.export_pages import pages
from tasks_service.services.export_rows import (
    exported_completions,
    exported_tags,
    exported_tasks,
    exported_tasks_in_lists,
    live_tasks,
    zones_of_live_tasks,
)
from tasks_service.services.list_rows import all_lists

_NEXT = ",\n"
# The members of the document, what is in them, and each one's shape.
_MEMBERS: dict[str, tuple[Callable[[str], Select[*tuple[Any, ...]]], type[BaseModel]]] = {
    "lists": (all_lists, ListRead),
    "tags": (exported_tags, ExportedTag),
    "tasks": (exported_tasks, ExportedTask),
    "completions": (exported_completions, ExportedCompletion),
}


async def export_data(
    sessions: ExportSessions, user_id: str, kind: ExportFormat
) -> AsyncGenerator[bytes]:
    """Yield a file piece by piece, each made when the one before has been taken.

    Raises `ExportRunningError` and `OverloadedError`, before the first piece.
    """
    # Begun and ended here, so that the user's next export may begin when this file has its end.
    async with sessions.session_of(user_id) as session, session.begin():
        # Before the first piece: an export that cannot start is an error, not a file cut short.
        await session.connection()
        async for piece in _FILES[kind](session, user_id):
            yield piece


async def _json(session: AsyncSession, user_id: str) -> AsyncGenerator[bytes]:
    separator = f'{{"taskgate":{DOCUMENT_VERSION},"exported_at":"{utc_now():%Y-%m-%dT%H:%M:%SZ}",'
    for name, (rows_of, shape) in _MEMBERS.items():
        separator += f'"{name}":[\n'
        async for rows in pages(session, rows_of(user_id)):
            items = (shape.model_validate(row).model_dump_json() for row in rows)
            yield (separator + _NEXT.join(items)).encode()
            separator = _NEXT
        separator = separator.removesuffix(_NEXT) + "],"
    yield (separator.removesuffix(",") + "}\n").encode()


async def _csv(session: AsyncSession, user_id: str) -> AsyncGenerator[bytes]:
    yield csv_head()
    async for rows in pages(session, exported_tasks_in_lists(user_id)):
        yield csv_rows((ExportedTask.model_validate(row), row.list) for row in rows)


async def _ics(session: AsyncSession, user_id: str) -> AsyncGenerator[bytes]:
    yield ICS_HEAD
    zones = (await session.scalars(zones_of_live_tasks(user_id))).all()
    if zones:
        # In a thread, as what follows: the library takes a millisecond or two for each task.
        yield await asyncio.to_thread(ics_zones, zones)
    async for rows in pages(session, live_tasks(user_id)):
        tasks: Iterator[ExportedTask] = map(ExportedTask.model_validate, rows)
        yield await asyncio.to_thread(ics_tasks, tasks)
    yield ICS_END


_FILES: dict[ExportFormat, Callable[[AsyncSession, str], AsyncGenerator[bytes]]] = {
    "json": _json,
    "csv": _csv,
    "ics": _ics,
}
