"""What lies behind the door: the tasks service, with what its answers mean to the gateway."""

from collections.abc import Sequence
from time import perf_counter

from starlette.types import Message, Receive, Scope, Send

from gateway_service.admission import Admitted
from gateway_service.authentication.revocations import Revocations
from gateway_service.authentication.verdicts import Verdict
from gateway_service.errors import LogoutUnavailableError, RemovalUnconfirmedError
from gateway_service.event_streams import PATH, EventStreams
from gateway_service.forwarding import Forwarder
from gateway_service.metrics import Metrics
from gateway_service.upstream.errors import UpstreamFailedError
from gateway_service.upstream.request import Header
from service_kit.cost import HEADER as COST_HEADER
from service_kit.errors import NotFoundError, ServiceError
from service_kit.observed import ROUTE_HEADER, Record, record_of
from service_kit.request_id import HEADER
from service_kit.trace_context import outgoing_trace, traced

# What is told of a request as long as the service behind has not named its own route.
ANY_ROUTE = "/api/{path}"
# What takes all of its caller's tokens along, once it is done.
_ACCOUNT = "/api/v1/account"
# Streams go over connections of their own; the tasks service takes this path with a slash too.
_STREAM = frozenset((PATH, f"{PATH}/"))
_REQUEST_ID = HEADER.encode()
_COST = COST_HEADER.encode()
# What the service tells us alone.
_INNER = frozenset((_COST, ROUTE_HEADER))
_UNTRUSTED = (
    "The tasks service does not accept this gateway's signature: do both have the same "
    "IDENTITY_KEY, and their clocks the same time?"
)
_UNAUTHORIZED = 401
_SUCCESS = range(200, 300)
_DOT_SEGMENTS = frozenset((".", ".."))


class InsteadError(Exception):
    """What to answer in place of what came from behind.

    No `ServiceError`: between head and body, the exchange takes that for an answer cut short.
    """

    def __init__(self, error: ServiceError) -> None:
        super().__init__(error.detail)
        self.error = error


class Behind:
    """Sends an admitted caller's requests to the tasks service."""

    def __init__(
        self,
        forwarder: Forwarder,
        streams: EventStreams,
        revocations: Revocations,
        metrics: Metrics,
    ) -> None:
        self._forwarder = forwarder
        self._streams = streams
        self._revocations = revocations
        self._metrics = metrics

    async def serve(self, admitted: Admitted, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request. Raises `ServiceError` or `InsteadError` while nothing was sent."""
        path: str = scope["path"]
        if "/." in path and not _DOT_SEGMENTS.isdisjoint(path.split("/")):
            # Whatever resolved them on the way could leave /api/ behind.
            raise NotFoundError
        removes_account = scope["method"] == "DELETE" and path.removesuffix("/") == _ACCOUNT
        record, begun = record_of(scope), perf_counter()

        async def relay(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] == _UNAUTHORIZED:
                    # About our signature: to the client it would mean "sign in again".
                    self._metrics.count_failed_forwarding(UpstreamFailedError.code)
                    raise InsteadError(UpstreamFailedError(_UNTRUSTED))
                record.upstream = perf_counter() - begun
                self._metrics.observe_tasks(record.upstream)
                if removes_account and message["status"] in _SUCCESS:
                    await self._revoke_all(admitted.caller.verdict)
                message["headers"] = _taken_in(message["headers"], admitted, record)
            await send(message)

        ours: Header = (_REQUEST_ID, record.request_id.encode())
        with self._metrics.forwarding(record), traced("forward"):
            caller = admitted.caller
            headers = (*caller.identity_headers, ours, *outgoing_trace())
            if path in _STREAM:
                await self._streams.forward(scope, receive, relay, caller.verdict, headers)
            else:
                await self._forwarder.forward(scope, receive, relay, headers)

    async def _revoke_all(self, verdict: Verdict) -> None:
        # No sooner: a removal that failed would have locked its user out.
        try:
            await self._revocations.revoke_user(verdict)
        except LogoutUnavailableError as error:
            raise InsteadError(RemovalUnconfirmedError()) from error


def _taken_in(headers: Sequence[Header], admitted: Admitted, record: Record) -> list[Header]:
    """Take in what the service tells us of a request, and return what is left for the client."""
    record.route = ANY_ROUTE
    for name, value in headers:
        if name == _COST:
            admitted.charge(int(value))
        elif name == ROUTE_HEADER:
            record.route = value.decode("latin-1")
    return [header for header in headers if header[0] not in _INNER]
