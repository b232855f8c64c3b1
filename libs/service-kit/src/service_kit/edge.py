"""The edge of HTTP: bounds to what a connection may send before anybody looks at what it says.

Uvicorn's parser keeps to the letter of RFC 9112, but bounds neither size nor time. Any uvicorn
serves our applications so: `uvicorn --http service_kit.edge:GuardedProtocol`. They answer what is
refused here: see `service_kit.refused`.
"""

import asyncio
import math
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from service_kit import fast_refusal
from service_kit.edge_errors import (
    HeadersTooLargeError,
    MalformedRequestError,
    RequestTimeoutError,
    TargetTooLongError,
)
from service_kit.edge_head import MAX_HEAD_BYTES, MAX_TARGET_BYTES, fault, has_body, size
from service_kit.edge_transport import Lingering, give_up_on_vanished
from service_kit.errors import ServiceError
from service_kit.fast_refusal import FastRefusal, written
from service_kit.observed import note_refusal
from service_kit.refused import refused

HEAD_SECONDS = 10.0
BODY_SECONDS = 120.0
# What framing a byte of the body may bring with it: a chunk of one byte has five.
_FRAMING_PER_BYTE = 8
# What an answer to these looks like, an application knows better.
_ANSWERED_OTHERWISE = frozenset((b"HEAD", b"OPTIONS"))
_DATA_PREFIX = b"/api/"

_logger = structlog.get_logger(__name__)


