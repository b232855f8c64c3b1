"""`/api/v1/events`."""

from typing import Annotated

from fastapi import APIRouter, Header, Query

from service_kit.errors import problem
from service_kit.identity import InvalidIdentityError
from tasks_service.api.event_response import EventResponse
from tasks_service.dependencies.identity import CurrentUserId, TokenEnd
from tasks_service.dependencies.resources import OpenEvents
from tasks_service.dependencies.strict_route import StrictRoute
from tasks_service.errors import (
    DatabaseUnavailableError,
    InvalidCursorError,
    TooManyStreamsError,
)
from tasks_service.schemas.sync import EventsQuery

LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", description="The id of the last event received.")
]

router = APIRouter(
    prefix="/api/v1/events",
    tags=["sync"],
    route_class=StrictRoute,
    responses=problem(InvalidIdentityError, DatabaseUnavailableError),
)


@router.get(
    "",
    status_code=200,
    response_class=EventResponse,
    responses=problem(InvalidCursorError, TooManyStreamsError),
)
async def stream_events(
    query: Annotated[EventsQuery, Query()],
    user_id: CurrentUserId,
    events: OpenEvents,
    token_end: TokenEnd,
    last_event_id: LastEventId = None,
) -> EventResponse:
    """Stream what changes of the caller's, as server-sent events, from a cursor or from now on.

    `change` with `{change, client_id}`, `ready` when all up to now is told, `resync_required` when
    the cursor is too old, and `auth_expiring` before the token ends and the stream with it.
    """
    stream = await events.open(user_id, last_event_id or query.cursor)
    return EventResponse(stream, heartbeat=events.heartbeat, ends_at=token_end)
