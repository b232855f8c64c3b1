"""`/api/v1/stats`."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from service_kit.errors import problem
from service_kit.identity import InvalidIdentityError
from tasks_service.api.answers import json_answer
from tasks_service.dependencies.identity import CurrentUserId
from tasks_service.dependencies.resources import DatabaseReads
from tasks_service.dependencies.strict_route import StrictRoute
from tasks_service.errors import DatabaseUnavailableError, InvalidCursorError, ResyncRequiredError
from tasks_service.schemas.stats import Stats, StatsQuery
from tasks_service.services import stats as stats_service

router = APIRouter(
    prefix="/api/v1/stats",
    tags=["stats"],
    route_class=StrictRoute,
    responses=problem(InvalidIdentityError, DatabaseUnavailableError),
)


@router.get("", response_model=Stats, responses=problem(InvalidCursorError, ResyncRequiredError))
async def get_stats(
    query: Annotated[StatsQuery, Query()], user_id: CurrentUserId, reads: DatabaseReads
) -> Response:
    """Count the caller's tasks."""
    return json_answer(await stats_service.get_stats(reads, user_id, query))
