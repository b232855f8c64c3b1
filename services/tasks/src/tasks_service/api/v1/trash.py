"""`/api/v1/trash`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from service_kit.errors import ValidationFailedError, problem
from service_kit.identity import InvalidIdentityError
from tasks_service.api.answers import json_answer
from tasks_service.api.other_methods import refuse_other_methods
from tasks_service.dependencies.identity import CurrentUserId
from tasks_service.dependencies.resources import Cursors, DatabaseSession, ReadSession
from tasks_service.dependencies.strict_route import StrictRoute
from tasks_service.errors import (
    DatabaseUnavailableError,
    InvalidCursorError,
    ListNotFoundError,
    ResyncRequiredError,
    TaskNotFoundError,
)
from tasks_service.schemas.list import ListPage
from tasks_service.schemas.query import PageQuery
from tasks_service.schemas.task import TaskPage
from tasks_service.services import trash as trash_service

router = APIRouter(
    prefix="/api/v1/trash",
    tags=["trash"],
    route_class=StrictRoute,
    responses=problem(InvalidIdentityError, DatabaseUnavailableError),
)


@router.get("", response_model=TaskPage, responses=problem(InvalidCursorError, ResyncRequiredError))
async def list_trash(
    query: Annotated[PageQuery, Query()],
    user_id: CurrentUserId,
    session: ReadSession,
    cursors: Cursors,
) -> Response:
    """List the caller's tasks in the trash, deleted last first."""
    return json_answer(await trash_service.list_deleted_tasks(session, user_id, query, cursors))


@router.delete("", status_code=204, responses=problem(ValidationFailedError))
async def empty_trash(user_id: CurrentUserId, session: DatabaseSession) -> None:
    """Remove everything in the trash for good."""
    await trash_service.empty_trash(session, user_id)


@router.get(
    "/lists", response_model=ListPage, responses=problem(InvalidCursorError, ResyncRequiredError)
)
async def list_deleted_lists(
    query: Annotated[PageQuery, Query()],
    user_id: CurrentUserId,
    session: ReadSession,
    cursors: Cursors,
) -> Response:
    """List the caller's lists in the trash, deleted last first."""
    return json_answer(await trash_service.list_deleted_lists(session, user_id, query, cursors))


refuse_other_methods(router, "/lists", "GET")


@router.delete("/lists/{list_id}", status_code=204, responses=problem(ListNotFoundError))
async def purge_list(list_id: UUID, user_id: CurrentUserId, session: DatabaseSession) -> None:
    """Remove a list in the trash for good, with every task that is still in it."""
    await trash_service.purge_list(session, user_id, list_id)


@router.delete("/{task_id}", status_code=204, responses=problem(TaskNotFoundError))
async def purge_task(task_id: UUID, user_id: CurrentUserId, session: DatabaseSession) -> None:
    """Remove a task in the trash and the subtasks under it for good."""
    await trash_service.purge_task(session, user_id, task_id)
