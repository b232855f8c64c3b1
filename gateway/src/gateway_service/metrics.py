"""What the gateway counts, and the inner port where Prometheus finds it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, start_http_server

from service_kit.api import StartupError


class Metrics:
    """The counters of one gateway process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._lookups = Counter(
            "taskgate_verdict_cache_requests",
            "Looks for a verdict, by layer (memory, redis) and what came of it "
            "(hit, miss; in Redis also rejected: not sealed by us, and error: Redis is down).",
            ["layer", "result"],
            registry=self.registry,
        )
        self._refusals = Counter(
            "taskgate_auth_refusals",
            "Requests let in by nothing they brought, by reason.",
            ["reason"],
            registry=self.registry,
        )
        # Looked up once: these two are counted on every request.
        self.count_remembered = self._lookups.labels("memory", "hit").inc
        self.count_forgotten = self._lookups.labels("memory", "miss").inc

    def count_stored(self, result: str) -> None:
        """Count a look into Redis."""
        self._lookups.labels("redis", result).inc()

    def count_refusal(self, reason: str) -> None:
        """Count a request that was let in by nothing."""
        self._refusals.labels(reason).inc()

    def watch_entries(self, number: Callable[[], float]) -> None:
        """Show how many verdicts are in process."""
        gauge = Gauge(
            "taskgate_verdict_cache_entries",
            "Verdicts kept in process.",
            registry=self.registry,
        )
        gauge.set_function(number)


@asynccontextmanager
async def served(metrics: Metrics, port: int | None) -> AsyncIterator[None]:
    """Serve the metrics under /metrics on a port of their own, if there is one.

    Raises `StartupError` if the port is taken.
    """
    if port is None:
        yield
        return
    try:
        server, thread = start_http_server(port, registry=metrics.registry)
    except OSError as error:
        raise StartupError(f"METRICS_PORT {port}: {error.strerror}.") from error
    try:
        yield
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()
