"""What the running service holds for its requests, made when it starts."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from tasks_service.database import Database
from tasks_service.reads import Reads
from tasks_service.services.account import Writes, writes_of
from tasks_service.services.cursor import CursorSealer


@dataclass(frozen=True)
class Resources:
    """The database, and the keys that prove who is calling."""

    database: Database
    identity_keys: Sequence[bytes]
    cursors: CursorSealer


def resources(request: Request) -> Resources:
    """Return what the service was started with."""
    found: Resources = request.app.state.resources
    return found


async def _session(request: Request) -> AsyncIterator[AsyncSession]:
    database = resources(request).database
    async with database.turns, database.sessions() as session:
        request.state.writes = writes_of(session)
        yield session


def writes_for(request: Request) -> Writes:
    """Return what was written for a request so far."""
    return getattr(request.state, "writes", None) or Writes()


async def _read_session(request: Request) -> AsyncIterator[AsyncSession]:
    database = resources(request).database
    async with database.turns, database.read_sessions() as session:
        yield session


async def _export_session(request: Request) -> AsyncIterator[AsyncSession]:
    async with resources(request).database.export_sessions() as session:
        yield session


async def _reads(request: Request) -> Reads:
    return resources(request).database.reads


async def _cursors(request: Request) -> CursorSealer:
    return resources(request).cursors


# Of the scope "function", so that the connection is free again before the answer is sent.
DatabaseSession = Annotated[AsyncSession, Depends(_session, scope="function")]
DatabaseReads = Annotated[Reads, Depends(_reads)]
ReadSession = Annotated[AsyncSession, Depends(_read_session, scope="function")]
# Of the scope "request": the answer is made from it while it is sent.
ExportSession = Annotated[AsyncSession, Depends(_export_session, scope="request")]
Cursors = Annotated[CursorSealer, Depends(_cursors)]
