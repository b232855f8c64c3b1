"""`/api/v1/tasks`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from service_kit.errors import MalformedJsonError, ValidationFailedError, problem
from service_kit.identity import InvalidIdentityError
from tasks_service.api.answers import json_answer, versioned_answer, written_answer
from tasks_service.dependencies.identity import CurrentUserId
from tasks_service.dependencies.lean import lean
from tasks_service.dependencies.preconditions import (
    IdempotencyKey,
    IfMatch,
    IfNoneMatch,
    PutConditions,
)
from tasks_service.dependencies.resources import (
    Cursors,
    DatabaseReads,
    DatabaseSession,
    ReadSession,
)
from tasks_service.dependencies.strict_route import StrictRoute
from tasks_service.errors import (
    DatabaseUnavailableError,
    IdempotencyKeyInUseError,
    IdempotencyKeyReusedError,
    InvalidCursorError,
    NotRecurringError,
    PreconditionFailedError,
    PreconditionRequiredError,
    ResyncRequiredError,
    TaskNotFoundError,
    UnsupportedMediaTypeError,
)
from tasks_service.schemas.completion import CompletionPage
from tasks_service.schemas.query import PageQuery
from tasks_service.schemas.task import (
    TaskMove,
    TaskPage,
    TaskPatch,
    TaskQuery,
    TaskRead,
    TaskView,
    TaskWrite,
)
from tasks_service.services import completion as completion_service
from tasks_service.services import task as task_service
from tasks_service.services import task_list as task_list_service
from tasks_service.services import trash as trash_service

_PATH = "/api/v1/tasks"
_BODY_ERRORS = (MalformedJsonError, UnsupportedMediaTypeError)

router = APIRouter(
    prefix=_PATH,
    tags=["tasks"],
    route_class=StrictRoute,
    responses=problem(InvalidIdentityError, DatabaseUnavailableError),
)


@router.get(
    "",
    response_model=TaskPage | TaskView,
    responses=problem(InvalidCursorError, ResyncRequiredError),
)
@lean
async def list_tasks(
    query: Annotated[TaskQuery, Query()],
    user_id: CurrentUserId,
    reads: DatabaseReads,
    cursors: Cursors,
) -> Response:
    """List the caller's tasks, or those of a view, a page at a time."""
    return json_answer(await task_list_service.list_tasks(reads, user_id, query, cursors))


