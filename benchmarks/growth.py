"""`python -m benchmarks.growth [MOST [ROWS]]`: how cost grows with the number of a user's tasks.

Three users of one database have a hundred tasks, ten thousand, and a million unless told otherwise;
others make up for ROWS rows in all, if that is given.
"""

import asyncio
import platform
import sys
import time
from collections.abc import Mapping
from hashlib import md5
from typing import NamedTuple

from httpx import AsyncClient, HTTPStatusError, codes

from benchmarks.alone import tasks_alone
from benchmarks.load import Request
from benchmarks.processes import RESULTS, Fleet, machine
from benchmarks.seeding import seed_unevenly
from devkit.services import url

SIZES = [100, 10_000]
MOST = 1_000_000
WARM_UP = 10
MOST_REQUESTS = 300
SECONDS = 2.0
FAR_PAGE = 1000
LIST = "/api/v1/tasks?limit=20"
# The description of the seventh task alone has this word; every title has the other.
RARE, COMMON = md5(b"7").hexdigest(), "ada"  # noqa: S324 - made the same way when seeded
# A word of one task in some seventy begins so.
FEW = "part 77"
# The newest twenty tasks have the one word, all but the newest 300 the other.
NEW, OLD = "soon", "then"
_REPORT = """# How cost grows with a user's tasks

`make bench-growth`: CPU time per request of the tasks service and of PostgreSQL, one request after the other, at most {most} or
{seconds:g} s of each; three users of one database{beside}. {machine}, Python {python}. The last
column says how many times the first a request costs in the end, both together; 1.5 is the goal of what is asked most (list,
get, create).

| request | {sizes} | grows |
|---|{columns}---|
{lines}
"""  # noqa: E501 - lines of Markdown


async def main() -> None:
    """Measure, write the table and print it."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else MOST
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 0  # noqa: PLR2004 - the second one
    sizes = [*(size for size in SIZES if size < most), most]
    costs: dict[str, list[Cost | None]] = {}
    async with tasks_alone() as alone:
        await seed_unevenly(alone.database_url, sizes, rows)
        origin = url(alone.port)
        for number, size in enumerate(sizes, 1):
            for name, request in (await _requests(origin, alone.user(number), size)).items():
                cost = await _measure(alone.running, origin, request)
                costs.setdefault(name, []).append(cost)
                print(f"{size:>9,} {name}: {_cell(cost)}", flush=True)
    report(sizes, costs, rows)


class Cost(NamedTuple):
    """What a request costs: microseconds of the service and of PostgreSQL."""

    service: float
    database: float


async def _measure(running: Fleet, origin: str, request: Request) -> Cost | None:
    """Ask again and again for a while, and see what that costs; None if it takes too long."""
    try:
        return await _ask(running, origin, request)
    except HTTPStatusError as error:
        if error.response.status_code != codes.SERVICE_UNAVAILABLE:
            raise
        return None


async def _ask(running: Fleet, origin: str, request: Request) -> Cost:
    async with AsyncClient(base_url=origin, headers=request.headers, trust_env=False) as client:

        async def ask() -> None:
            method = "POST" if request.body else "GET"
            content = request.body or None
            kind = {"Content-Type": "application/json"} if request.body else {}
            async with client.stream(
                method, request.path, content=content, headers=kind, timeout=60
            ) as answer:
                answer.raise_for_status()
                # A stream of events has no end; this one says that all up to here is told.
                async for line in answer.aiter_lines():
                    if line == "event: ready":
                        break

        began = time.monotonic()
        for _ in range(WARM_UP):
            if time.monotonic() < began + SECONDS:
                await ask()
        before = [running.cpu_seconds(name) for name in ("tasks", "postgres")]
        began, asked = time.monotonic(), 0
        while not asked or (asked < MOST_REQUESTS and time.monotonic() < began + SECONDS):
            await ask()
            asked += 1
        after = [running.cpu_seconds(name) for name in ("tasks", "postgres")]
    return Cost(*((end - start) / asked * 1e6 for start, end in zip(before, after, strict=True)))


async def _requests(origin: str, user: Mapping[str, str], size: int) -> dict[str, Request]:
    far, task_id = await _walk(origin, user, size)
    lately = await _cursor(origin, user, size - 10)
    asked = {
        "list, first page": LIST,
        f"list, page {FAR_PAGE:,} or the last": f"{LIST}&cursor={far}",
        "list, due first": f"{LIST}&sort=due",
        "today": f"{LIST}&view=today",
        "get": f"/api/v1/tasks/{task_id}",
        "tasks of a tag": f"{LIST}&tag=home",
        "search, a rare word": f"{LIST}&q={RARE}",
        "search, a rare word, by title": f"{LIST}&q={RARE}&sort=title",
        "search, a word of every task": f"{LIST}&q={COMMON}",
        "search, a word of one in seventy": f"{LIST}&q={FEW}",
        "search, a word of the newest 20": f"{LIST}&q={NEW}",
        "search, a word of all but the newest 300": f"{LIST}&q={OLD}",
        "tags": "/api/v1/tags?limit=20",
        "stats": "/api/v1/stats",
        "list, counted": f"{LIST}&count=true",
        "sync, the first page": "/api/v1/sync?limit=20",
        "sync, the last 10 changes": f"/api/v1/sync?limit=20&cursor={lately}",
        "events, the last 10 changes": f"/api/v1/events?cursor={lately}",
    }
    requests = {name: Request(path, user) for name, path in asked.items()}
    # Last, as the only one that leaves something behind.
    requests["create"] = Request(
        "/api/v1/tasks", user, '{"title": "Write to Bob", "tags": ["new"]}'
    )
    return requests


async def _walk(origin: str, user: Mapping[str, str], size: int) -> tuple[str, str]:
    """Return the cursor of a page far down, and the id of a task there."""
    cursor, page = "", {}
    pages = min(FAR_PAGE, size // 20)
    async with AsyncClient(base_url=origin, headers=user, trust_env=False) as client:
        for _ in range(pages - 1):
            answer = await client.get(LIST + (f"&cursor={cursor}" if cursor else ""))
            page = answer.raise_for_status().json()
            cursor = page["next_cursor"]
    return cursor, page["items"][0]["id"]


async def _cursor(origin: str, user: Mapping[str, str], version: int) -> str:
    """Return the cursor of an earlier write."""
    async with AsyncClient(base_url=origin, headers=user, trust_env=False) as client:
        written = await client.post("/api/v1/tasks", json={"title": "Write to Bob"})
    epoch = written.raise_for_status().headers["X-Sync-Cursor"].partition(".")[0]
    return f"{epoch}.{version}"


def report(sizes: list[int], costs: Mapping[str, list[Cost | None]], rows: int) -> None:
    """Write the table and print it."""
    lines = []
    for name, each in costs.items():
        first, last = each[0], each[-1]
        grows = f"{sum(last) / sum(first):.1f}" if first and last else "?"
        lines.append(f"| {name} | {' | '.join(map(_cell, each))} | {grows} |")
    text = _REPORT.format(
        most=MOST_REQUESTS,
        seconds=SECONDS,
        beside=f", {rows:,} rows of all users" if rows else "",
        machine=machine(),
        python=platform.python_version(),
        sizes=" | ".join(f"{size:,} tasks" for size in sizes),
        columns="---|" * len(sizes),
        lines="\n".join(lines),
    )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "growth.md").write_text(text)
    print(text)


def _cell(cost: Cost | None) -> str:
    if cost is None:
        return "503: over 10 s"
    return f"{cost.service:,.0f} + {cost.database:,.0f} µs"


if __name__ == "__main__":
    asyncio.run(main())
