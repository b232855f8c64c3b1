"""How answers are written: JSON once, straight from the schema, and the headers of a version."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import Response
from fastapi.responses import StreamingResponse
from msgspec import Struct
from msgspec.json import Encoder
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from service_kit.clock import utc_now
from tasks_service.schemas.entity_tags import EntityTags, etag
from tasks_service.schemas.export import ExportFormat
from tasks_service.schemas.list import ListRead
from tasks_service.schemas.task import TaskRead
from tasks_service.schemas.task_json import TaskJson
from tasks_service.schemas.written import Written

# Others may not store it, and its owner must ask whether it still holds.
_PRIVATE = {"Cache-Control": "private, no-cache"}
_MEDIA_TYPES: dict[ExportFormat, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "ics": "text/calendar; charset=utf-8",
}
_encoder = Encoder()


def json_answer(
    model: BaseModel | Struct, status_code: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Answer with a schema as it is; a field that was not set is left out."""
    if isinstance(model, BaseModel):
        content = model.model_dump_json(exclude_unset=True).encode()
    else:
        content = _encoder.encode(model)
    return text_answer(content, status_code, headers)


def text_answer(
    content: str | bytes, status_code: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Answer with JSON as it is."""
    return Response(content, status_code, _PRIVATE | (headers or {}), "application/json")


def written_answer(one: Written, location: str) -> Response:
    """Answer 201 with a task or list as it was written, now or when the same was asked first."""
    return text_answer(one.json, 201, {"ETag": etag(one.version), "Location": location})


def versioned_answer(
    model: TaskRead | TaskJson | ListRead,
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


async def file_answer(chunks: AsyncGenerator[bytes], kind: ExportFormat) -> Response:
    """Answer with a file that is made while it is sent.

    Raises what making its first part does: later the answer could only be cut short.
    """
    headers = {
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'attachment; filename="taskgate-{utc_now():%Y-%m-%d}.{kind}"',
    }
    return _FileAnswer(await anext(chunks), chunks, headers, _MEDIA_TYPES[kind])


class _FileAnswer(StreamingResponse):
    """An answer that ends what makes it when nobody reads on."""

    def __init__(
        self, first: bytes, rest: AsyncGenerator[bytes], headers: dict[str, str], media_type: str
    ) -> None:
        super().__init__(_joined(first, rest), headers=headers, media_type=media_type)
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._rest):
            await super().__call__(scope, receive, send)


async def _joined(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
