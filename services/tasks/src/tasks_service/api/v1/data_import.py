"""`/api/v1/import`."""

import math
from typing import Annotated

from fastapi import APIRouter, Query, Response

from service_kit.errors import MalformedJsonError, ValidationFailedError, problem
from service_kit.identity import InvalidIdentityError
from tasks_service.api.answers import json_answer
from tasks_service.api.cost import costing
from tasks_service.dependencies.identity import CurrentUserId
from tasks_service.dependencies.import_file import ImportedFile
from tasks_service.dependencies.preconditions import IdempotencyKey
from tasks_service.dependencies.resources import DatabaseSession
from tasks_service.dependencies.strict_route import StrictRoute
from tasks_service.errors import (
    DatabaseUnavailableError,
    FileTooLargeError,
    IdempotencyKeyInUseError,
    IdempotencyKeyReusedError,
    ImportRefusedError,
    MalformedCsvError,
    UnsupportedFileTypeError,
)
from tasks_service.schemas.data_import import ImportQuery, ImportResult
from tasks_service.services import data_import as import_service

# About a hundred tasks of an export: each costs far less than a request of its own.
_CHARGED_BYTES = 32 * 1024
# Written by hand: with ids of its own it could be imported once.
_ROW = {"title": "Water the plants", "due_on": "2026-06-01", "tags": ["home"]}
_DOCUMENT = {
    "schema": {"$ref": "#/components/schemas/ExportDocument"},
    "example": {"taskgate": 1, "tasks": [_ROW]},
}
_TABLE = {
    "schema": {"type": "string"},
    "example": "title,due_on,tags\nWater the plants,2026-06-01,home\n",
}
_BODY = {
    "required": True,
    "description": "What `/api/v1/export` gives as JSON or CSV, or Todoist's CSV template;"
    " at most 10 MiB.",
    "content": {"application/json": _DOCUMENT, "text/csv": _TABLE},
}

router = APIRouter(
    prefix="/api/v1/import",
    tags=["data"],
    route_class=StrictRoute,
    responses=problem(InvalidIdentityError, DatabaseUnavailableError),
)


@router.post(
    "",
    response_model=ImportResult,
    openapi_extra={"requestBody": _BODY},
    responses=problem(
        ValidationFailedError,
        ImportRefusedError,
        IdempotencyKeyReusedError,
        IdempotencyKeyInUseError,
        MalformedJsonError,
        MalformedCsvError,
        FileTooLargeError,
        UnsupportedFileTypeError,
    ),
)
async def import_data(
    query: Annotated[ImportQuery, Query()],
    file: ImportedFile,
    user_id: CurrentUserId,
    session: DatabaseSession,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Add what a file holds to what the caller has, or say what is wrong and add nothing."""
    with costing(max(1, math.ceil(len(file.content) / _CHARGED_BYTES))) as cost:
        result = await import_service.import_once(
            session, user_id, file, query.ids, idempotency_key
        )
        return json_answer(result, headers=cost)
