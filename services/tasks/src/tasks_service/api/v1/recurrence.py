"""`/api/v1/recurrence`."""

from fastapi import APIRouter, Response

from service_kit.errors import MalformedJsonError, problem
from service_kit.identity import InvalidIdentityError
from tasks_service.api.answers import json_answer
from tasks_service.dependencies.strict_route import StrictRoute
from tasks_service.errors import UnsupportedMediaTypeError
from tasks_service.schemas.recurrence import RecurrencePreview, RecurrencePreviewRequest
from tasks_service.services import recurrence as recurrence_service

router = APIRouter(
    prefix="/api/v1/recurrence",
    tags=["recurrence"],
    route_class=StrictRoute,
    responses=problem(InvalidIdentityError),
)


@router.post(
    "/preview",
    response_model=RecurrencePreview,
    responses=problem(MalformedJsonError, UnsupportedMediaTypeError),
)
async def preview_recurrence(preview: RecurrencePreviewRequest) -> Response:
    """Show when a task with this rule and due would be due; nothing is stored."""
    return json_answer(recurrence_service.preview_recurrence(preview))