class _Trailers(list[tuple[bytes, bytes]]):
    """Where trailers go: uvicorn would add them to the headers of the request being served."""

    def append(self, _trailer: tuple[bytes, bytes]) -> None:
        """Drop it."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection, of which neither heads nor framing nor slowness go beyond their bounds."""

    url = b""
    # How many more bytes may come that are nobody's body.
    _room = MAX_HEAD_BYTES
    _in_head = True
    # When what has begun must be whole; the timer is not moved with it, but looks again.
    _due = math.inf
    _timer: asyncio.TimerHandle | None = None
    _why: ServiceError | None = None
    _refused = _waits = False
    # The headers of what is refused, as far as they came.
    _read: list[tuple[bytes, bytes]]
    # A head that begins within what arrived with another request is measured at its end.
    _uncounted = False
    _fast_refusal: FastRefusal | None = None
    # Whether the request that is being read has been answered so.
    _answered = False
    # Until when a connection is kept after that.
    _idle_until = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to count the time."""
        super().connection_made(transport)
        give_up_on_vanished(transport)
        self._fast_refusal = self.app_state.get(fast_refusal.KEY)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the timer."""
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, as far as there is room for it."""
        if self._refused:
            return
        if len(data) > self._room:
            self._feed_in_parts(data)
            return
        self._room -= len(data)
        if self._due == math.inf:
            self._begin()
        # Uvicorn would cancel it, and a refusal make another, which is no small part of its price.
        timer, self.timeout_keep_alive_task = self.timeout_keep_alive_task, None
        super().data_received(data)
        if self._answered and self._due == math.inf:
            self.timeout_keep_alive_task = timer or self._idle_timer()
        elif timer is not None:
            timer.cancel()

    def refuse(self, error: ServiceError) -> None:
        """Answer with `error` when it is its turn, and read no further."""
        self._refused, self._why = True, error
        cycle = self.cycle
        # Uvicorn's type hints forget that there is neither before the first request.
        self._read = list(self.headers or ())
        if self.pipeline and not self._in_head:
            # The request that goes wrong has not begun: those before it are answered, it is not.
            self._read = list(self.pipeline.popleft()[0].scope["headers"])
            self._waits = True
        elif cycle is None or (self._in_head and cycle.response_complete):  # type: ignore[redundant-expr]
            self._say(error)
        elif self._in_head:
            self._waits = True
        elif cycle.response_started:
            # It has been answered already, or gets half an answer, which it can tell.
            self.transport.close()
        else:
            begun: Any = cycle.scope
            note_refusal(begun, error.status)
            cycle.disconnected = True
            cycle.message_event.set()
            # Soon, as it may only be about to begin: from then on its id is known.
            self.loop.call_soon(self._say, error, begun)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words, for no client
        """Refuse what the parser, or a check of ours within it, has stopped at."""
        self.refuse(self._why or MalformedRequestError())

    # What follows is called by the parser, and by uvicorn when an answer is over.

    def on_message_begin(self) -> None:
        """Begin to count the time, unless the first byte that arrived has."""
        super().on_message_begin()
        if self._due == math.inf:
            self._begin()
            self._uncounted = True

    def on_headers_complete(self) -> None:
        """Take a request whose head is within bounds, and nothing to guess at."""
        self._why = self._head_fault()
        if self._why is not None:
            raise self._why
        refusal = self._fast_refusal
        asked: Any = self.scope
        self._answered = False
        if refusal is not None and self._is_ordinary() and refusal.applies(asked):
            self._answered = True
            self._answer(refusal.answer(asked))
        else:
            super().on_headers_complete()
        # Not the list any more that the request's scope has.
        self.headers = _Trailers()
        if self.parser.should_upgrade():
            # The parser stops here; whatever follows is not ours to interpret.
            self.cycle.keep_alive = False
        self._in_head, self._room, self._uncounted = False, MAX_HEAD_BYTES, False
        self._due += BODY_SECONDS

    def on_body(self, body: bytes) -> None:
        """Make room for as much framing as a body of this length may have."""
        super().on_body(body)
        room = self._room + (_FRAMING_PER_BYTE + 1) * len(body)
        self._room = min(room, MAX_HEAD_BYTES)

    def on_message_complete(self) -> None:
        """Expect the next head."""
        if not self._answered:
            super().on_message_complete()
        self._in_head, self._room, self._due = True, MAX_HEAD_BYTES, math.inf
        if self._answered:
            self.server_state.total_requests += 1
            self._idle_until = self.loop.time() + self.timeout_keep_alive

    def on_response_complete(self) -> None:
        """Say what had to wait, if this was the last answer before it."""
        last = not self.pipeline
        super().on_response_complete()
        if self._due != math.inf:
            # Part of the next request is here: the time for an idle connection is not its time.
            self._unset_keepalive_if_required()
        if self._waits and last and self._why is not None and not self.transport.is_closing():
            self._say(self._why)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, unless something came since the timer was set."""
        if self.loop.time() < self._idle_until:
            self.timeout_keep_alive_task = self._idle_timer()
        else:
            super().timeout_keep_alive_handler()

    def _idle_timer(self) -> asyncio.TimerHandle:
        return self.loop.call_at(self._idle_until, self.timeout_keep_alive_handler)

    def _is_ordinary(self) -> bool:
        method = self.parser.get_method()
        self.scope["method"] = method.decode("ascii")
        return (
            self.url.startswith(_DATA_PREFIX)
            and method not in _ANSWERED_OTHERWISE
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and not has_body(self.headers)
            # Uvicorn's type hint forgets that there is none before the first request.
            and (self.cycle is None or self.cycle.response_complete)  # type: ignore[redundant-expr]
            and not self.flow.write_paused
        )

    def _answer(self, rest: bytes) -> None:
        own = written(self.server_state.default_headers)
        self.transport.write(b"%b%b%b" % (STATUS_LINE[fast_refusal.STATUS], own, rest))

    def _feed_in_parts(self, data: bytes) -> None:
        while data and not self._refused and not self.transport.is_closing():
            if not self._room:
                self.refuse(self._overflow())
                return
            piece, data = data[: self._room], data[self._room :]
            self.data_received(piece)

    def _overflow(self) -> ServiceError:
        if not self._in_head:
            return MalformedRequestError()
        too_long = len(self.url) > MAX_TARGET_BYTES
        return TargetTooLongError() if too_long else HeadersTooLargeError()

    def _head_fault(self) -> ServiceError | None:
        parser = self.parser
        if self._uncounted and size(parser.get_method(), self.url, self.headers) > MAX_HEAD_BYTES:
            return HeadersTooLargeError()
        version, upgrades = parser.get_http_version(), parser.should_upgrade()
        return fault(self.url, self.headers, version, upgrades=upgrades)

    def _begin(self) -> None:
        self._due = self.loop.time() + HEAD_SECONDS
        if self._timer is None:
            self._timer = self.loop.call_at(self._due, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._refused or self.transport.is_closing() or self._due == math.inf:
            return
        now = self.loop.time()
        if self.flow.read_paused:
            # It is us who keep them waiting.
            self._due = max(self._due, now + HEAD_SECONDS)
        if now < self._due:
            self._timer = self.loop.call_at(self._due, self._look)
        elif self._in_head and self._room == MAX_HEAD_BYTES and not self._uncounted:
            self.transport.close()
        else:
            self.refuse(RequestTimeoutError("The request did not arrive in time."))

    def _say(self, error: ServiceError, begun: Any = None) -> None:  # noqa: ANN401 - a scope.
        _logger.warning("request_refused", code=error.code, peer=self.client and self.client[0])
        scope: Any = begun or {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
            "headers": self._read,
            "state": self.app_state.copy(),
        }
        instead: Any = refused(scope, error)
        cycle = RequestResponseCycle(
            scope=instead,
            transport=Lingering(self.transport, self.loop),
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=lambda: None,
        )
        self._start_asgi_task(cycle, self.app)
