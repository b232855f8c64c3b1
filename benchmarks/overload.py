"""`python benchmarks/overload.py [SECONDS]`: what is served when too much comes.

A real system on loopback, and users who ask for their list of tasks. First as many as keep it busy,
each asking again when answered: what it sustains. Then requests come at 1, 2 and 4 times that rate,
answered or not, in several turns, of which the medians are told. Goodput is what was answered well
within a second. The last core is the load's, the others are the system's: who asks for more must
not take from those who answer. Whoever shares the machine takes from both: what is served for each
second of the system's CPU time tells more then.
"""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import psutil
from httpx import AsyncClient

from devkit.stack import Stack, running_stack

_RESULTS = Path(__file__).parent / "results" / "overload.md"
_TASKS = 20
_BUSY = 32
_IN_TIME = 1.0
_GIVE_UP = 5.0
_MAX_CONNECTIONS = 1500
_FACTORS = (1, 2, 4)
_TURNS = 5
_PARTS = ("gateway", "auth-verifier", "tasks", "postgres", "redis")
_OTHERS = ("shed", "late", "failed")
_OK, _SHED = b"200", b"503"
_HEAD = f"""# Overload

`make bench-overload`: medians of {_TURNS} turns of {{seconds:g}} s each. What {_BUSY} users
sustain is measured anew before each load; good is 200 within a second. By CPU: what was good for
a second of the system's CPU time, beside what it sustains for one. Load: what the clients took of
their core.

| | sustained/s | offered/s | good/s | ratio | by CPU | shed/s | late/s | failed/s | p99 | load |
|---|---|---|---|---|---|---|---|---|---|---|
"""


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


@dataclass(frozen=True)
class Turn:
    """What came of one load, and what was sustained just before it; rates are per second."""

    sustained: float
    offered: float
    outcomes: dict[str, float]
    p99: float
    cpu: float
    load_cpu: float

    @property
    def good(self) -> float:
        """What was answered well in time."""
        return self.outcomes["in time"]


async def main(seconds: float) -> None:
    """Measure, print and keep the curve."""
    *system, load = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, system or [load])
    async with running_stack() as stack:
        os.sched_setaffinity(0, [load])
        await _prepare(stack)
        await _sustained(stack, 1.0)
        turns = [
            (factor, await _turn(stack, factor, seconds))
            for _ in range(_TURNS)
            for factor in _FACTORS
        ]
    text = _HEAD.format(seconds=seconds)
    for factor in _FACTORS:
        text += _row(factor, [turn for name, turn in turns if name == factor])
    print(text)
    _RESULTS.parent.mkdir(exist_ok=True)
    _RESULTS.write_text(text, encoding="utf-8")


def _row(factor: int, turns: Sequence[Turn]) -> str:
    def middle(figure: Callable[[Turn], float]) -> float:
        return median(figure(turn) for turn in turns)

    others = " | ".join(f"{median(turn.outcomes[name] for turn in turns):.0f}" for name in _OTHERS)
    return (
        f"| {factor} x | {middle(lambda turn: turn.sustained):.0f} "
        f"| {middle(lambda turn: turn.offered):.0f} | {middle(lambda turn: turn.good):.0f} "
        f"| {middle(lambda turn: turn.good / turn.sustained):.0%} "
        f"| {middle(lambda turn: turn.cpu):.0%} | {others} "
        f"| {middle(lambda turn: turn.p99):.2f} s | {middle(lambda turn: turn.load_cpu):.0%} |\n"
    )


async def _turn(stack: Stack, factor: int, seconds: float) -> Turn:
    before = _cpu_seconds(stack)
    rate = await _sustained(stack, seconds)
    price = (_cpu_seconds(stack) - before) / (rate * seconds)
    before, mine = _cpu_seconds(stack), time.process_time()
    outcomes, times, took, sent = await _offered(stack, factor * rate, seconds)
    spent, mine = _cpu_seconds(stack) - before, time.process_time() - mine
    return Turn(
        sustained=rate,
        offered=sent / took,
        outcomes={name: outcomes[name] / took for name in ("in time", *_OTHERS)},
        p99=times[int(len(times) * 0.99)],
        cpu=price * outcomes["in time"] / spent,
        load_cpu=mine / took,
    )


def _cpu_seconds(stack: Stack) -> float:
    """Return the CPU time the whole system has used."""
    parts = [psutil.Process(stack.pid(part)) for part in _PARTS]
    family = [process for part in parts for process in (part, *part.children(recursive=True))]
    spent = [process.cpu_times() for process in family]
    return sum(times.user + times.system for times in spent)


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
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0))
