"""`/api/v1/export`."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from service_kit.errors import problem
from service_kit.identity import InvalidIdentityError
from service_kit.shedding import OverloadedError
from tasks_service.api.answers import file_answer
from tasks_service.dependencies.identity import CurrentUserId
from tasks_service.dependencies.resources import Exports
from tasks_service.dependencies.strict_route import StrictRoute
from tasks_service.errors import DatabaseUnavailableError, ExportRunningError
from tasks_service.schemas.export import ExportDocument, ExportQuery
from tasks_service.services import export as export_service

_TEXT = {"schema": {"type": "string"}}

router = APIRouter(
    prefix="/api/v1/export",
    tags=["data"],
    route_class=StrictRoute,
    responses=problem(
        InvalidIdentityError, DatabaseUnavailableError, OverloadedError, ExportRunningError
    ),
)


@router.get(
    "",
    response_model=ExportDocument,
    responses={200: {"content": {"text/csv": _TEXT, "text/calendar": _TEXT}}},
)
async def export_data(
    query: Annotated[ExportQuery, Query()], user_id: CurrentUserId, sessions: Exports
) -> Response:
    """Give the caller everything they have, as a file: as of one instant, and streamed."""
    chunks = export_service.export_data(sessions, user_id, query.format)
    return await file_answer(chunks, query.format)
