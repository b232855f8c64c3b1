"""Request bodies: JSON (RFC 8259) in UTF-8, shallow, of text that PostgreSQL can store."""

import json
import re
from collections.abc import Iterator
from email.message import Message
from typing import Any, NoReturn

from fastapi import Request

from service_kit.errors import MalformedJsonError, ValidationFailedError
from service_kit.problems import ProblemField
from tasks_service.errors import UnsupportedMediaTypeError

_DEEPEST = 5
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


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
        self._value = _parse(body)

    async def json(self) -> Any:  # noqa: ANN401 - JSON can be anything
        """Return what `read` found."""
        return self._value


def _is_json(content_type: str) -> bool:
    message = Message()
    message["content-type"] = content_type
    return message.get_content_type() == "application/json"


def _parse(body: bytes) -> Any:  # noqa: ANN401 - JSON can be anything
    try:
        # Decoded here because json would also guess UTF-16 and UTF-32.
        value = json.loads(body.decode(), parse_constant=_refuse_constant)
    except RecursionError:
        raise _too_deep("#") from None
    except ValueError:
        raise MalformedJsonError from None
    problems = list(_problems(value, "#", 0))
    if problems:
        raise ValidationFailedError(problems)
    return value


def _refuse_constant(name: str) -> NoReturn:
    # Python reads NaN and Infinity, which JSON does not have.
    raise ValueError(name)


def _problems(value: object, pointer: str, depth: int) -> Iterator[ProblemField]:
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            yield ProblemField(
                detail="has a NUL character or an unpaired surrogate", pointer=pointer
            )
        return
    if not isinstance(value, dict | list):
        return
    if depth == _DEEPEST:
        raise _too_deep(pointer)
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for name, member in members:
        yield from _problems(name, pointer, depth)
        yield from _problems(member, f"{pointer}/{_escape(name)}", depth + 1)


def _escape(name: object) -> str:
    # RFC 6901 §3.
    return str(name).replace("~", "~0").replace("/", "~1")


def _too_deep(pointer: str) -> ValidationFailedError:
    return ValidationFailedError(
        [ProblemField(detail=f"is nested more than {_DEEPEST} levels deep", pointer=pointer)]
    )
