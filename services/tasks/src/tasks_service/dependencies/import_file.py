"""The file of an import: read up to a limit, and told apart by its content type."""

from email.message import Message
from typing import Annotated

from fastapi import Depends, Request

from tasks_service.errors import FileTooLargeError, UnsupportedFileTypeError
from tasks_service.schemas.data_import import ImportFile

_LIMIT_BYTES = 10 * 1024 * 1024
_TYPES = ("application/json", "text/csv")


async def _read(request: Request) -> ImportFile:
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    content_type = message.get_content_type()
    if content_type not in _TYPES or message.get_content_charset("utf-8") != "utf-8":
        raise UnsupportedFileTypeError
    parts, length = [], 0
    async for part in request.stream():
        length += len(part)
        # The gateway has the same limit; whoever runs without it is not left without one.
        if length > _LIMIT_BYTES:
            raise FileTooLargeError(_LIMIT_BYTES)
        parts.append(part)
    return ImportFile(content_type == "text/csv", b"".join(parts))


ImportedFile = Annotated[ImportFile, Depends(_read)]
