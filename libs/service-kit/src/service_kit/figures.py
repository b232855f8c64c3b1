"""The figures of several workers, summed up when asked for, and the port that shows the sums."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

# How the names end of what is no sum of several processes, but the smallest of theirs.
_SMALLEST = ("process_start_time_seconds", "process_max_fds", "_created")
_COUNTS = frozenset(("counter", "histogram"))


class Worker(Protocol):
    """One of the processes."""

    def figures(self) -> Sequence[Metric]:
        """Return what it has counted, at present or when it was last asked."""


class Figures(Collector):
    """What all `workers` count, and what those have counted that have ended.

    Whoever asks a worker for anything holds `asking`.
    """

    def __init__(self) -> None:
        self.asking = threading.Lock()
        self.workers: list[Worker] = []
        self._own = ProcessCollector(registry=None)
        self._ended: list[Metric] = []

    def collect(self) -> list[Metric]:
        """Return the sums (called by prometheus-client)."""
        with self.asking:
            told = [metric for worker in self.workers for metric in worker.figures()]
            return _summed([*self._own.collect(), *self._ended, *told])

    def bury(self, worker: Worker) -> None:
        """Let go of a worker that ends, but not of its counts."""
        with self.asking:
            counts = [metric for metric in worker.figures() if metric.type in _COUNTS]
            self._ended = _summed([*self._ended, *counts])
            self.workers.remove(worker)


@contextmanager
def served_figures(port: int | None) -> Iterator[Figures]:
    """Serve the sums of workers under /metrics for the length of the block, if there is a port."""
    figures = Figures()
    registry = CollectorRegistry()
    registry.register(figures)
    server = start_http_server(port, registry=registry)[0] if port else None
    try:
        yield figures
    finally:
        if server:
            server.shutdown()
            server.server_close()


def _summed(metrics: Iterable[Metric]) -> list[Metric]:
    same: dict[str, list[Metric]] = {}
    for metric in metrics:
        same.setdefault(metric.name, []).append(metric)
    return [_sum(several) for several in same.values()]


def _sum(metrics: Sequence[Metric]) -> Metric:
    sums: dict[tuple[object, ...], Sample] = {}
    for sample in (sample for metric in metrics for sample in metric.samples):
        key = sample.name, *sample.labels.items()
        values = sample.value, *([sums[key].value] if key in sums else [])
        combine = min if sample.name.endswith(_SMALLEST) else sum
        sums[key] = sample._replace(value=combine(values))
    total = Metric(metrics[0].name, metrics[0].documentation, metrics[0].type)
    total.samples = list(sums.values())
    return total
