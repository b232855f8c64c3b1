"""What is done to the system: each fault, and the mending of what would not mend itself."""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress

import asyncpg
import psutil
from redis.asyncio import Redis

from benchmarks.fault_system import ONE_HOUR, System
from devkit.ports import LOOPBACK

HANG_SECONDS = 10.0
AWAY_SECONDS = 8.0
IDLE_CONNECTIONS = 5_000


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
