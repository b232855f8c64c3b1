"""The pool of keep-alive connections to one upstream."""

import asyncio
import math
import time
from random import SystemRandom
from urllib.parse import urlsplit

from gateway_service.breaker import Breaker
from gateway_service.upstream.addresses import AddressBook, Resolve, resolve_name
from gateway_service.upstream.endpoints import (
    DOWN_SECONDS,
    Endpoint,
    Endpoints,
    PooledConnection,
)
from gateway_service.upstream.errors import UpstreamUnavailableError
from gateway_service.upstream.timeouts import Freshness, UpstreamTimeouts

_HTTP_PORT = 80
# Connections made together must not all end together.
_AGE_JITTER = 0.2
_random = SystemRandom()


class UpstreamPool:
    """Leases connections to `url` (`http://host[:port]`), spread over the host's addresses.

    At most `max_connections` are open, and who has to wait is served in order of arrival.
    `resolve` finds the addresses; `breaker` counts failures in a row. Use it within one event
    loop. Raises `ValueError` for any other kind of URL.
    """

    def __init__(
        self,
        url: str,
        *,
        timeouts: UpstreamTimeouts | None = None,
        max_connections: int = 256,
        freshness: Freshness | None = None,
        resolve: Resolve = resolve_name,
    ) -> None:
        host, port, self.authority = _parse(url)
        self.timeouts = timeouts or UpstreamTimeouts()
        self._max_connections = max_connections
        self._freshness = freshness = freshness or Freshness()
        self._slots = asyncio.Semaphore(max_connections)
        self._open: set[PooledConnection] = set()
        self._connecting = 0
        self._closed = False
        self._endpoints = Endpoints()
        self.breaker = Breaker(time.monotonic)
        self._book = AddressBook(
            host,
            port,
            resolve=resolve,
            interval=freshness.resolve_interval,
            on_change=self._endpoints.replace,
        )

    async def lease(self) -> PooledConnection:
        """Take a connection for one exchange, to be given back with `release`.

        Raises `UpstreamUnavailableError` if there is none to be had in time.
        """
        if not self.breaker.allows():
            raise UpstreamUnavailableError(
                "The upstream has failed, and is left alone for a moment."
            )
        await self._take_slot()
        try:
            return await self._obtain(fresh=False)
        except BaseException:
            self._slots.release()
            raise

    async def replace(self, connection: PooledConnection) -> PooledConnection:
        """Exchange a leased connection that turned out dead for a newly made one.

        Raises `UpstreamUnavailableError`; the lease is over then.
        """
        connection.endpoint.in_flight -= 1
        connection.close()
        try:
            return await self._obtain(fresh=True)
        except BaseException:
            self._slots.release()
            raise

    def release(self, connection: PooledConnection, *, reusable: bool) -> None:
        """Take a leased connection back; it is closed unless another exchange may follow."""
        endpoint = connection.endpoint
        endpoint.in_flight -= 1
        self._slots.release()
        if (
            reusable
            and connection.is_reusable()
            and not self._closed
            and endpoint in self._endpoints
        ):
            connection.rest(self._freshness.idle_timeout)
            endpoint.idle.append(connection)
        else:
            connection.close()

    async def aclose(self) -> None:
        """Close every connection, those in use too, and make no new ones."""
        self._closed = True
        for connection in tuple(self._open):
            connection.close()
        await self._book.aclose()

    async def _take_slot(self) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        try:
            async with asyncio.timeout(self.timeouts.pool_wait):
                await self._slots.acquire()
        except TimeoutError:
            raise UpstreamUnavailableError("Every connection to the upstream is busy.") from None

    async def _obtain(self, *, fresh: bool) -> PooledConnection:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._book.refresh_if_due(now)
        endpoint = self._endpoints.choose(now)
        if endpoint is not None and not fresh:
            connection = endpoint.take_idle(now)
            if connection is not None:
                endpoint.in_flight += 1
                return connection
        return await self._connect(endpoint, now + self.timeouts.connect)

    async def _connect(self, endpoint: Endpoint | None, deadline: float) -> PooledConnection:
        """Connect to `endpoint`, or to any other that answers before the deadline."""
        loop = asyncio.get_running_loop()
        tried: set[Endpoint] = set()
        refreshed = False
        while not self._closed and loop.time() < deadline:
            if endpoint is not None:
                connection = await self._attempt(endpoint, self._share(deadline, tried))
                if connection is not None:
                    return connection
                tried.add(endpoint)
            elif not refreshed:
                # All known addresses failed: it may have moved since.
                refreshed = True
                await asyncio.wait([self._book.refresh()], timeout=deadline - loop.time())
            else:
                break
            endpoint = self._endpoints.choose(loop.time(), tried)
        self.breaker.failed()
        raise UpstreamUnavailableError("The upstream cannot be reached.")

    def _share(self, deadline: float, tried: set[Endpoint]) -> float:
        """When to give one address up, so that the untried ones get as long."""
        now = asyncio.get_running_loop().time()
        untried = sum(endpoint not in tried for endpoint in self._endpoints)
        return now + (deadline - now) / max(untried, 1)

    async def _attempt(self, endpoint: Endpoint, give_up_at: float) -> PooledConnection | None:
        loop = asyncio.get_running_loop()
        expires_at = loop.time() + self._freshness.max_age * (1 - _AGE_JITTER * _random.random())
        self._make_room()
        endpoint.in_flight += 1
        self._connecting += 1
        try:
            async with asyncio.timeout_at(give_up_at):
                _, connection = await loop.create_connection(
                    lambda: PooledConnection(loop, self._forget, endpoint, expires_at),
                    *endpoint.address,
                )
        except (OSError, TimeoutError):
            endpoint.in_flight -= 1
            endpoint.down_until = loop.time() + DOWN_SECONDS
            self._book.refresh()
            return None
        except BaseException:
            endpoint.in_flight -= 1
            raise
        finally:
            self._connecting -= 1
        endpoint.down_until = -math.inf
        self._open.add(connection)
        return connection

    def _make_room(self) -> None:
        if len(self._open) + self._connecting >= self._max_connections:
            busiest = max(self._endpoints, key=lambda endpoint: len(endpoint.idle))
            if busiest.idle:
                connection = busiest.idle.pop(0)
                self._open.discard(connection)
                connection.close()

    def _forget(self, connection: PooledConnection) -> None:
        self._open.discard(connection)
        if connection in connection.endpoint.idle:
            connection.endpoint.idle.remove(connection)


def _parse(url: str) -> tuple[str, int, bytes]:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or parts.path not in {"", "/"}:
        raise ValueError(f"An upstream is given as http://host[:port], not {url!r}.")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("The URL of an upstream holds nothing but its host and port.")
    return parts.hostname, parts.port or _HTTP_PORT, parts.netloc.encode("ascii")
