"""`python -m benchmarks.tasks`: what the tasks service costs, beside the least it could.

Both serve the same rows of one PostgreSQL in the same run, in turns.
"""

import asyncio
import platform
from collections.abc import Mapping, Sequence

from benchmarks.alone import tasks_alone
from benchmarks.load import CONNECTIONS, Request, generator
from benchmarks.measuring import Cost, Served, latencies, measure_in_turns, middle, ratio
from benchmarks.peers.programs import python
from benchmarks.processes import RESULTS, machine
from benchmarks.seeding import seed

USERS, TASKS = 1000, 200
ROUNDS = 5
SECONDS = 2.0
GOAL = 1.5
_REPORT = f"""# The tasks service beside its floor

`make bench-tasks`: {USERS:,} users with {TASKS} tasks each, {CONNECTIONS} connections, the median of {ROUNDS} turns of
{SECONDS:g} s each, load by {{generator}}. {{machine}}, Python {{python}}.

CPU time per request. The floor is FastAPI, asyncpg and JSON by hand, with nothing checked; the goal is at most {GOAL:g}
times that.

| request | floor | tasks | ratio | PostgreSQL: floor | tasks | per second: floor | tasks | p50, p99: floor | tasks |
|---|---|---|---|---|---|---|---|---|---|
{{lines}}
"""  # noqa: E501 - lines of Markdown


async def main() -> None:
    """Measure, print the table and write it down."""
    async with tasks_alone() as alone:
        running = alone.running
        task_ids = await seed(alone.database_url, USERS, TASKS)
        floor, floor_port = python("floor", "floor", {"DATABASE_URL": alone.database_url})
        await running.start(floor)
        users = [alone.user(number) for number in range(1, USERS + 1)]
        asked = {
            "list 20 of 200 tasks": [Request("/api/v1/tasks?limit=20", user) for user in users],
            "get one task": [
                Request(f"/api/v1/tasks/{task_id}", user)
                for task_id, user in zip(task_ids, users, strict=True)
            ],
        }
        lines = []
        for name, requests in asked.items():
            served = {
                "floor": Served(["floor"], floor_port, requests),
                "tasks": Served(["tasks"], alone.port, requests),
            }
            costs = await measure_in_turns(
                running, served, rounds=ROUNDS, seconds=SECONDS, beside=["postgres"]
            )
            lines.append(_line(name, served, costs))
            print(lines[-1], flush=True)
    report(lines)


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


def _line(name: str, served: Mapping[str, Served], costs: Mapping[str, Sequence[Cost]]) -> str:
    floor, tasks = costs["floor"], costs["tasks"]
    cells = [
        name,
        f"{middle(floor, lambda cost: cost.spent['floor']):.0f} µs",
        f"{middle(tasks, lambda cost: cost.spent['tasks']):.0f} µs",
        f"{ratio(tasks, served['tasks'], floor, served['floor']):.2f}",
        *(f"{middle(each, lambda cost: cost.spent['postgres']):.0f} µs" for each in (floor, tasks)),
        *(f"{middle(each, lambda cost: cost.load.per_second):,.0f}" for each in (floor, tasks)),
        *(", ".join(f"{latency:.0f} ms" for latency in latencies(each)) for each in (floor, tasks)),
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    asyncio.run(main())
