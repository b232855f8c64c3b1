"""What a request costs: CPU time of the processes that serve it, while a load lasts."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.load import CONNECTIONS, Load, Request, send, together
from benchmarks.processes import Fleet

_MICROSECONDS = 1e6
_WARM_UP_SECONDS = 2.0


@dataclass(frozen=True)
class Served:
    """What is asked for at a port, and the programs that serve it, by name.

    With a `twin` of its port, each takes half of the connections.
    """

    programs: Sequence[str]
    port: int
    requests: Sequence[Request]
    twin: int | None = None

    async def load(self, seconds: float, folder: Path, connections: int) -> Load:
        """Ask for it for a while."""
        ports = [port for port in (self.port, self.twin) if port]
        each = connections // len(ports)
        return together(
            await asyncio.gather(
                *(send(port, self.requests, seconds, folder, connections=each) for port in ports)
            )
        )

    def spent(self, cost: "Cost") -> float:
        """Return what its programs cost together."""
        return sum(cost.spent[name] for name in self.programs)


@dataclass(frozen=True)
class Cost:
    """What one request cost: microseconds of CPU time by program; and the load that was on."""

    spent: Mapping[str, float]
    load: Load


async def measure(
    running: Fleet,
    served: Served,
    seconds: float,
    *,
    beside: Sequence[str] = (),
    connections: int = CONNECTIONS,
) -> Cost:
    """Send requests for a while, and see what they cost, also to programs `beside`."""
    names = (*served.programs, *beside)
    before = {name: running.cpu_seconds(name) for name in names}
    load = await served.load(seconds, running.folder, connections)
    if load.failed or not load.answered:
        raise RuntimeError(f"{served.programs}: {load.failed} of {load.answered} requests failed")
    spent = {
        name: (running.cpu_seconds(name) - before[name]) / load.answered * _MICROSECONDS
        for name in names
    }
    return Cost(spent, load)


async def measure_in_turns(
    running: Fleet,
    all_served: Mapping[str, Served],
    *,
    rounds: int,
    seconds: float,
    beside: Sequence[str] = (),
) -> dict[str, list[Cost]]:
    """Measure each in turn, several times over."""
    for served in all_served.values():
        await served.load(_WARM_UP_SECONDS, running.folder, CONNECTIONS)
    costs: dict[str, list[Cost]] = {name: [] for name in all_served}
    for _ in range(rounds):
        for name, served in all_served.items():
            cost = await measure(running, served, seconds, beside=beside)
            costs[name].append(cost)
    return costs


def middle(costs: Sequence[Cost], figure: Callable[[Cost], float]) -> float:
    """Return the median of a figure."""
    return median(figure(cost) for cost in costs)


def latencies(costs: Sequence[Cost]) -> tuple[float, float]:
    """Return the medians of p50 and p99, in milliseconds."""
    return middle(costs, lambda cost: cost.load.p50), middle(costs, lambda cost: cost.load.p99)


def ratio(costs: Sequence[Cost], served: Served, others: Sequence[Cost], other: Served) -> float:
    """Return the median of how many times the other's CPU time it takes, turn by turn."""
    return median(
        served.spent(cost) / other.spent(least) for cost, least in zip(costs, others, strict=True)
    )
