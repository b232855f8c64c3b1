"""The figures of several workers, as they are summed up."""

from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric

from service_kit.figures import Figures


class Worker:
    """Counts like a process that serves."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.count = Counter("cups", "Cups filled.", ["tea"], registry=registry)
        self.now = Gauge("pots", "Pots on the stove.", registry=registry)
        self.long = Histogram("waits", "Waits.", buckets=(1.0,), registry=registry)

    def figures(self) -> Sequence[Metric]:
        return list(self._registry.collect())


@pytest.fixture
def workers() -> tuple[Worker, Worker]:
    one, other = Worker(), Worker()
    one.count.labels("green").inc(2)
    other.count.labels("green").inc(3)
    other.count.labels("black").inc()
    for worker in (one, other):
        worker.now.set(4)
        worker.long.observe(0.5)
    return one, other


@pytest.fixture
def figures(workers: tuple[Worker, Worker]) -> Figures:
    figures = Figures()
    figures.workers += workers
    return figures


def shown(figures: Figures) -> dict[str, float]:
    """Tell the samples as Prometheus sees them."""
    registry = CollectorRegistry()
    registry.register(figures)
    lines = generate_latest(registry).decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


@pytest.mark.spec("OBS-2")
def test_what_workers_count_is_added_up_each_label_by_itself(figures: Figures) -> None:
    found = shown(figures)

    assert found['cups_total{tea="green"}'] == 5
    assert found['cups_total{tea="black"}'] == 1
    assert found["pots"] == 8
    assert found['waits_bucket{le="1.0"}'] == found["waits_count"] == 2
    assert found["waits_sum"] == 1


@pytest.mark.spec("OBS-2")
def test_times_of_a_beginning_are_those_of_the_first(
    figures: Figures, workers: tuple[Worker, Worker]
) -> None:
    first, _ = (
        sample.value
        for worker in workers
        for metric in worker.figures()
        for sample in metric.samples
        if sample.name == "waits_created"
    )

    assert shown(figures)["waits_created"] == first


@pytest.mark.spec("OBS-2")
def test_a_worker_that_ended_leaves_its_counts_but_not_what_it_had_at_present(
    figures: Figures, workers: tuple[Worker, Worker]
) -> None:
    one, _ = workers

    figures.bury(one)

    found = shown(figures)
    assert found['cups_total{tea="green"}'] == 5
    assert found["waits_count"] == 2
    assert found["pots"] == 4


@pytest.mark.spec("OBS-2")
def test_asking_twice_adds_nothing(figures: Figures, workers: tuple[Worker, Worker]) -> None:
    figures.bury(workers[0])

    assert shown(figures)['cups_total{tea="green"}'] == 5
    assert shown(figures)['cups_total{tea="green"}'] == 5
