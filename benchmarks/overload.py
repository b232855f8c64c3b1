"""`python benchmarks/overload.py [SECONDS]`: what is served when too much comes.

A real system on loopback, and users who ask for their list of tasks. First as many as keep it busy,
each asking again when answered: what it sustains. Then requests come at 1, 2 and 4 times that rate,
answered or not. Goodput is what was answered well within a second. The last core is the load's, the
others are the system's: who asks for more must not take from those who answer.
"""

import asyncio
import os
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from httpx import AsyncClient

from devkit.stack import Stack, running_stack

_RESULTS = Path(__file__).parent / "results" / "overload.md"
_TASKS = 20
_BUSY = 32
_IN_TIME = 1.0
_GIVE_UP = 5.0
_MAX_CONNECTIONS = 1500
_FACTORS = (1, 2, 4)
_OTHERS = ("shed", "late", "failed")
_OK, _SHED = b"200", b"503"


class Client:
    """Asks over as many connections as it takes, and counts what came of it."""

    def __init__(self, stack: Stack, user: str) -> None:
        self._address = urlsplit(stack.url)
        token = stack.headers(user)["Authorization"]
        self._request = (
            f"GET /api/v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode()
        )
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._open = 0
        self.outcomes: Counter[str] = Counter()
        self.times: list[float] = []

    async def ask(self) -> None:
        """Ask once."""
        begin = time.monotonic()
        try:
            async with asyncio.timeout(_GIVE_UP):
                status = await self._answer()
        except (OSError, TimeoutError, EOFError, ConnectionAbortedError):
            self.outcomes["failed"] += 1
            return
        took = time.monotonic() - begin
        if status == _OK:
            self.times.append(took)
            self.outcomes["in time" if took <= _IN_TIME else "late"] += 1
        else:
            self.outcomes["shed" if status == _SHED else "failed"] += 1

    async def _answer(self) -> bytes:
        reader, writer = await self._connection()
        try:
            writer.write(self._request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
            await reader.readexactly(int(length))
        except BaseException:
            self._open -= 1
            writer.close()
            raise
        self._idle.append((reader, writer))
        return head[9:12]

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            self._open -= 1
            writer.close()
        if self._open >= _MAX_CONNECTIONS:
            raise ConnectionAbortedError
        self._open += 1
        try:
            return await asyncio.open_connection(self._address.hostname, self._address.port)
        except BaseException:
            self._open -= 1
            raise

    def close(self) -> None:
        """Hang up."""
        for _, writer in self._idle:
            writer.close()


async def main(seconds: float) -> None:
    """Measure, print and keep the curve."""
    *system, load = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, system or [load])
    async with running_stack() as stack:
        os.sched_setaffinity(0, [load])
        await _prepare(stack)
        await _sustained(stack, 1.0)
        lines = [
            "# Overload",
            "",
            f"`make bench-overload`, {seconds:g} s each. What {_BUSY} users sustain is measured",
            "anew before each load; good is 200 within a second.",
            "",
            "| load | sustained/s | offered/s | good/s | ratio | shed/s | late/s | failed | p99 |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for factor in _FACTORS:
            rate = await _sustained(stack, seconds)
            outcomes, times, took, sent = await _offered(stack, factor * rate, seconds)
            good = outcomes["in time"] / took
            others = " | ".join(
                f"{outcomes[name] / took:.0f}" for name in ("shed", "late", "failed")
            )
            p99 = times[int(len(times) * 0.99)]
            lines.append(
                f"| {factor} x | {rate:.0f} | {sent / took:.0f} | {good:.0f} | {good / rate:.0%} "
                f"| {others} | {p99:.2f} s |"
            )
    text = "\n".join(lines) + "\n"
    print(text)
    _RESULTS.parent.mkdir(exist_ok=True)
    _RESULTS.write_text(text, encoding="utf-8")


async def _prepare(stack: Stack) -> None:
    headers = stack.headers("ada")
    async with AsyncClient(base_url=stack.url, headers=headers, trust_env=False) as client:
        for number in range(_TASKS):
            await client.post("/api/v1/tasks", json={"title": f"Task {number}"})


async def _sustained(stack: Stack, seconds: float) -> float:
    client = Client(stack, "ada")
    await _closed_loop(client, seconds)
    client.close()
    return client.outcomes["in time"] / seconds


async def _closed_loop(client: Client, seconds: float) -> None:
    end = time.monotonic() + seconds

    async def user() -> None:
        while time.monotonic() < end:
            await client.ask()

    await asyncio.gather(*(user() for _ in range(_BUSY)))


async def _offered(
    stack: Stack, rate: float, seconds: float
) -> tuple[Counter[str], list[float], float, int]:
    """Let requests come at a rate; return their outcomes, times, the time and their number."""
    client, asking = Client(stack, "ada"), set[asyncio.Task[None]]()
    begin, sent = time.monotonic(), 0
    while (now := time.monotonic()) - begin < seconds:
        due = int((now - begin) * rate)
        for _ in range(due - sent):
            task = asyncio.create_task(client.ask())
            asking.add(task)
            task.add_done_callback(asking.discard)
        sent = max(sent, due)
        await asyncio.sleep(0.002)
    took = time.monotonic() - begin
    await asyncio.gather(*asking)
    client.close()
    return client.outcomes, sorted(client.times) or [0.0], took, sent


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0))
