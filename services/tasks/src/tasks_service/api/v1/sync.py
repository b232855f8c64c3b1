"""`/api/v1/sync`."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from service_kit.errors import problem
from service_kit.identity import InvalidIdentityError
from tasks_service.api.answers import json_answer
from tasks_service.dependencies.identity import CurrentUserId
from tasks_service.dependencies.resources import ReadSession
from tasks_service.dependencies.strict_route import StrictRoute
from tasks_service.errors import (
    DatabaseUnavailableError,
    InvalidCursorError,
    ResyncRequiredError,
)
from tasks_service.schemas.sync import SyncPage, SyncQuery
from tasks_service.services import sync as sync_service

router = APIRouter(
    prefix="/api/v1/sync",
    tags=["sync"],
    route_class=StrictRoute,
    responses=problem(InvalidIdentityError, DatabaseUnavailableError),
)


@router.get("", response_model=SyncPage, responses=problem(InvalidCursorError, ResyncRequiredError))
async def sync(
    query: Annotated[SyncQuery, Query()], user_id: CurrentUserId, session: ReadSession
) -> Response:
    """Tell what of the caller's changed since a cursor, or all there is, a page at a time."""
    return json_answer(await sync_service.sync(session, user_id, query))
