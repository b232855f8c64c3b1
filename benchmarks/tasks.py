"""`python -m benchmarks.tasks`: what the tasks service costs, beside the least it could.

Both serve the same rows of one PostgreSQL in the same run, in turns.
"""

import asyncio
import platform
import secrets
import time
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from benchmarks.load import CONNECTIONS, Load, Request, generator, send
from benchmarks.processes import RESULTS, Fleet, fleet, machine
from benchmarks.seeding import seed
from devkit.ports import free_port
from devkit.process import Program
from devkit.readiness import answers_http
from devkit.servers import fast_cluster
from devkit.services import Services, uvicorn
from service_kit.identity import sign_identity

USERS, TASKS = 1000, 200
ROUNDS = 5
SECONDS = 2.0
WARM_UP_SECONDS = 1.0
GOAL = 1.5
_MICROSECONDS = 1e6
_REPORT = f"""# The tasks service beside its floor

`make bench-tasks`: {USERS:,} users with {TASKS} tasks each, {CONNECTIONS} connections, the median of {ROUNDS} turns of
{SECONDS:g} s each, load by {{generator}}. {{machine}}, Python {{python}}.

CPU time per request. The floor is FastAPI, asyncpg and JSON by hand, with nothing checked; the goal is at most {GOAL:g}
times that.

| request | floor | tasks | ratio | PostgreSQL: floor | tasks | per second: floor | tasks | p50, p99 |
|---|---|---|---|---|---|---|---|---|
{{lines}}
"""  # noqa: E501 - lines of Markdown


class Cost(NamedTuple):
    """What one request costs: CPU time of the service and of PostgreSQL, in microseconds."""

    service: float
    database: float
    load: Load


async def main() -> None:
    """Measure, print the table and write it down."""
    async with fleet() as running:
        cluster = fast_cluster(running.folder)
        await cluster.prepare()
        await running.start(cluster.program())
        key = secrets.token_hex(32)
        services = Services(cluster.url(), "", "", key, 0, "http://localhost:8080")
        await running.start(services.tasks())
        task_ids = await seed(cluster.url(), USERS, TASKS)
        floor = floor_program(cluster.url())
        await running.start(floor.program)
        users = [signed(f"user-{n}", key) for n in range(1, USERS + 1)]
        asked = {
            "list 20 of 200 tasks": [Request("/api/v1/tasks?limit=20", user) for user in users],
            "get one task": [
                Request(f"/api/v1/tasks/{task_id}", user)
                for task_id, user in zip(task_ids, users, strict=True)
            ],
        }
        ports = {"floor": floor.port, "tasks": services.tasks_port}
        lines = []
        for name, requests in asked.items():
            costs: dict[str, list[Cost]] = {service: [] for service in ports}
            for port in ports.values():
                await send(port, requests, WARM_UP_SECONDS, running.folder, connections=CONNECTIONS)
            for _ in range(ROUNDS):
                for service, port in ports.items():
                    costs[service].append(await measure(running, service, port, requests))
            lines.append(_line(name, costs["floor"], costs["tasks"]))
            print(lines[-1], flush=True)
    report(lines)


class Floor(NamedTuple):
    """The peer that does the least, and where it listens."""

    program: Program
    port: int


def floor_program(database_url: str) -> Floor:
    """Describe the floor on a database."""
    port = free_port()
    command = uvicorn("benchmarks.peers.floor:create_app", port)
    ready = answers_http(port, "/healthz")
    return Floor(Program("floor", command, ready, {"DATABASE_URL": database_url}), port)


def signed(user_id: str, key: str) -> dict[str, str]:
    """Return the headers the gateway would send for a user."""
    until = int(time.time()) + 3600
    return sign_identity(user_id, key=key.encode(), audience="tasks", expires_at=until)


async def measure(running: Fleet, service: str, port: int, requests: Sequence[Request]) -> Cost:
    """Send requests for a while, and see what they cost."""
    before = [running.cpu_seconds(name) for name in (service, "postgres")]
    load = await send(port, requests, SECONDS, running.folder, connections=CONNECTIONS)
    after = [running.cpu_seconds(name) for name in (service, "postgres")]
    if load.failed:
        raise RuntimeError(f"{service}: {load.failed} of {load.answered} requests failed")
    service_spent, database_spent = (
        (end - start) / load.answered * _MICROSECONDS
        for start, end in zip(before, after, strict=True)
    )
    return Cost(service_spent, database_spent, load)


def report(lines: Sequence[str]) -> None:
    """Write the table down."""
    text = _REPORT.format(
        generator=generator(),
        machine=machine(),
        python=platform.python_version(),
        lines="\n".join(lines),
    )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "tasks.md").write_text(text)
    print(text)


def _line(name: str, floor: Sequence[Cost], tasks: Sequence[Cost]) -> str:
    ratio = median(ours.service / least.service for ours, least in zip(tasks, floor, strict=True))
    cells = [
        name,
        *(f"{median(cost.service for cost in costs):.0f} µs" for costs in (floor, tasks)),
        f"{ratio:.2f}",
        *(f"{median(cost.database for cost in costs):.0f} µs" for costs in (floor, tasks)),
        *(f"{median(cost.load.per_second for cost in costs):,.0f}" for costs in (floor, tasks)),
        ", ".join(
            f"{median(getattr(cost.load, name) for cost in tasks):.1f} ms"
            for name in ("p50", "p99")
        ),
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    asyncio.run(main())