@router.post(
    "",
    response_model=TaskRead,
    status_code=201,
    responses=problem(
        ValidationFailedError, IdempotencyKeyReusedError, IdempotencyKeyInUseError, *_BODY_ERRORS
    ),
)
async def create_task(
    task: TaskWrite,
    user_id: CurrentUserId,
    session: DatabaseSession,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Create a task; with an Idempotency-Key once, however often it is asked."""
    created = await task_service.create_task_once(session, user_id, task, idempotency_key)
    return written_answer(created, f"{_PATH}/{created.id}")


@router.get(
    "/{task_id}",
    response_model=TaskRead,
    responses={304: {"description": "The caller has this version."}, **problem(TaskNotFoundError)},
)
@lean
async def get_task(
    task_id: UUID, user_id: CurrentUserId, reads: DatabaseReads, if_none_match: IfNoneMatch
) -> Response:
    """Get one of the caller's tasks."""
    task = await task_service.get_task(reads, user_id, task_id)
    return versioned_answer(task, unless=if_none_match)


@router.put(
    "/{task_id}",
    response_model=TaskRead,
    responses={
        201: {"model": TaskRead, "description": "Created."},
        **problem(
            TaskNotFoundError, PreconditionFailedError, PreconditionRequiredError, *_BODY_ERRORS
        ),
    },
)
async def put_task(
    task_id: UUID,
    task: TaskWrite,
    user_id: CurrentUserId,
    session: DatabaseSession,
    conditions: PutConditions,
) -> Response:
    """Create a task with the caller's id (`If-None-Match: *`), or replace it (`If-Match`)."""
    put = await task_service.put_task(session, user_id, task_id, task, conditions)
    location = f"{_PATH}/{task_id}" if put.created else None
    return versioned_answer(put.task, 201 if put.created else 200, location=location)


@router.patch(
    "/{task_id}",
    response_model=TaskRead,
    responses=problem(TaskNotFoundError, PreconditionFailedError, *_BODY_ERRORS),
)
async def update_task(
    task_id: UUID,
    patch: TaskPatch,
    user_id: CurrentUserId,
    session: DatabaseSession,
    if_match: IfMatch,
) -> Response:
    """Change the fields that are given: what is absent stays, null clears."""
    return versioned_answer(
        await task_service.update_task(session, user_id, task_id, patch, if_match)
    )


@router.delete(
    "/{task_id}", status_code=204, responses=problem(TaskNotFoundError, PreconditionFailedError)
)
async def delete_task(
    task_id: UUID, user_id: CurrentUserId, session: DatabaseSession, if_match: IfMatch
) -> None:
    """Move a task to the trash, with its subtasks."""
    await task_service.delete_task(session, user_id, task_id, if_match)


@router.post(
    "/{task_id}/complete",
    response_model=TaskRead,
    responses=problem(TaskNotFoundError, PreconditionFailedError),
)
async def complete_task(
    task_id: UUID, user_id: CurrentUserId, session: DatabaseSession, if_match: IfMatch
) -> Response:
    """Mark a task as done, which twice keeps the first time; a recurring one gets its next due."""
    return versioned_answer(
        await task_service.set_completed(
            session, user_id, task_id, completed=True, if_match=if_match
        )
    )


@router.post(
    "/{task_id}/reopen",
    response_model=TaskRead,
    responses=problem(TaskNotFoundError, PreconditionFailedError),
)
async def reopen_task(
    task_id: UUID, user_id: CurrentUserId, session: DatabaseSession, if_match: IfMatch
) -> Response:
    """Mark a task as not done."""
    return versioned_answer(
        await task_service.set_completed(
            session, user_id, task_id, completed=False, if_match=if_match
        )
    )


@router.post(
    "/{task_id}/skip",
    response_model=TaskRead,
    responses=problem(TaskNotFoundError, PreconditionFailedError, NotRecurringError),
)
async def skip_task(
    task_id: UUID, user_id: CurrentUserId, session: DatabaseSession, if_match: IfMatch
) -> Response:
    """Give a recurring task its next due without completing it."""
    skipped = await task_service.skip_task(session, user_id, task_id, if_match)
    return versioned_answer(skipped)


@router.get(
    "/{task_id}/completions",
    response_model=CompletionPage,
    responses=problem(TaskNotFoundError, InvalidCursorError, ResyncRequiredError),
)
async def list_completions(
    task_id: UUID,
    query: Annotated[PageQuery, Query()],
    user_id: CurrentUserId,
    session: ReadSession,
    cursors: Cursors,
) -> Response:
    """List when a recurring task was completed, the latest first."""
    page = await completion_service.list_completions(session, user_id, task_id, query, cursors)
    return json_answer(page)


@router.post(
    "/{task_id}/move",
    response_model=TaskRead,
    responses=problem(TaskNotFoundError, PreconditionFailedError, *_BODY_ERRORS),
)
async def move_task(
    task_id: UUID,
    move: TaskMove,
    user_id: CurrentUserId,
    session: DatabaseSession,
    if_match: IfMatch,
) -> Response:
    """Put a task into a list, under a parent, and beside a sibling or behind all."""
    moved = await task_service.move_task(session, user_id, task_id, move, if_match)
    return versioned_answer(moved)


@router.post("/{task_id}/restore", response_model=TaskRead, responses=problem(TaskNotFoundError))
async def restore_task(task_id: UUID, user_id: CurrentUserId, session: DatabaseSession) -> Response:
    """Bring a task back from the trash, with the subtasks that went with it."""
    return versioned_answer(await trash_service.restore_task(session, user_id, task_id))
