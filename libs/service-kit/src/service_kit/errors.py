"""Errors as RFC 9457 problem details: the base class, and what turns one into an answer."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from service_kit.problems import Answers, ProblemField, problem_answer
from service_kit.request_id import current_request_id


class ServiceError(Exception):
    """A failure a caller is told about; each way to fail is a subclass.

    `extensions` are further members of the problem body (RFC 9457 §3.2).
    """

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(
        self,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.extensions = dict(extensions or {})


class InternalError(ServiceError):
    """Something broke that no caller can mend."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(self) -> None:
        super().__init__("Something went wrong on our side; the request id helps to find it.")


class NotFoundError(ServiceError):
    """No route has this path."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Not found"

    def __init__(self) -> None:
        super().__init__("There is nothing at this address.")


class MethodNotAllowedError(ServiceError):
    """The path exists, the method on it does not."""

    status: ClassVar[int] = 405
    code: ClassVar[str] = "method_not_allowed"
    title: ClassVar[str] = "Method not allowed"

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(
            "This address does not take that method; see the Allow header.", headers=headers
        )


class ValidationFailedError(ServiceError):
    """The request is well-formed but what it says is not acceptable."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "validation_failed"
    title: ClassVar[str] = "Validation failed"

    def __init__(self, errors: Iterable[ProblemField]) -> None:
        fields = list(errors)
        first = fields[0]
        where = first.pointer or first.parameter or first.header or "the request"
        super().__init__(
            f"{where}: {first.detail}",
            extensions={"errors": [field.model_dump(exclude_none=True) for field in fields]},
        )


class MalformedJsonError(ServiceError):
    """The body is no JSON at all."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "malformed_json"
    title: ClassVar[str] = "Malformed JSON"

    def __init__(self) -> None:
        super().__init__("The body is not valid JSON.")


def error_catalogue() -> list[type[ServiceError]]:
    """Every error class loaded so far that has a code, sorted by code."""
    found: dict[str, type[ServiceError]] = {}
    waiting = ServiceError.__subclasses__()
    while waiting:
        error = waiting.pop()
        waiting.extend(error.__subclasses__())
        if "code" in vars(error):
            found[error.code] = error
    return [found[code] for code in sorted(found)]


def problem(*errors: type[ServiceError]) -> Answers:
    """Build the `responses=` of a route that can fail in these ways."""
    titles: dict[int | str, dict[str, str]] = {}
    for error in errors:
        titles.setdefault(error.status, {})[error.code] = error.title
    return {status: problem_answer(each) for status, each in titles.items()}


def problem_response(error: ServiceError, public_url: str) -> Response:
    """Render an error as `application/problem+json`.

    `type` leads to the error's section of the gateway's error page (RFC 9457 §3.1.1).
    """
    body = {
        "type": f"{public_url}/docs/errors#{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": current_request_id(),
        **error.extensions,
    }
    return Response(
        json.dumps(body, ensure_ascii=False).encode("utf-8", errors="replace"),
        status_code=error.status,
        headers={"Cache-Control": "no-store", **error.headers},
        media_type="application/problem+json",
    )


async def send_problem(
    error: ServiceError, scope: Scope, receive: Receive, send: Send, public_url: str
) -> None:
    """Answer a plain ASGI request with an error."""
    await problem_response(error, public_url)(scope, receive, send)


def install_error_handlers(app: FastAPI) -> None:
    """Make every failure of the app, its own and the framework's, a problem answer.

    Reads the gateway's address from `app.state.public_url`.
    """
    for kind in (ServiceError, StarletteHTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, _answer_error)


class _NoAnswer(Response):
    """To a client that left before its request was read."""

    async def __call__(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        """Send nothing."""


async def _answer_error(request: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):
        return _NoAnswer()
    return problem_response(_as_service_error(error), request.app.state.public_url)


def _as_service_error(error: Exception) -> ServiceError:
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, RequestValidationError):
        return _validation_error(error)
    if isinstance(error, StarletteHTTPException):
        if error.status_code == MethodNotAllowedError.status:
            return MethodNotAllowedError(error.headers or {})
        if error.status_code == NotFoundError.status:
            return NotFoundError()
        # FastAPI raises a bare 400 for a body it could not even decode (bad UTF-8, say).
        if error.status_code == MalformedJsonError.status:
            return MalformedJsonError()
    return InternalError()


def _validation_error(error: RequestValidationError) -> ServiceError:
    fields = error.errors()
    if any(field["type"] == "json_invalid" for field in fields):
        return MalformedJsonError()
    return ValidationFailedError(_problem_field(field) for field in fields)


def _problem_field(field: Mapping[str, Any]) -> ProblemField:
    source, *path = field["loc"]
    name = str(path[0]) if path else None
    # Pydantic prefixes what a validator raised; the caller needs the sentence only.
    detail = str(field["msg"]).removeprefix("Value error, ")
    if source == "body":
        return ProblemField(detail=detail, pointer=_json_pointer(path))
    if source == "header":
        return ProblemField(detail=detail, header=name)
    return ProblemField(detail=detail, parameter=name)


def _json_pointer(path: Iterable[object]) -> str:
    # RFC 6901 §3: "~" and "/" inside a name are escaped; RFC 9457 §3 asks for the fragment form.
    return "#" + "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
