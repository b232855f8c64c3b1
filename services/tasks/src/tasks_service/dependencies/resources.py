"""What the running service holds for its requests, made when it starts."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from fastapi import Depends, Header, Request
from sqlalchemy.ext.asyncio import AsyncSession

from tasks_service.database import Database
from tasks_service.export_sessions import ExportSessions
from tasks_service.reads import Reads
from tasks_service.services.account import Writes, writes_of
from tasks_service.services.cursor import CursorSealer
from tasks_service.services.events import Events


@dataclass(frozen=True)
class Resources:
    """The database, the keys that prove who is calling, and the open streams."""

    database: Database
    identity_keys: Sequence[bytes]
    cursors: CursorSealer
    events: Events


def resources(request: Request) -> Resources:
    """Return what the service was started with."""
    found: Resources = request.app.state.resources
    return found


class Writing(NamedTuple):
    """What a request writes, and the client that it says it is from."""

    writes: Writes
    client_id: str | None


ClientId = Annotated[
    str | None,
    Header(
        alias="X-Client-Id",
        pattern=r"^[A-Za-z0-9._:-]{1,64}$",
        description="Of the caller's choice, for the events that this write makes.",
    ),
]


async def _session(request: Request, client_id: ClientId = None) -> AsyncIterator[AsyncSession]:
    database = resources(request).database
    async with database.turns, database.sessions() as session:
        request.state.writing = Writing(writes_of(session), client_id)
        yield session


def writing_for(request: Request) -> Writing | None:
    """Return what was written for a request, None if nothing can have been."""
    return getattr(request.state, "writing", None)


async def _read_session(request: Request) -> AsyncIterator[AsyncSession]:
    database = resources(request).database
    async with database.turns, database.read_sessions() as session:
        yield session


async def _export_sessions(request: Request) -> ExportSessions:
    return resources(request).database.export_sessions


def _events(request: Request) -> Events:
    return resources(request).events


async def _reads(request: Request) -> Reads:
    return resources(request).database.reads


async def _cursors(request: Request) -> CursorSealer:
    return resources(request).cursors


# Of the scope "function", so that the connection is free again before the answer is sent.
DatabaseSession = Annotated[AsyncSession, Depends(_session, scope="function")]
DatabaseReads = Annotated[Reads, Depends(_reads)]
ReadSession = Annotated[AsyncSession, Depends(_read_session, scope="function")]
Exports = Annotated[ExportSessions, Depends(_export_sessions)]
OpenEvents = Annotated[Events, Depends(_events)]
Cursors = Annotated[CursorSealer, Depends(_cursors)]
