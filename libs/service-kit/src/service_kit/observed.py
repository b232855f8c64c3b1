"""What every request has around it: an id, and somebody who is told when it is over."""

import re
import secrets
from collections.abc import Sequence
from time import perf_counter
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.request_id import HEADER, set_request_id

UNMATCHED = "unmatched"
# By which a service tells the gateway the template of the route that answered.
ROUTE_HEADER = b"x-taskgate-route"
_KEY = "taskgate.record"
_HEADER = HEADER.encode()
# Safe in a log line, a header and a URL; long enough for a UUID or a trace id.
_ACCEPTABLE_ID = re.compile(rb"[A-Za-z0-9._:\-]{1,128}")


class Record:
    """What is known of a request; whoever serves it adds what they learn.

    `route` is the template its path fits, never the path. Times are in seconds: `waited` until
    the answer began, `total` until it was over. `status` is None if it never began.
    """

    __slots__ = (
        "begun",
        "complete",
        "method",
        "request_id",
        "route",
        "status",
        "total",
        "waited",
    )

    def __init__(self, method: str, request_id: str) -> None:
        self.method = method
        self.request_id = request_id
        self.route = UNMATCHED
        self.status: int | None = None
        self.complete = False
        self.waited = self.total = 0.0
        self.begun = perf_counter()


class Observer(Protocol):
    """Is told of every request."""

    def begin(self) -> None:
        """Notice one that has come."""

    def end(self, record: Record) -> None:
        """Notice one that is over."""


class Observed:
    """Gives each HTTP request an id, puts it on the answer, and tells the observers.

    An application within another leaves all this to the outer one. With `tells_route` the answer
    has the `ROUTE_HEADER`.
    """

    def __init__(
        self, app: ASGIApp, observers: Sequence[Observer] = (), *, tells_route: bool = False
    ) -> None:
        self.app = app
        self._observers = observers
        self._tells_route = tells_route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http" or _KEY in scope:
            await self.app(scope, receive, send)
            return
        request_id = _offered(scope["headers"]) or secrets.token_hex(16)
        set_request_id(request_id)
        record = scope[_KEY] = Record(scope["method"], request_id)
        for observer in self._observers:
            observer.begin()

        async def send_observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                record.waited = perf_counter() - record.begun
                # The answer of a service behind may bring the same id already.
                headers = [header for header in message["headers"] if header[0] != _HEADER]
                headers.append((_HEADER, request_id.encode()))
                if self._tells_route:
                    _name_route(scope, record)
                    headers.append((ROUTE_HEADER, record.route.encode()))
                message["headers"] = headers
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                record.complete = True

        try:
            await self.app(scope, receive, send_observed)
        finally:
            self._end(scope, record)

    def _end(self, scope: Scope, record: Record) -> None:
        record.total = perf_counter() - record.begun
        if record.status is None:
            record.waited = record.total
        _name_route(scope, record)
        for observer in self._observers:
            observer.end(record)


def record_of(scope: Scope) -> Record:
    """Return what is known of the request that is being served."""
    record: Record | None = scope.get(_KEY)
    if record is None:
        # Nobody observes: what is noted is forgotten.
        record = scope[_KEY] = Record(scope["method"], "")
    return record


def _name_route(scope: Scope, record: Record) -> None:
    if record.route is not UNMATCHED:
        return
    # The route itself does not know the prefix under which its router was included.
    inner: dict[str, Any] = scope.get("fastapi") or {}
    context = inner.get("effective_route_context") or scope.get("route")
    template = getattr(context, "path_format", None) or getattr(context, "path", None)
    if isinstance(template, str):
        record.route = template


def _offered(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    for name, value in headers:
        if name == _HEADER and _ACCEPTABLE_ID.fullmatch(value):
            return str(value, "ascii")
    return None
