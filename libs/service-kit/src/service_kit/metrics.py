"""What every service counts, and the inner port where Prometheus finds it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    start_http_server,
)
from starlette.types import Scope

from service_kit.api import StartupError
from service_kit.observed import Record

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_METHODS = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"))
# Far above routes times methods times statuses: what is beyond is somebody's invention.
_MOST_SERIES = 3000


class ToParent:
    """What a worker counts, which it shows on no port: the one that started it asks."""

    def __init__(self) -> None:
        self.is_worker = False
        self.registry = CollectorRegistry()


to_parent = ToParent()


class Metrics:
    """The figures of one process; a service adds its own to `registry`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "taskgate_http_requests",
            "Requests, by what became of them (status none: nobody waited for the answer).",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._durations = Histogram(
            "taskgate_http_request_duration_seconds",
            "How long requests waited for their answer to begin.",
            ["method", "route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "taskgate_http_requests_in_flight", "Requests under way.", registry=self.registry
        )
        self._series: dict[object, tuple[Callable[[], None], Callable[[float], None]]] = {}

    def begin(self, _record: Record) -> None:
        """Count a request that has come."""
        self._in_flight.inc()

    def end(self, record: Record, _scope: Scope) -> None:
        """Count a request that is over."""
        self._in_flight.dec()
        key = record.method, record.route, record.status
        count, observe = self._series.get(key) or self._add_series(*key)
        count()
        observe(record.waited)

    async def aclose(self) -> None:
        """Do nothing: figures are read where they are."""

    def _add_series(
        self, method: str, route: str, status: int | None
    ) -> tuple[Callable[[], None], Callable[[float], None]]:
        key = method, route, status
        full = len(self._series) >= _MOST_SERIES
        named = method if method in _METHODS else "other", "other" if full else route
        series = (
            self._requests.labels(*named, "none" if status is None else str(status)).inc,
            self._durations.labels(*named).observe,
        )
        if not full:
            self._series[key] = series
        return series


@asynccontextmanager
async def served(registry: CollectorRegistry, port: int | None) -> AsyncIterator[None]:
    """Serve the metrics under /metrics on a port of their own, if there is one.

    A worker leaves that to the one that started it: see `service_kit.figures`. Raises
    `StartupError` if the port is taken.
    """
    if to_parent.is_worker:
        to_parent.registry = registry
        yield
        return
    if port is None:
        yield
        return
    try:
        server, thread = start_http_server(port, registry=registry)
    except OSError as error:
        raise StartupError(f"METRICS_PORT {port}: {error.strerror}.") from error
    try:
        yield
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()
