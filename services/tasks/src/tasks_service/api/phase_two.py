"""The Phase II contract: `/api/{user_id}/tasks`, and `/api/tasks` for the caller."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import RootModel
from starlette.convertors import Convertor, register_url_convertor

from service_kit.errors import MalformedJsonError, problem
from service_kit.identity import InvalidIdentityError
from tasks_service.api.answers import json_answer
from tasks_service.dependencies.identity import CurrentUserId
from tasks_service.dependencies.resources import DatabaseReads, DatabaseSession
from tasks_service.dependencies.strict_route import StrictRoute
from tasks_service.errors import (
    DatabaseUnavailableError,
    TaskNotFoundError,
    UnsupportedMediaTypeError,
)
from tasks_service.schemas.phase_two import (
    Completion,
    PhaseTwoPatch,
    PhaseTwoQuery,
    PhaseTwoTask,
    PhaseTwoWrite,
)
from tasks_service.schemas.task import TaskRead
from tasks_service.schemas.task_json import TaskJson
from tasks_service.services import task as task_service
from tasks_service.services import task_list as task_list_service

USER_PREFIX = "/api/{user_id:user}/tasks"
SHORT_PREFIX = "/api/tasks"
_BODY_ERRORS = (MalformedJsonError, UnsupportedMediaTypeError)


class _UserIdConvertor(Convertor[str]):
    """A user id, slashes and line breaks and all, but never the start of `/api/v1/`."""

    regex = "(?!v1/)(?s:.+)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("user", _UserIdConvertor())
PhaseTwoTasks = RootModel[list[PhaseTwoTask]]

router = APIRouter(
    tags=["phase two"],
    route_class=StrictRoute,
    responses=problem(InvalidIdentityError, DatabaseUnavailableError),
)


@router.get("", response_model=list[PhaseTwoTask], name="phase_two_list_tasks")
async def list_tasks(
    query: Annotated[PhaseTwoQuery, Query()], user_id: CurrentUserId, reads: DatabaseReads
) -> Response:
    """List every task of the caller that matches."""
    tasks = await task_list_service.list_every_task(reads, user_id, query)
    return json_answer(PhaseTwoTasks.model_construct([PhaseTwoTask.of(user_id, t) for t in tasks]))


@router.post(
    "",
    response_model=PhaseTwoTask,
    status_code=201,
    responses=problem(*_BODY_ERRORS),
    name="phase_two_create_task",
)
async def create_task(
    task: PhaseTwoWrite, user_id: CurrentUserId, session: DatabaseSession
) -> Response:
    """Create a task."""
    created = await task_service.create_task(session, user_id, task.as_task())
    return _answer(user_id, created, 201)


@router.get(
    "/{task_id}",
    response_model=PhaseTwoTask,
    responses=problem(TaskNotFoundError),
    name="phase_two_get_task",
)
async def get_task(task_id: UUID, user_id: CurrentUserId, reads: DatabaseReads) -> Response:
    """Get one of the caller's tasks."""
    return _answer(user_id, await task_service.get_task(reads, user_id, task_id))


@router.put(
    "/{task_id}",
    response_model=PhaseTwoTask,
    responses=problem(TaskNotFoundError, *_BODY_ERRORS),
    name="phase_two_update_task",
)
async def update_task(
    task_id: UUID, patch: PhaseTwoPatch, user_id: CurrentUserId, session: DatabaseSession
) -> Response:
    """Change the fields that are given; the others stay."""
    updated = await task_service.update_task(session, user_id, task_id, patch.as_patch())
    return _answer(user_id, updated)


@router.delete(
    "/{task_id}",
    status_code=204,
    responses=problem(TaskNotFoundError),
    name="phase_two_delete_task",
)
async def delete_task(task_id: UUID, user_id: CurrentUserId, session: DatabaseSession) -> None:
    """Move a task to the trash."""
    await task_service.delete_task(session, user_id, task_id)


@router.patch(
    "/{task_id}/complete",
    response_model=PhaseTwoTask,
    responses=problem(TaskNotFoundError, *_BODY_ERRORS),
    name="phase_two_complete_task",
)
async def complete_task(
    task_id: UUID,
    user_id: CurrentUserId,
    session: DatabaseSession,
    completion: Completion | None = None,
) -> Response:
    """Mark a task as done or not; without a body, as the opposite of what it is."""
    completed = None if completion is None else completion.completed
    task = await task_service.set_completed(session, user_id, task_id, completed=completed)
    return _answer(user_id, task)


def _answer(user_id: str, task: TaskRead | TaskJson, status_code: int = 200) -> Response:
    return json_answer(PhaseTwoTask.of(user_id, task), status_code)
