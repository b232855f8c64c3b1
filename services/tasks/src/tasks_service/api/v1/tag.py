"""`/api/v1/tags`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from service_kit.errors import MalformedJsonError, problem
from service_kit.identity import InvalidIdentityError
from tasks_service.api.answers import json_answer
from tasks_service.dependencies.identity import CurrentUserId
from tasks_service.dependencies.resources import Cursors, DatabaseSession, ReadSession
from tasks_service.dependencies.strict_route import StrictRoute
from tasks_service.errors import (
    DatabaseUnavailableError,
    InvalidCursorError,
    ResyncRequiredError,
    TagNotFoundError,
    UnsupportedMediaTypeError,
)
from tasks_service.schemas.query import PageQuery
from tasks_service.schemas.tag import TagPage, TagPatch, TagRead
from tasks_service.services import tag as tag_service

router = APIRouter(
    prefix="/api/v1/tags",
    tags=["tags"],
    route_class=StrictRoute,
    responses=problem(InvalidIdentityError, DatabaseUnavailableError),
)


@router.get("", response_model=TagPage, responses=problem(InvalidCursorError, ResyncRequiredError))
async def list_tags(
    query: Annotated[PageQuery, Query()],
    user_id: CurrentUserId,
    session: ReadSession,
    cursors: Cursors,
) -> Response:
    """List the caller's tags by name, each with the number of its tasks."""
    return json_answer(await tag_service.list_tags(session, user_id, query, cursors))


@router.get("/{tag_id}", response_model=TagRead, responses=problem(TagNotFoundError))
async def get_tag(tag_id: UUID, user_id: CurrentUserId, session: ReadSession) -> Response:
    """Get one of the caller's tags."""
    return json_answer(await tag_service.get_tag(session, user_id, tag_id))


@router.patch(
    "/{tag_id}",
    response_model=TagRead,
    responses=problem(TagNotFoundError, MalformedJsonError, UnsupportedMediaTypeError),
)
async def rename_tag(
    tag_id: UUID, patch: TagPatch, user_id: CurrentUserId, session: DatabaseSession
) -> Response:
    """Rename a tag on every task; with another's name the two become one."""
    return json_answer(await tag_service.rename_tag(session, user_id, tag_id, patch.name))


@router.delete("/{tag_id}", status_code=204, responses=problem(TagNotFoundError))
async def delete_tag(tag_id: UUID, user_id: CurrentUserId, session: DatabaseSession) -> None:
    """Take a tag off every task."""
    await tag_service.delete_tag(session, user_id, tag_id)
