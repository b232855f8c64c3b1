"""`/api/v1/batch`."""

from fastapi import APIRouter, Response

from service_kit.errors import MalformedJsonError, ValidationFailedError, problem
from service_kit.identity import InvalidIdentityError
from tasks_service.api.answers import json_answer
from tasks_service.api.cost import costing
from tasks_service.dependencies.identity import CurrentUserId
from tasks_service.dependencies.resources import DatabaseSession
from tasks_service.dependencies.strict_route import StrictRoute
from tasks_service.errors import (
    DatabaseUnavailableError,
    NotRecurringError,
    PreconditionFailedError,
    TaskNotFoundError,
    UnsupportedMediaTypeError,
)
from tasks_service.schemas.batch import Batch, BatchResult
from tasks_service.services import batch as batch_service

router = APIRouter(
    prefix="/api/v1/batch",
    tags=["batch"],
    route_class=StrictRoute,
    responses=problem(InvalidIdentityError, DatabaseUnavailableError),
)


@router.post(
    "",
    response_model=BatchResult,
    responses=problem(
        ValidationFailedError,
        TaskNotFoundError,
        PreconditionFailedError,
        NotRecurringError,
        MalformedJsonError,
        UnsupportedMediaTypeError,
    ),
)
async def run_batch(batch: Batch, user_id: CurrentUserId, session: DatabaseSession) -> Response:
    """Carry out many writes in order, each by itself or, if atomic, all or none."""
    with costing(len(batch.operations)) as cost:
        return json_answer(await batch_service.run_batch(session, user_id, batch), headers=cost)
