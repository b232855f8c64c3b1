"""Request bodies: JSON, and said to be."""

from email.message import Message
from typing import Any

from fastapi import Request

from tasks_service.errors import UnsupportedMediaTypeError
from tasks_service.json_text import parse_json


class JsonRequest(Request):
    """A request whose body `read` has checked."""

    _value: Any = None

    async def read(self) -> None:
        """Read the body, if there is one.

        Raises `UnsupportedMediaTypeError`, `MalformedJsonError` or `ValidationFailedError`.
        """
        body = await self.body()
        if not body:
            return
        if not _is_json(self.headers.get("content-type", "")):
            raise UnsupportedMediaTypeError
        self._value = parse_json(body)

    async def json(self) -> Any:  # noqa: ANN401 - JSON can be anything
        """Return what `read` found."""
        return self._value


def _is_json(content_type: str) -> bool:
    message = Message()
    message["content-type"] = content_type
    return message.get_content_type() == "application/json"
