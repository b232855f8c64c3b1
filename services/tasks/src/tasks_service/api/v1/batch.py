"""`/api/v1/batch`."""

from fastapi import APIRouter, Response

from service_kit.errors import MalformedJsonError, ValidationFailedError, problem
from service_kit.identity import InvalidIdentityError
from tasks_service.api.answers import text_answer
from tasks_service.api.cost import costing
from tasks_service.dependencies.identity import CurrentUserId
from tasks_service.dependencies.preconditions import IdempotencyKey
from tasks_service.dependencies.resources import DatabaseSession
from tasks_service.dependencies.strict_route import StrictRoute
from tasks_service.errors import (
    DatabaseUnavailableError,
    IdempotencyKeyInUseError,
    IdempotencyKeyReusedError,
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
        IdempotencyKeyReusedError,
        IdempotencyKeyInUseError,
        TaskNotFoundError,
        PreconditionFailedError,
        NotRecurringError,
        MalformedJsonError,
        UnsupportedMediaTypeError,
    ),
)
async def run_batch(
    batch: Batch,
    user_id: CurrentUserId,
    session: DatabaseSession,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Carry out many writes in order, each by itself or, if atomic, all or none.

    With an Idempotency-Key they are carried out once, however often it is asked.
    """
    with costing(len(batch.operations)) as cost:
        result = await batch_service.run_batch_once(session, user_id, batch, idempotency_key)
        return text_answer(result, headers=cost)
