"""The door itself: every request under /api/ is authenticated and forwarded, as plain ASGI."""

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_service.authentication.authenticator import Authenticator
from gateway_service.authentication.callers import Caller
from gateway_service.forwarding import Forwarder
from gateway_service.limits.limiter import Budget, Limiter
from gateway_service.limits.limits import Limits
from gateway_service.metrics import Metrics
from gateway_service.upstream.errors import (
    UpstreamFailedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from gateway_service.upstream.request import Header
from service_kit.cost import HEADER as COST_HEADER
from service_kit.errors import NotFoundError, ServiceError, send_problem
from service_kit.observed import ROUTE_HEADER, record_of
from service_kit.request_id import HEADER
from service_kit.trace_context import outgoing_trace, traced

_FORWARDED_PREFIX = "/api/"
# What is told of a request under it as long as the service behind has not named its own route.
_ROUTE = "/api/{path}"
_UPSTREAM = "tasks"
# What the gateway answers itself, once it knows the caller.
_OWN = frozenset(("/api/v1/me", "/api/v1/auth/logout", "/api/v1/auth/logout-all"))
_REQUEST_ID = HEADER.encode()
_COST = COST_HEADER.encode()
# Orchestrators ask often, and must never be refused.
_HEALTH = frozenset(("/healthz", "/readyz"))
_UNAUTHORIZED = 401
_UPSTREAM_ERRORS = (UpstreamFailedError, UpstreamTimeoutError, UpstreamUnavailableError)
_DOT_SEGMENTS = frozenset((".", ".."))


class Gateway:
    """Sends requests under /api/ to the tasks service, and all others to `control`.

    `control` also answers the few of `_OWN`, with the caller's verdict in the request's state.
    """

    def __init__(  # noqa: PLR0913 - each is a part of the door, given by name.
        self,
        control: ASGIApp,
        *,
        authenticator: Authenticator,
        forwarder: Forwarder,
        metrics: Metrics,
        limits: Limits,
        public_url: str,
    ) -> None:
        self._control = control
        self._authenticator = authenticator
        self._forwarder = forwarder
        self._metrics = metrics
        self._users = limits.users
        self._strangers = limits.strangers
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI)."""
        if scope["type"] == "lifespan":
            await self._control(scope, receive, send)
            return
        budget: Budget | None = None
        try:
            if scope["type"] != "http" or not scope["path"].startswith(_FORWARDED_PREFIX):
                await self._serve_stranger(scope, receive, send)
                return
            caller = await self._authenticate(scope)
            if self._users is not None:
                budget = await self._users.spend(caller.verdict.user_id)
                send = _telling(send, self._users, budget)
            await self._serve(caller, budget, scope, receive, send)
        except _IdentityRefusedError:
            error = UpstreamFailedError(
                "The tasks service does not accept this gateway's signature: do both have the "
                "same IDENTITY_KEY, and their clocks the same time?"
            )
            await send_problem(error, scope, receive, send, self._public_url)
        except ServiceError as error:
            await send_problem(error, scope, receive, send, self._public_url)

    async def _serve_stranger(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] not in _HEALTH:
            await self._strangers.admit(scope)
        await self._control(scope, receive, send)

    async def _authenticate(self, scope: Scope) -> Caller:
        record, begun = record_of(scope), perf_counter()
        record.route = _ROUTE
        try:
            caller = await self._authenticator.authenticate(scope)
        finally:
            record.auth = perf_counter() - begun
        record.user_id = caller.verdict.user_id
        return caller

    async def _serve(
        self, caller: Caller, budget: Budget | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        path: str = scope["path"]
        if path in _OWN:
            record_of(scope).route = path
            scope["state"] = {**scope.get("state", {}), "verdict": caller.verdict}
            await self._control(scope, receive, send)
            return
        if "/." in path and not _DOT_SEGMENTS.isdisjoint(path.split("/")):
            # Whatever resolved them on the way could leave /api/ behind.
            raise NotFoundError
        await self._forward(caller, budget, scope, receive, send)

    async def _forward(
        self, caller: Caller, budget: Budget | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        metrics, record, begun = self._metrics, record_of(scope), perf_counter()

        async def relay(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] == _UNAUTHORIZED:
                    raise _IdentityRefusedError
                record.upstream = perf_counter() - begun
                metrics.observe_tasks(record.upstream)
                record.route = _take_route(message) or _ROUTE
                message["headers"] = self._charged(message["headers"], budget)
            await send(message)

        request_id: Header = (_REQUEST_ID, record.request_id.encode())
        metrics.forwarding.inc()
        try:
            with traced("forward"):
                headers = (*caller.identity_headers, request_id, *outgoing_trace())
                await self._forwarder.forward(scope, receive, relay, headers)
            if record.status is not None and not record.complete and record.outcome is None:
                metrics.count_failure(_UPSTREAM, UpstreamFailedError.code)
        except _IdentityRefusedError:
            metrics.count_failure(_UPSTREAM, UpstreamFailedError.code)
            raise
        except _UPSTREAM_ERRORS as error:
            metrics.count_failure(_UPSTREAM, error.code)
            raise
        finally:
            metrics.forwarding.dec()

    def _charged(self, headers: list[Header], budget: Budget | None) -> list[Header]:
        """Return the headers without what the request has cost, which is charged."""
        for header in headers:
            if header[0] == _COST:
                if self._users is not None and budget is not None:
                    self._users.charge(budget, int(header[1]))
                return [other for other in headers if other is not header]
        return headers


class _IdentityRefusedError(Exception):
    """A 401 from behind is about our signature: to the client it would mean "sign in again"."""


def _take_route(message: Message) -> str | None:
    # The service behind tells the template by a header, which is no business of the client's.
    for header in message["headers"]:
        if header[0] == ROUTE_HEADER:
            message["headers"].remove(header)
            template: str = header[1].decode("latin-1")
            return template
    return None


def _telling(send: Send, users: Limiter, budget: Budget) -> Send:
    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *users.headers(budget)]
        await send(message)

    return tell
