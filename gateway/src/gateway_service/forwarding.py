"""The forwarding path: one ASGI request to the upstream and its answer back, streamed both ways."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from starlette.types import Receive, Scope, Send

from gateway_service.upstream.body import RequestBody
from gateway_service.upstream.errors import ClientDisconnectedError
from gateway_service.upstream.exchange import Exchange
from gateway_service.upstream.pool import UpstreamPool
from gateway_service.upstream.request import Header, build_head
from service_kit.observed import record_of

_NONE: Mapping[str, int] = MappingProxyType({})


class Forwarder:
    """Forwards requests over `pool`; a request's body may have `body_limit` bytes at most.

    `body_limits` are those of the paths that have one of their own.
    """

    def __init__(
        self, pool: UpstreamPool, *, body_limit: int, body_limits: Mapping[str, int] = _NONE
    ) -> None:
        self._pool = pool
        self._body_limit = body_limit
        self._body_limits = body_limits

    async def forward(
        self, scope: Scope, receive: Receive, send: Send, identity_headers: Sequence[Header]
    ) -> None:
        """Forward a request, with `identity_headers` in place of whatever the client sent as such.

        Raises a `ServiceError` only while nothing has been sent to the client. Returns without
        having answered when the client hangs up, and with half an answer when the upstream does.
        """
        head, length = build_head(scope, self._pool.authority, identity_headers)
        # One slash at the end makes no difference to the service.
        limit = self._body_limits.get(scope["path"].removesuffix("/"), self._body_limit)
        body = RequestBody(receive, length, limit=limit, timeout=self._pool.timeouts.request_body)
        exchange = Exchange(self._pool, receive, body)
        try:
            data = head if body.complete else head + await body.read()
            await exchange.start(scope["method"], data)
            await exchange.relay(send)
        except ClientDisconnectedError:
            record_of(scope).outcome = "client_gone"
        finally:
            exchange.close()
