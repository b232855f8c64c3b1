"""What the gateway counts besides what every service does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram

from gateway_service.upstream.errors import (
    UpstreamFailedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from service_kit import metrics
from service_kit.observed import Record

_TASKS = "tasks"
_FAILURES = (UpstreamFailedError, UpstreamTimeoutError, UpstreamUnavailableError)


class Metrics(metrics.Metrics):
    """The figures of one gateway process."""

    def __init__(self) -> None:
        super().__init__()
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
        self._limited = Counter(
            "taskgate_rate_limited",
            "Requests refused with 429, by the limit that was used up (user, address, failures).",
            ["policy"],
            registry=self.registry,
        )
        entries = Gauge(
            "taskgate_verdict_cache_entries", "Verdicts kept in process.", registry=self.registry
        )
        waits = Histogram(
            "taskgate_upstream_wait_seconds",
            "How long services behind took to begin their answer.",
            ["upstream"],
            buckets=metrics.SECONDS,
            registry=self.registry,
        )
        self._failures = Counter(
            "taskgate_upstream_failures",
            "Requests that a service behind failed, by error code.",
            ["upstream", "code"],
            registry=self.registry,
        )
        self._forwarding = Gauge(
            "taskgate_upstream_requests_in_flight",
            "Requests under way to the tasks service.",
            registry=self.registry,
        )
        # Looked up once: these are told of every request.
        self.count_remembered = self._lookups.labels("memory", "hit").inc
        self.count_forgotten = self._lookups.labels("memory", "miss").inc
        self.show_entries = entries.set
        self.observe_tasks = waits.labels(_TASKS).observe
        self.observe_verifier = waits.labels("auth-verifier").observe

    def count_stored(self, result: str) -> None:
        """Count a look into Redis."""
        self._lookups.labels("redis", result).inc()

    def count_refusal(self, reason: str) -> None:
        """Count a request that was let in by nothing."""
        self._refusals.labels(reason).inc()

    def limit_counter(self, policy: str) -> Callable[[], None]:
        """Return what counts a request that a limit refuses; it shows 0 from now on."""
        return self._limited.labels(policy).inc

    def count_failure(self, upstream: str, code: str) -> None:
        """Count a request that a service behind failed."""
        self._failures.labels(upstream, code).inc()

    def count_failed_forwarding(self, code: str) -> None:
        """Count a request that the tasks service failed."""
        self.count_failure(_TASKS, code)

    @contextmanager
    def forwarding(self, record: Record) -> Iterator[None]:
        """Count a request that is under way to tasks, and whether tasks fails it."""
        self._forwarding.inc()
        try:
            yield
            if record.status is not None and not record.complete and record.outcome is None:
                self.count_failed_forwarding(UpstreamFailedError.code)
        except _FAILURES as error:
            self.count_failed_forwarding(error.code)
            raise
        finally:
            self._forwarding.dec()
