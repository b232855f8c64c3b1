"""What the auth-verifier counts besides what every service does."""

from collections.abc import Callable

from prometheus_client import Counter

from service_kit import metrics


class Metrics(metrics.Metrics):
    """The figures of one auth-verifier."""

    def __init__(self) -> None:
        super().__init__()
        self._verdicts = Counter(
            "taskgate_verdicts",
            "Tokens judged, by what it came to: good, or the reason why not.",
            ["result"],
            registry=self.registry,
        )
        self._fetches = Counter(
            "taskgate_key_fetches",
            "Fetches of an issuer's key set, by result (fetched, failed).",
            ["issuer", "result"],
            registry=self.registry,
        )

    def count_verdict(self, result: str) -> None:
        """Count a token that was judged."""
        self._verdicts.labels(result).inc()

    def fetches_of(self, issuer: str) -> Callable[[bool], None]:
        """Return what counts the fetches of an issuer's keys, told whether one succeeded."""
        fetched, failed = (self._fetches.labels(issuer, end) for end in ("fetched", "failed"))
        return lambda succeeded: (fetched if succeeded else failed).inc()
