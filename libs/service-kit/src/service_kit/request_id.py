"""The request id: taken from the caller when it is sane, made up otherwise, answered always."""

import re
import secrets
from contextvars import ContextVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "x-request-id"
_HEADER = HEADER.encode()

_current: ContextVar[str] = ContextVar("request_id", default="")
# Safe in a log line, a header and a URL; long enough for a UUID or a trace id.
_ACCEPTABLE = re.compile(rb"[A-Za-z0-9._:\-]{1,128}")


def current_request_id() -> str:
    """Return the id of the request being served, or "" outside one."""
    return _current.get()


def use_new_request_id() -> str:
    """Serve under a new id from here on, and return it."""
    request_id = secrets.token_hex(16)
    _current.set(request_id)
    return request_id


class RequestIdMiddleware:
    """Gives each HTTP request an id and puts it on the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request under its id (ASGI)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _offered(scope) or secrets.token_hex(16)
        _current.set(request_id)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The answer of a service behind may bring the same id already.
                headers = [header for header in message["headers"] if header[0] != _HEADER]
                message["headers"] = [*headers, (_HEADER, request_id.encode())]
            await send(message)

        await self.app(scope, receive, send_with_id)


def _offered(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == _HEADER and _ACCEPTABLE.fullmatch(value):
            return str(value, "ascii")
    return None
