"""The door itself: every request under /api/ is authenticated and forwarded, as plain ASGI."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_service.authentication.authenticator import Authenticator
from gateway_service.authentication.callers import Caller
from gateway_service.forwarding import Forwarder
from gateway_service.limits.limiter import Budget, Limiter
from gateway_service.limits.limits import Limits
from gateway_service.upstream.errors import UpstreamFailedError
from gateway_service.upstream.request import Header
from service_kit.cost import HEADER as COST_HEADER
from service_kit.errors import NotFoundError, ServiceError, send_problem
from service_kit.request_id import HEADER, current_request_id

_FORWARDED_PREFIX = "/api/"
# What the gateway answers itself, once it knows the caller.
_OWN = frozenset(("/api/v1/me", "/api/v1/auth/logout", "/api/v1/auth/logout-all"))
_REQUEST_ID = HEADER.encode()
_COST = COST_HEADER.encode()
# Orchestrators ask often, and must never be refused.
_HEALTH = frozenset(("/healthz", "/readyz"))
_UNAUTHORIZED = 401
_DOT_SEGMENTS = frozenset((".", ".."))


class Gateway:
    """Sends requests under /api/ to the tasks service, and all others to `control`.

    `control` also answers the few of `_OWN`, with the caller's verdict in the request's state.
    """

    def __init__(
        self,
        control: ASGIApp,
        *,
        authenticator: Authenticator,
        forwarder: Forwarder,
        limits: Limits,
        public_url: str,
    ) -> None:
        self._control = control
        self._authenticator = authenticator
        self._forwarder = forwarder
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
            caller = await self._authenticator.authenticate(scope)
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
        await self._control(_under_its_id(scope), receive, send)

    async def _serve(
        self, caller: Caller, budget: Budget | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        path: str = scope["path"]
        if path in _OWN:
            state = {**scope.get("state", {}), "verdict": caller.verdict}
            await self._control({**_under_its_id(scope), "state": state}, receive, send)
            return
        if "/." in path and not _DOT_SEGMENTS.isdisjoint(path.split("/")):
            # Whatever resolved them on the way could leave /api/ behind.
            raise NotFoundError

        async def relay(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] == _UNAUTHORIZED:
                    raise _IdentityRefusedError
                message["headers"] = self._charged(message["headers"], budget)
            await send(message)

        request_id: Header = (_REQUEST_ID, current_request_id().encode())
        await self._forwarder.forward(scope, receive, relay, (*caller.identity_headers, request_id))

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


def _under_its_id(scope: Scope) -> Scope:
    # The control application gives ids too; offered first, ours is the one it takes.
    offered: Header = (_REQUEST_ID, current_request_id().encode())
    return {**scope, "headers": [offered, *scope["headers"]]}


def _telling(send: Send, users: Limiter, budget: Budget) -> Send:
    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *users.headers(budget)]
        await send(message)

    return tell
