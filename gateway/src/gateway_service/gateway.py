"""The door itself: every request under /api/ is authenticated and forwarded, as plain ASGI."""

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_service.admission import Admission, Admitted
from gateway_service.authentication.revocations import Revocations
from gateway_service.authentication.verdicts import Verdict
from gateway_service.errors import LogoutUnavailableError, RemovalUnconfirmedError
from gateway_service.forwarding import Forwarder
from gateway_service.metrics import Metrics
from gateway_service.upstream.errors import UpstreamFailedError
from gateway_service.upstream.request import Header
from service_kit.cost import HEADER as COST_HEADER
from service_kit.errors import NotFoundError, ServiceError, send_problem
from service_kit.observed import ROUTE_HEADER, record_of
from service_kit.request_id import HEADER
from service_kit.trace_context import outgoing_trace, traced

_FORWARDED_PREFIX = "/api/"
# What is told of a request under it as long as the service behind has not named its own route.
_ROUTE = "/api/{path}"
# What the gateway answers itself, once it knows the caller.
_OWN = frozenset(("/api/v1/me", "/api/v1/auth/logout", "/api/v1/auth/logout-all"))
# What takes all of its caller's tokens along, once it is done.
_ACCOUNT = "/api/v1/account"
_REQUEST_ID = HEADER.encode()
_COST = COST_HEADER.encode()
_UNTRUSTED = (
    "The tasks service does not accept this gateway's signature: do both have the same "
    "IDENTITY_KEY, and their clocks the same time?"
)
_UNAUTHORIZED = 401
_SUCCESS = range(200, 300)
_DOT_SEGMENTS = frozenset((".", ".."))


class Gateway:
    """Sends requests under /api/ to the tasks service, and all others to `control`.

    `control` also answers the few of `_OWN`, with the caller's verdict in the request's state.
    """

    def __init__(  # noqa: PLR0913 - each is a part of the door, given by name.
        self,
        control: ASGIApp,
        *,
        admission: Admission,
        forwarder: Forwarder,
        revocations: Revocations,
        metrics: Metrics,
        public_url: str,
    ) -> None:
        self._control = control
        self._admission = admission
        self._forwarder = forwarder
        self._revocations = revocations
        self._metrics = metrics
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI)."""
        if scope["type"] == "lifespan":
            await self._control(scope, receive, send)
            return
        try:
            if scope["type"] == "http" and scope["path"].startswith(_FORWARDED_PREFIX):
                await self._serve(scope, receive, send)
            else:
                await self._admission.admit_stranger(scope)
                await self._control(scope, receive, send)
        except ServiceError as error:
            await send_problem(error, scope, receive, send, self._public_url)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        record_of(scope).route = _ROUTE
        admitted = await self._admission.admit(scope)

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *admitted.headers()]
            await send(message)

        try:
            if scope["path"] in _OWN:
                record_of(scope).route = scope["path"]
                scope["state"] = {**scope.get("state", {}), "verdict": admitted.caller.verdict}
                await self._control(scope, receive, tell)
            else:
                await self._forward(admitted, scope, receive, tell)
        except _InsteadError as instead:
            await send_problem(instead.error, scope, receive, tell, self._public_url)
        except ServiceError as error:
            await send_problem(error, scope, receive, tell, self._public_url)

    async def _forward(
        self, admitted: Admitted, scope: Scope, receive: Receive, send: Send
    ) -> None:
        path: str = scope["path"]
        if "/." in path and not _DOT_SEGMENTS.isdisjoint(path.split("/")):
            # Whatever resolved them on the way could leave /api/ behind.
            raise NotFoundError
        removes_account = scope["method"] == "DELETE" and path.removesuffix("/") == _ACCOUNT

        metrics, record, begun = self._metrics, record_of(scope), perf_counter()

        async def relay(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] == _UNAUTHORIZED:
                    # About our signature: to the client it would mean "sign in again".
                    metrics.count_failed_forwarding(UpstreamFailedError.code)
                    raise _InsteadError(UpstreamFailedError(_UNTRUSTED))
                record.upstream = perf_counter() - begun
                metrics.observe_tasks(record.upstream)
                record.route = _take_route(message) or _ROUTE
                if removes_account and message["status"] in _SUCCESS:
                    await self._revoke_all(admitted.caller.verdict)
                _charge(message, admitted)
            await send(message)

        ours: Header = (_REQUEST_ID, record.request_id.encode())
        with metrics.forwarding(record), traced("forward"):
            headers = (*admitted.caller.identity_headers, ours, *outgoing_trace())
            await self._forwarder.forward(scope, receive, relay, headers)

    async def _revoke_all(self, verdict: Verdict) -> None:
        # No sooner: a removal that failed would have locked its user out.
        try:
            await self._revocations.revoke_user(verdict)
        except LogoutUnavailableError as error:
            raise _InsteadError(RemovalUnconfirmedError()) from error


class _InsteadError(Exception):
    """What to answer in place of what came from behind.

    No `ServiceError`: between head and body, the exchange takes that for an answer cut short.
    """

    def __init__(self, error: ServiceError) -> None:
        super().__init__(error.detail)
        self.error = error


def _take_route(message: Message) -> str | None:
    """Return the template by which the service behind names its route, and hide it."""
    for header in message["headers"]:
        if header[0] == ROUTE_HEADER:
            message["headers"] = [other for other in message["headers"] if other is not header]
            template: str = header[1].decode("latin-1")
            return template
    return None


def _charge(message: Message, admitted: Admitted) -> None:
    """Charge what a request has cost, which is no business of the client's."""
    for header in message["headers"]:
        if header[0] == _COST:
            admitted.charge(int(header[1]))
            message["headers"] = [other for other in message["headers"] if other is not header]
            return
