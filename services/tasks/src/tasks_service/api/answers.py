"""How answers are written: JSON once, straight from the schema, and the headers of a version."""

from fastapi import Response
from pydantic import BaseModel

from tasks_service.schemas.entity_tags import EntityTags, etag
from tasks_service.schemas.list import ListRead
from tasks_service.schemas.task import TaskRead, WrittenTask

# Others may not store it, and its owner must ask whether it still holds.
_PRIVATE = {"Cache-Control": "private, no-cache"}


def json_answer(
    model: BaseModel, status_code: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Answer with a schema as it is; a field that was not set is left out."""
    return Response(
        model.model_dump_json(exclude_unset=True),
        status_code,
        headers=_PRIVATE | (headers or {}),
        media_type="application/json",
    )


def written_answer(task: WrittenTask, location: str) -> Response:
    """Answer 201 with a task as it was written, now or when the same was asked first."""
    headers = _PRIVATE | {"ETag": etag(task.version), "Location": location}
    return Response(task.json, 201, headers, "application/json")


def versioned_answer(
    model: TaskRead | ListRead,
    status_code: int = 200,
    *,
    unless: EntityTags | None = None,
    location: str | None = None,
) -> Response:
    """Answer with a schema and its ETag; 304 if the caller has that version (`unless`)."""
    headers = {"ETag": etag(model.version)}
    if location:
        headers["Location"] = location
    if unless is not None and unless.match_weakly(model.version):
        return Response(status_code=304, headers=_PRIVATE | headers)
    return json_answer(model, status_code, headers)
