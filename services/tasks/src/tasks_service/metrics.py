"""What the tasks service counts besides what every service does."""

from prometheus_client import Counter, Gauge
from sqlalchemy import Pool, QueuePool, event
from sqlalchemy.ext.asyncio import AsyncEngine

from service_kit import metrics


class Metrics(metrics.Metrics):
    """The figures of one process of the tasks service."""

    def __init__(self) -> None:
        super().__init__()
        self._connections = Gauge(
            "taskgate_database_connections_in_use",
            "Connections to PostgreSQL that a request holds.",
            registry=self.registry,
        )
        self._most = Gauge(
            "taskgate_database_connections_max",
            "Connections to PostgreSQL that requests may hold (DATABASE_POOL_SIZE).",
            registry=self.registry,
        )
        self._failures = Counter(
            "taskgate_database_failures",
            "Requests that found PostgreSQL away, by the kind of error.",
            ["reason"],
            registry=self.registry,
        )

    def count_failure(self, error: Exception) -> None:
        """Count a request that the database failed."""
        self._failures.labels(type(error).__name__).inc()

    def watch_pool(self, engine: AsyncEngine, size: int) -> None:
        """Show how many connections of the engine are in use."""
        self._most.set(size)
        pool: Pool = engine.sync_engine.pool
        show = self._connections.set

        # Asked each time: a checkout that finds its connection dead is announced twice.
        @event.listens_for(pool, "checkout")
        def taken(*_: object) -> None:
            show(_in_use(pool))

        @event.listens_for(pool, "checkin")
        def given_back(*_: object) -> None:
            # Announced a moment before it is in the pool again.
            show(_in_use(pool) - 1)


def _in_use(pool: Pool) -> int:
    return pool.checkedout() if isinstance(pool, QueuePool) else 0
