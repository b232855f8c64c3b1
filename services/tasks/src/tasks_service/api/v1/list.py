"""`/api/v1/lists`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from service_kit.errors import MalformedJsonError, ValidationFailedError, problem
from service_kit.identity import InvalidIdentityError
from tasks_service.api.answers import json_answer, versioned_answer, written_answer
from tasks_service.dependencies.identity import CurrentUserId
from tasks_service.dependencies.preconditions import IdempotencyKey, IfMatch, IfNoneMatch
from tasks_service.dependencies.resources import Cursors, DatabaseSession, ReadSession
from tasks_service.dependencies.strict_route import StrictRoute
from tasks_service.errors import (
    DatabaseUnavailableError,
    IdempotencyKeyInUseError,
    IdempotencyKeyReusedError,
    InvalidCursorError,
    ListNotFoundError,
    PreconditionFailedError,
    ResyncRequiredError,
    UnsupportedMediaTypeError,
)
from tasks_service.schemas.list import (
    ListDeletion,
    ListMove,
    ListPage,
    ListPatch,
    ListQuery,
    ListRead,
    ListWrite,
)
from tasks_service.services import list as list_service
from tasks_service.services import trash as trash_service

_PATH = "/api/v1/lists"
_BODY_ERRORS = (MalformedJsonError, UnsupportedMediaTypeError)

router = APIRouter(
    prefix=_PATH,
    tags=["lists"],
    route_class=StrictRoute,
    responses=problem(InvalidIdentityError, DatabaseUnavailableError),
)


@router.get("", response_model=ListPage, responses=problem(InvalidCursorError, ResyncRequiredError))
async def list_lists(
    query: Annotated[ListQuery, Query()],
    user_id: CurrentUserId,
    session: ReadSession,
    cursors: Cursors,
) -> Response:
    """List the caller's lists in their order, a page at a time."""
    return json_answer(await list_service.list_lists(session, user_id, query, cursors))


@router.post(
    "",
    response_model=ListRead,
    status_code=201,
    responses=problem(
        ValidationFailedError, IdempotencyKeyReusedError, IdempotencyKeyInUseError, *_BODY_ERRORS
    ),
)
async def create_list(
    new: ListWrite,
    user_id: CurrentUserId,
    session: DatabaseSession,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Create a list, behind all others; with an Idempotency-Key once, however often it is asked."""
    created = await list_service.create_list_once(session, user_id, new, idempotency_key)
    return written_answer(created, f"{_PATH}/{created.id}")


@router.get(
    "/{list_id}",
    response_model=ListRead,
    responses={304: {"description": "The caller has this version."}, **problem(ListNotFoundError)},
)
async def get_list(
    list_id: UUID, user_id: CurrentUserId, session: ReadSession, if_none_match: IfNoneMatch
) -> Response:
    """Get one of the caller's lists."""
    found = await list_service.get_list(session, user_id, list_id)
    return versioned_answer(found, unless=if_none_match)


@router.patch(
    "/{list_id}",
    response_model=ListRead,
    responses=problem(ListNotFoundError, PreconditionFailedError, *_BODY_ERRORS),
)
async def update_list(
    list_id: UUID,
    patch: ListPatch,
    user_id: CurrentUserId,
    session: DatabaseSession,
    if_match: IfMatch,
) -> Response:
    """Change the fields that are given: what is absent stays, null clears."""
    updated = await list_service.update_list(session, user_id, list_id, patch, if_match)
    return versioned_answer(updated)


@router.delete(
    "/{list_id}", status_code=204, responses=problem(ListNotFoundError, PreconditionFailedError)
)
async def delete_list(
    list_id: UUID,
    query: Annotated[ListDeletion, Query()],
    user_id: CurrentUserId,
    session: DatabaseSession,
    if_match: IfMatch,
) -> None:
    """Move a list to the trash, with its tasks unless they are to be kept."""
    await list_service.delete_list(
        session, user_id, list_id, keep_tasks=query.keep_tasks, if_match=if_match
    )


@router.post(
    "/{list_id}/move",
    response_model=ListRead,
    responses=problem(ListNotFoundError, PreconditionFailedError, *_BODY_ERRORS),
)
async def move_list(
    list_id: UUID,
    move: ListMove,
    user_id: CurrentUserId,
    session: DatabaseSession,
    if_match: IfMatch,
) -> Response:
    """Put a list right after or before another one, or behind all."""
    moved = await list_service.move_list(session, user_id, list_id, move, if_match)
    return versioned_answer(moved)


@router.post("/{list_id}/restore", response_model=ListRead, responses=problem(ListNotFoundError))
async def restore_list(list_id: UUID, user_id: CurrentUserId, session: DatabaseSession) -> Response:
    """Bring a list back from the trash, with the tasks that went with it."""
    return versioned_answer(await trash_service.restore_list(session, user_id, list_id))
