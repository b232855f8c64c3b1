"""What every request has around it: an id, a trace, and somebody who is told when it is over."""

import random
import re
from collections.abc import Sequence
from time import perf_counter
from typing import Any, Literal, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.request_id import HEADER, set_request_id
from service_kit.trace_context import TRACEPARENT, TRACESTATE, Trace, current_trace, offered_trace

UNMATCHED = "unmatched"
# By which a service tells the gateway the template of the route that answered.
ROUTE_HEADER = b"x-taskgate-route"
Outcome = Literal["answered", "client_gone", "cut_short", "failed"]
Verdict = Literal["memory", "redis", "verifier"]

_KEY = "taskgate.record"
_REFUSED = "taskgate.refused"
_HEADER = HEADER.encode()
_READ = frozenset((_HEADER, TRACEPARENT, TRACESTATE, b"content-length", b"transfer-encoding"))
# Safe in a log line, a header and a URL; long enough for a UUID or a trace id.
_ACCEPTABLE_ID = re.compile(rb"[A-Za-z0-9._:\-]{1,128}")
_TRACE_ID_LENGTH = 32
# Ids name things, and guard nothing.
_random = random.Random()  # noqa: S311


class Record:
    """What is known of a request; whoever serves it adds what they learn.

    `route` is the template its path fits, never the path. Times are in seconds: `waited` until
    the answer began, `total` until it was over, `auth` and `upstream` the parts of it that
    authentication and a service behind took. `status` is None if the answer never began,
    `verdict` where that on the token was found.
    """

    __slots__ = (
        "auth",
        "begun",
        "bytes_in",
        "bytes_out",
        "complete",
        "method",
        "outcome",
        "request_id",
        "route",
        "status",
        "total",
        "trace",
        "upstream",
        "user_id",
        "verdict",
        "waited",
    )

    def __init__(self, method: str, request_id: str, trace: Trace) -> None:
        self.method = method
        self.request_id = request_id
        self.trace = trace
        self.route = UNMATCHED
        self.status: int | None = None
        self.outcome: Outcome | None = None
        self.user_id: str | None = None
        self.verdict: Verdict | None = None
        self.auth: float | None = None
        self.upstream: float | None = None
        self.bytes_in = self.bytes_out = 0
        self.complete = False
        self.waited = self.total = 0.0
        self.begun = perf_counter()


class Observer(Protocol):
    """Is told of every request."""

    def begin(self, record: Record) -> None:
        """Notice one that has come."""

    def end(self, record: Record, scope: Scope) -> None:
        """Notice one that is over."""

    async def aclose(self) -> None:
        """Write down what is left to write: there will be no more."""


class Observed:
    """Gives each HTTP request an id, puts it on the answer, and tells the observers.

    An application within another leaves all this to the outer one. With `tells_route` the answer
    has the `ROUTE_HEADER`, with `tells_timing` a `Server-Timing`.
    """

    def __init__(
        self,
        app: ASGIApp,
        observers: Sequence[Observer] = (),
        *,
        tells_route: bool = False,
        tells_timing: bool = False,
    ) -> None:
        self.app = app
        self._observers = observers
        self._tells_route = tells_route
        self._tells_timing = tells_timing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] != "http" or _KEY in scope:
            await self.app(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        finally:
            for observer in self._observers:
                await observer.aclose()

    def begin(self, scope: Scope) -> tuple[Record, bool]:
        """Give a request its id; tell the observers, and whether it has a body."""
        record, has_body = _begun(scope)
        for observer in self._observers:
            observer.begin(record)
        return record, has_body

    def end(self, scope: Scope, record: Record) -> None:
        """Tell the observers that it is over."""
        record.total = perf_counter() - record.begun
        if _REFUSED in scope:
            record.status, record.outcome = scope[_REFUSED], "answered"
        if record.status is None:
            record.waited = record.total
        if record.outcome is None:
            record.outcome = (
                ("answered" if record.complete else "cut_short")
                if record.status is not None
                else "client_gone"
            )
        _name_route(scope, record)
        for observer in self._observers:
            observer.end(record, scope)

    def marked(
        self, headers: Sequence[tuple[bytes, bytes]], scope: Scope, record: Record
    ) -> list[tuple[bytes, bytes]]:
        """Return an answer's headers with what tells of the request."""
        # The answer of a service behind may bring the same id already.
        marked = [header for header in headers if header[0] != _HEADER]
        marked.append((_HEADER, record.request_id.encode()))
        if self._tells_route:
            _name_route(scope, record)
            marked.append((ROUTE_HEADER, record.route.encode()))
        if self._tells_timing:
            marked.append((b"server-timing", _timing(record)))
        return marked

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        record, has_body = self.begin(scope)
        set_request_id(record.request_id)
        current_trace.set(record.trace)

        async def send_observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                record.waited = perf_counter() - record.begun
                message["headers"] = self.marked(message["headers"], scope, record)
                await send(message)
                return
            await send(message)
            record.bytes_out += len(message.get("body", b""))
            record.complete = not message.get("more_body", False)

        async def receive_observed() -> Message:
            message = await receive()
            record.bytes_in += len(message.get("body", b""))
            return message

        try:
            await self.app(scope, receive_observed if has_body else receive, send_observed)
        except BaseException:
            record.outcome = "failed"
            raise
        finally:
            self.end(scope, record)


def record_of(scope: Scope) -> Record:
    """Return what is known of the request that is being served."""
    record: Record | None = scope.get(_KEY)
    # Where nobody observes, what is noted is forgotten.
    return record or _begun(scope)[0]


def note_refusal(scope: Scope, status: int) -> None:
    """Note that a request under way is answered with this status, whatever its application does."""
    scope[_REFUSED] = status


def _begun(scope: Scope) -> tuple[Record, bool]:
    request_id, has_body = None, False
    parents, states = [], []
    for name, value in scope["headers"]:
        if name not in _READ:
            continue
        if name == _HEADER:
            if _ACCEPTABLE_ID.fullmatch(value):
                request_id = request_id or str(value, "ascii")
        elif name == TRACEPARENT:
            parents.append(value)
        elif name == TRACESTATE:
            states.append(value)
        else:
            has_body = value != b"0"
    trace = offered_trace(parents, states) if parents else None
    if trace is None:
        made = f"{_random.getrandbits(192):048x}"
        trace = Trace(made[:_TRACE_ID_LENGTH], made[_TRACE_ID_LENGTH:])
        # One random number does for both, where the client has neither.
        request_id = request_id or trace.trace_id
    record = Record(scope["method"], request_id or f"{_random.getrandbits(128):032x}", trace)
    scope[_KEY] = record
    return record, has_body


def _timing(record: Record) -> bytes:
    """Return the value of `Server-Timing` (W3C), in milliseconds."""
    value = f"total;dur={record.waited * 1000:.2f}"
    if record.auth is not None:
        value += f", auth;dur={record.auth * 1000:.2f}"
    if record.upstream is not None:
        value += f", upstream;dur={record.upstream * 1000:.2f}"
    if record.verdict is not None:
        value += f", cache;desc={record.verdict}"
    return value.encode()


def _name_route(scope: Scope, record: Record) -> None:
    if record.route is not UNMATCHED:
        return
    # The route itself does not know the prefix under which its router was included.
    inner: dict[str, Any] = scope.get("fastapi") or {}
    context = inner.get("effective_route_context") or scope.get("route")
    template = getattr(context, "path_format", None) or getattr(context, "path", None)
    if isinstance(template, str):
        record.route = template
