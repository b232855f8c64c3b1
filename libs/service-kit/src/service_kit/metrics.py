"""What every service counts, and the inner port where Prometheus finds it."""

import asyncio
import os
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

# Where workers keep their figures, for the one that started them to sum up: prometheus-client's
# own variable, which it reads when it is imported.
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_METHODS = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"))
# Far above routes times methods times statuses: what is beyond is somebody's invention.
_MOST_SERIES = 3000


class Metrics:
    """The figures of one process; a service adds its own to `registry`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        if SHARED_FOLDER not in os.environ:
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
        self._in_flight = gauge(
            "taskgate_http_requests_in_flight", "Requests under way.", self.registry
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


def gauge(name: str, text: str, registry: CollectorRegistry) -> Gauge:
    """Return a gauge of which several workers show the sum."""
    return Gauge(name, text, multiprocess_mode="livesum", registry=registry)


@asynccontextmanager
async def served(registry: CollectorRegistry, port: int | None) -> AsyncIterator[None]:
    """Serve the metrics under /metrics on a port of their own, if there is one.

    Of several workers none does: see `service_kit.workers`. Raises `StartupError` if the port is
    taken.
    """
    if port is None or SHARED_FOLDER in os.environ:
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
