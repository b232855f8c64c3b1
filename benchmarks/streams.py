"""`python -m benchmarks.streams [STREAMS]`: what event streams cost on which nothing happens.

A real system on loopback, and so many streams of ten for each user through its gateway. They are
open for a minute; then a task is written, and then all clients vanish.
"""

import asyncio
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
import psutil
from httpx import AsyncClient

from benchmarks.processes import RESULTS, machine
from devkit.stack import Stack, running_stack

_EVENTS = "/api/v1/events"
_PARTS = ("gateway", "tasks")
_STREAMS_PER_USER = 10
# Tasks works on twenty requests at once, and has others wait for a quarter of a second.
_OPENED_AT_ONCE = 16
_MAY_STAY = 50
_IDLE_SECONDS = 60.0
_LIMIT_SECONDS = 120.0
# A gateway carries so many, unless it is told otherwise (EVENT_STREAMS).
_DEFAULT_MOST = 5000
_CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = 'taskgate-tasks'
"""


@dataclass(frozen=True)
class Use:
    """What a process uses at a moment."""

    memory: int
    cpu: float
    files: int

    @classmethod
    def of(cls, process: psutil.Process) -> "Use":
        """Look at a process."""
        times = process.cpu_times()
        memory = process.memory_full_info().uss
        return cls(memory, times.user + times.system, process.num_fds())


@dataclass(frozen=True)
class Line:
    """A client's end of a stream."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def until(self, event: bytes) -> None:
        """Read up to an event of this name."""
        await self.reader.readuntil(b"event: " + event + b"\n")


async def main(streams: int) -> None:
    """Measure, print and write down."""
    _allow_files(4 * streams + 1000)
    settings = {"gateway": {"EVENT_STREAMS": str(max(streams, _DEFAULT_MOST))}}
    async with running_stack(environment=settings) as stack:
        report = await _measure(stack, streams)
    print("\n".join(report))
    head = ["# Idle event streams", "", f"`make bench-streams STREAMS={streams}`; {machine()}.", ""]
    (RESULTS / "streams.md").write_text("\n".join([*head, *report, ""]))


async def _measure(stack: Stack, streams: int) -> list[str]:
    parts = {name: psutil.Process(stack.pid(name)) for name in _PARTS}
    users = [f"user-{number}" for number in range(-(-streams // _STREAMS_PER_USER))]
    await _open(stack, users[0])
    before = {name: Use.of(process) for name, process in parts.items()}
    connections_before = await _connections(stack)

    begun = time.monotonic()
    lines = await _open_all(stack, [users[n // _STREAMS_PER_USER] for n in range(streams)])
    took = time.monotonic() - begun
    opened = {name: Use.of(process) for name, process in parts.items()}
    await asyncio.sleep(_IDLE_SECONDS)
    idle = {name: Use.of(process) for name, process in parts.items()}
    connections = await _connections(stack)

    told = await _write(stack, users[-1], lines[-1])

    begun = time.monotonic()
    for line in lines:
        line.writer.transport.abort()
    await _until(lambda: all(_is_back(parts[name], before[name]) for name in _PARTS))
    gone = time.monotonic() - begun

    rows = [
        "| | memory a stream | CPU a stream and minute | open files a stream |",
        "|---|---|---|---|",
    ]
    for name in _PARTS:
        memory = (idle[name].memory - before[name].memory) / streams / 1024
        cpu = (idle[name].cpu - opened[name].cpu) / streams / _IDLE_SECONDS * 60 * 1e3
        files = (idle[name].files - before[name].files) / streams
        rows.append(f"| {name} | {memory:.1f} KiB | {cpu:.2f} ms | {files:.1f} |")
    return [
        *rows,
        "",
        f"* {streams:,} streams of {len(users):,} users, opened in {took:.1f} s.",
        f"* Connections to the database: {connections_before} before, {connections} with all open.",
        f"* A write reached its reader {told * 1e3:.0f} ms after it was begun.",
        f"* {gone:.2f} s after all clients had vanished, no part held any of them.",
    ]


async def _open_all(stack: Stack, users: Sequence[str]) -> list[Line]:
    turns = asyncio.Semaphore(_OPENED_AT_ONCE)

    async def open_one(user: str) -> Line:
        async with turns:
            return await _open(stack, user)

    return await asyncio.gather(*(open_one(user) for user in users))


async def _open(stack: Stack, user: str) -> Line:
    address = urlsplit(stack.url)
    line = Line(*await asyncio.open_connection(address.hostname, address.port))
    token = stack.headers(user)["Authorization"]
    head = f"GET {_EVENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n"
    line.writer.write(head.encode())
    answer = await line.reader.readuntil(b"\r\n\r\n")
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError((answer + await line.reader.read(1000)).decode())
    await line.until(b"ready")
    return line


async def _write(stack: Stack, user: str, line: Line) -> float:
    headers = stack.headers(user)
    async with AsyncClient(base_url=stack.url, headers=headers, trust_env=False) as client:
        await client.get("/api/v1/me")
        begun = time.monotonic()
        heard = asyncio.create_task(line.until(b"change"))
        (await client.post("/api/v1/tasks", json={"title": "x"})).raise_for_status()
        async with asyncio.timeout(_LIMIT_SECONDS):
            await heard
    return time.monotonic() - begun


async def _connections(stack: Stack) -> int:
    connection = await asyncpg.connect(stack.database_url)
    try:
        return int(await connection.fetchval(_CONNECTIONS))
    finally:
        await connection.close()


def _is_back(process: psutil.Process, before: Use) -> bool:
    # A few connections between the parts stay open for a while.
    return process.num_fds() <= before.files + _MAY_STAY


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(_LIMIT_SECONDS):
        while not condition():  # noqa: ASYNC110 - no other process tells us.
            await asyncio.sleep(0.01)


def _allow_files(number: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and number > hard:
        sys.exit(f"{number} open files are needed, the system allows {hard}: fewer STREAMS=")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number), hard))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000))
