"""`python benchmarks/faults.py [WORD…]`: every process through its faults, under load.

Only the faults whose names hold one of the words, if any are given. The table goes to standard
output and to benchmarks/results/faults.md; the exit code is 1 when a promise was broken.
"""

import asyncio
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncpg
import psutil
from redis.asyncio import Redis

from devkit.forge import Forge, SigningKey, new_keys, to_json
from devkit.load import load, lost
from devkit.ports import LOOPBACK
from devkit.promises import Fault, table
from devkit.stack import Stack, running_stack
from devkit.stepped_clock import SteppedClock

RESULTS = Path(__file__).parent / "results" / "faults.md"
SERVICES = ("auth-verifier", "tasks", "gateway")
PARTS = ("postgres", "redis", *SERVICES)
HANG_SECONDS = 10.0
# Longer than any limit of ours: a client that gives up first would not see what it is told.
PATIENCE_SECONDS = 40.0
AWAY_SECONDS = 8.0
ONE_HOUR = 3600
LIMIT_SECONDS = 90.0
IDLE_CONNECTIONS = 5_000
DISK_MEGABYTES = 160
# Room for the connections at both of their ends.
FILES = 2 * IDLE_CONNECTIONS + 1_000

During = Callable[["System"], Awaitable[None]]


class Issuer:
    """Publishes keys, and may be unreachable."""

    def __init__(self, keys: Mapping[str, SigningKey]) -> None:
        self._body = to_json({"keys": [key.jwk() for key in keys.values()]})
        self._port = 0
        self._server: asyncio.Server

    @property
    def url(self) -> str:
        """Where it is, also while it is not there."""
        return f"http://{LOOPBACK}:{self._port}"

    async def start(self) -> None:
        """Be reachable."""
        self._server = await asyncio.start_server(self._answer, LOOPBACK, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Be unreachable."""
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(self._body)}\r\nConnection: close\r\n"
            writer.write(head.encode() + b"\r\n" + self._body)
        writer.close()


@dataclass
class System:
    """What faults are done to."""

    stack: Stack
    issuer: Issuer
    forge: Forge
    clocks: Mapping[str, SteppedClock]
    disk: Path | None = None

    def headers(self, user_id: str) -> dict[str, str]:
        """Return those of a user of the issuer, or of one whose token the secret signed.

        It is good by every clock there will be.
        """
        now = int(time.time())
        begins, ends = now - 2 * ONE_HOUR, now + 2 * ONE_HOUR
        if int(user_id[-1], 16) % 2:
            token = self.forge.token("EdDSA", sub=user_id, iat=begins, exp=ends)
        else:
            token = self.stack.token(user_id, iat=begins, exp=ends)
        return {"Authorization": f"Bearer {token}"}


@dataclass(frozen=True)
class Plan:
    """A fault: `during` does it and mends what would not mend itself."""

    name: str
    during: During
    holds_connections: bool = False
    must_not_fail: bool = False


async def main() -> int:
    """Do every fault, and tell."""
    words = sys.argv[1:]
    _, hardest = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hardest), hardest))
    found: list[Fault] = []
    for surroundings, plans in ((system, plans_for_all()), (small_disk, [FULL_DISK])):
        chosen = [one for one in plans if not words or any(word in one.name for word in words)]
        if not chosen:
            continue
        try:
            async with surroundings() as ready:
                for plan in chosen:
                    found.append(await suffer(ready, plan))
                    print(table(found[-1:]).splitlines()[-1], flush=True)
        except PermissionError as error:
            print(f"not reached: {', '.join(plan.name for plan in chosen)}: {error}")
    report = f"# Faults\n\n`make test-faults`\n\n{table(found)}\n"
    if not words:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(report, encoding="utf-8")
    print(report)
    return int(any(fault.broken() for fault in found))


async def suffer(system: System, plan: Plan) -> Fault:
    """Do one fault under load, and wait until requests succeed again."""
    async with (
        asyncio.timeout(LIMIT_SECONDS),
        load([system.stack.url], system.headers, patience=PATIENCE_SECONDS) as seen,
    ):
        await seen.progress(100)
        await plan.during(system)
        over = time.monotonic()
        await seen.progress(100)
        while time.monotonic() - max(seen.last_failure, over) < 1:
            await seen.progress(10)
    missing = await lost(seen, system.stack.url, system.headers)
    return Fault(
        plan.name,
        seen.answered + len(seen.failures),
        dict(seen.kinds),
        max(seen.last_failure - over, 0.0),
        missing,
        seen.foreign,
        holds_connections=plan.holds_connections,
        must_not_fail=plan.must_not_fail,
    )


@asynccontextmanager
async def system(disk: Path | None = None) -> AsyncIterator[System]:
    """Run a system of two gateway processes, with an issuer."""
    keys = new_keys()
    issuer = Issuer(keys)
    await issuer.start()
    settings = {
        "gateway": {"GATEWAY_WORKERS": "2", "UPSTREAM_ANSWER_HEAD": "15", "ACCESS_LOG": "false"},
        "auth-verifier": {"BETTER_AUTH_URL": issuer.url},
        "tasks": {},
    }
    try:
        with tempfile.TemporaryDirectory() as folder:
            clocks = {part: SteppedClock(Path(folder) / part) for part in SERVICES}
            environment = {part: settings[part] | clocks[part].environment for part in SERVICES}
            async with running_stack(environment=environment, durable_redis=True) as stack:
                yield System(stack, issuer, Forge(issuer.url, keys), clocks, disk)
    finally:
        await issuer.stop()


@asynccontextmanager
async def small_disk() -> AsyncIterator[System]:
    """Run a system whose data are on a small disk of their own, which takes root to make."""
    with tempfile.TemporaryDirectory() as folder:
        options = f"size={DISK_MEGABYTES}m,mode=755"
        if await run("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder) != 0:
            raise PermissionError("a disk of its own takes root to make")
        before, tempfile.tempdir = tempfile.tempdir, folder
        try:
            async with system(Path(folder)) as ready:
                yield ready
        finally:
            tempfile.tempdir = before
            await run("umount", folder)


async def run(*command: str) -> int:
    """Run a program and return its exit code."""
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    return await process.wait()


def plans_for_all() -> list[Plan]:
    """Return the faults that one system goes through, one after the other."""
    each = [
        Plan(f"{name} {part}", partial(do, part), holds_connections=part == "gateway")
        for name, do in (("kill -9", killed), ("SIGSTOP 10 s", hanging))
        for part in PARTS
    ]
    return [
        *each,
        Plan("Redis flushed", flushed, must_not_fail=True),
        Plan("PostgreSQL restarted", restarted),
        Plan("issuer unreachable 8 s", unreachable, must_not_fail=True),
        Plan("connection pool exhausted 8 s", exhausted),
        Plan(f"{IDLE_CONNECTIONS} idle connections", idle, must_not_fail=True),
        Plan("SIGTERM to a gateway worker", worker_ended, must_not_fail=True),
        Plan("clock -1 h, +1 h every service", partial(stepped, SERVICES)),
        *(Plan(f"clock -1 h, +1 h {part}", partial(stepped, (part,))) for part in SERVICES),
    ]


async def killed(part: str, system: System) -> None:
    """End a process as a crash would; it is started again, as it is in any deployment."""
    await system.stack.kill(part)
    await system.stack.start(part)


async def hanging(part: str, system: System) -> None:
    """Make a process hang."""
    system.stack.pause(part)
    await asyncio.sleep(HANG_SECONDS)
    system.stack.resume(part)


async def flushed(system: System) -> None:
    """Empty Redis."""
    async with Redis.from_url(system.stack.redis_url) as redis:
        await redis.flushall()


async def restarted(system: System) -> None:
    """Stop PostgreSQL as an upgrade does, and start it."""
    await system.stack.stop("postgres")
    await system.stack.start("postgres")


async def unreachable(system: System) -> None:
    """Take the issuer away."""
    await system.issuer.stop()
    await asyncio.sleep(AWAY_SECONDS)
    await system.issuer.start()


async def exhausted(system: System) -> None:
    """Make every connection of the pool wait for a lock."""
    connection = await asyncpg.connect(system.stack.database_url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE account IN ACCESS EXCLUSIVE MODE")
            await asyncio.sleep(AWAY_SECONDS)
    finally:
        await connection.close()


async def idle(system: System) -> None:
    """Open connections that ask nothing, more than many servers take."""
    port = int(system.stack.url.rpartition(":")[2])
    writers = []
    for _ in range(IDLE_CONNECTIONS):
        _, writer = await asyncio.open_connection(LOOPBACK, port)
        writers.append(writer)
    await asyncio.sleep(2)
    for writer in writers:
        writer.close()


async def worker_ended(system: System) -> None:
    """Tell one of the gateway's processes to end."""
    children = psutil.Process(system.stack.pid("gateway")).children()
    worker = next(one for one in children if "spawn_main" in " ".join(one.cmdline()))
    worker.send_signal(signal.SIGTERM)
    await asyncio.to_thread(worker.wait, 30)


async def stepped(parts: Sequence[str], system: System) -> None:
    """Set the clocks of some services back, then forth, then right again."""
    for seconds in (-ONE_HOUR, ONE_HOUR, 0):
        for part in parts:
            system.clocks[part].step(seconds)
        if seconds:
            # Nobody shall be let in for what was found by the clock as it was.
            await forget_verdicts(system)
            await asyncio.sleep(AWAY_SECONDS)


async def forget_verdicts(system: System) -> None:
    """Take the verdicts that gateway processes share; what each knows itself ends in 5 s."""
    async with Redis.from_url(system.stack.redis_url) as redis:
        async for name in redis.scan_iter(match="taskgate:verdict:*"):
            await redis.delete(name)


async def full(system: System) -> None:
    """Fill the disk that PostgreSQL writes to, and make room again."""
    if system.disk is None:
        raise ValueError("this takes a disk of its own")
    path = system.disk / "filler"
    with path.open("wb") as file, suppress(OSError):
        while True:
            file.write(os.urandom(2**20))
            file.flush()
    await asyncio.sleep(AWAY_SECONDS)
    path.unlink()
    # After a full disk PostgreSQL may have ended, as it does rather than lose what it acknowledged.
    await system.stack.start("postgres")


FULL_DISK = Plan("disk of PostgreSQL full 8 s", full)
Surroundings = Callable[[], AbstractAsyncContextManager[System]]


if __name__ == "__main__":
    # What was started ends with us, however politely we are told to.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    sys.exit(asyncio.run(main()))
