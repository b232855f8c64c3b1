"""The addresses of one upstream, and which of them the next exchange goes to."""

import asyncio
import math
from collections.abc import Callable, Collection, Iterator, Sequence

from gateway_service.upstream.addresses import Address
from gateway_service.upstream.connection import UpstreamConnection

# How long an address that refused a connection is passed over while another will do.
DOWN_SECONDS = 2.0


class PooledConnection(UpstreamConnection):
    """A connection that knows its address and the time (of the loop's clock) to retire it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_lost: Callable[["PooledConnection"], None],
        endpoint: "Endpoint",
        expires_at: float,
    ) -> None:
        super().__init__(loop)
        self._on_lost = on_lost
        self.endpoint = endpoint
        self.expires_at = expires_at

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the pool too."""
        super().connection_lost(exc)
        self._on_lost(self)


class Endpoint:
    """One address: its idle connections, the last used at the end, and its exchanges in flight."""

    __slots__ = ("address", "down_until", "idle", "in_flight")

    def __init__(self, address: Address) -> None:
        self.address = address
        self.idle: list[PooledConnection] = []
        self.in_flight = 0
        self.down_until = -math.inf

    def take_idle(self, now: float) -> PooledConnection | None:
        """Take out the idle connection used last that is still good, if there is one."""
        while self.idle:
            connection = self.idle.pop()
            if now < connection.expires_at and connection.is_reusable():
                return connection
            connection.close()
        return None

    def close_idle(self) -> None:
        """Close every connection that is not in use."""
        idle, self.idle = self.idle, []
        for connection in idle:
            connection.close()


class Endpoints:
    """The endpoints of an upstream as its name resolves now."""

    def __init__(self) -> None:
        self._endpoints: tuple[Endpoint, ...] = ()
        self._turn = 0

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._endpoints)

    def __contains__(self, endpoint: Endpoint) -> bool:
        return endpoint in self._endpoints

    def replace(self, addresses: Sequence[Address]) -> None:
        """Take these addresses for the upstream's; those gone lose their idle connections."""
        known = {endpoint.address: endpoint for endpoint in self._endpoints}
        self._endpoints = tuple(
            known.pop(address) if address in known else Endpoint(address)
            for address in dict.fromkeys(addresses)
        )
        for gone in known.values():
            gone.close_idle()

    def choose(self, now: float, tried: Collection[Endpoint] = ()) -> Endpoint | None:
        """Pick the endpoint with the least in flight, equals by turns; None if all were tried."""
        endpoints = self._endpoints
        if len(endpoints) == 1 and not tried:
            return endpoints[0]
        self._turn += 1
        turn = self._turn % (len(endpoints) or 1)
        candidates = [e for e in endpoints[turn:] + endpoints[:turn] if e not in tried]
        up = [endpoint for endpoint in candidates if endpoint.down_until <= now]
        return min(up or candidates, key=lambda endpoint: endpoint.in_flight, default=None)
