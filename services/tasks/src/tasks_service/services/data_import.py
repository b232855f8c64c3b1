"""Taking in what a file holds: read and checked aside, then written all at once."""

import asyncio
from hashlib import sha256

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tasks_service.schemas.data_import import ImportFile, ImportIds, ImportResult
from tasks_service.schemas.written import Written
from tasks_service.services.account import writes_of, writing
from tasks_service.services.idempotency import MANY, KeyedRequest, written_once
from tasks_service.services.import_check import check_rows, give_new_ids
from tasks_service.services.import_csv import read_csv
from tasks_service.services.import_json import read_json
from tasks_service.services.import_rows import Rows
from tasks_service.services.import_write import write_rows

# What is read takes many times the memory of the file.
_AT_ONCE = asyncio.Semaphore(2)
# From so many on the statistics of the tables may be off by enough to matter.
_MANY = 1000


async def import_once(
    session: AsyncSession, user_id: str, file: ImportFile, ids: ImportIds, key: str | None
) -> ImportResult:
    """Add what a file holds to what a user has; under one key once, however often it is asked.

    Raises `MalformedJsonError`, `MalformedCsvError`, `ValidationFailedError`,
    `ImportRefusedError`, `IdempotencyKeyReusedError` and `IdempotencyKeyInUseError`.
    """
    async with _AT_ONCE:
        # In a thread, so that other requests have their turn meanwhile.
        rows = await asyncio.to_thread(_read, file, ids)
        if key is None:
            async with writing(session):
                result = await write_rows(session, user_id, rows)
        else:
            meaning = f"{sha256(file.content).hexdigest()} {file.is_csv} {ids}"
            request = KeyedRequest(user_id, "POST /api/v1/import", key, meaning)
            result = await _write_once(session, request, rows)
        if result.tasks >= _MANY:
            await _tell_planner(session)
        return result


async def _write_once(session: AsyncSession, request: KeyedRequest, rows: Rows) -> ImportResult:
    async def write() -> Written:
        result = await write_rows(session, request.user_id, rows)
        return Written(MANY, writes_of(session).last or 0, result.model_dump_json())

    done = await written_once(session, request, write)
    return ImportResult.model_validate_json(done.json)


async def _tell_planner(session: AsyncSession) -> None:
    # Until PostgreSQL looks by itself, in a minute, it would take the tables for what they were,
    # and in a new one read all of it for each row.
    async with session.begin():
        await session.execute(text("ANALYZE (SKIP_LOCKED) list, tag, task, task_tag, completion"))


def _read(file: ImportFile, ids: ImportIds) -> Rows:
    rows = read_csv(file.content) if file.is_csv else read_json(file.content)
    check_rows(rows)
    if ids == "new":
        give_new_ids(rows)
    return rows
