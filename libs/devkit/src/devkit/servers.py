"""PostgreSQL and Redis servers of their own for tests, which may stop and start them."""

import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from devkit.output import LogFolder
from devkit.ports import free_port
from devkit.postgres import PostgresCluster
from devkit.process import Program
from devkit.redis_server import RedisServer
from devkit.run_folder import RunFolder
from devkit.supervisor import Supervisor
from devkit.temporary import system_folder


class Server:
    """A running server: its URL stays the same when it is stopped and started again."""

    def __init__(self, url: str, program: Program, supervisor: Supervisor) -> None:
        self.url = url
        self._program = program
        self._supervisor = supervisor

    async def start(self) -> None:
        """Start it, and return when it answers."""
        await self._supervisor.start(self._program)

    async def stop(self) -> None:
        """End it gracefully."""
        await self._supervisor.stop(self._program.name)

    async def kill(self) -> None:
        """End it as a crash would."""
        await self._supervisor.kill(self._program.name)

    def pause(self) -> None:
        """Make it hang: connections stay open, nothing is answered."""
        self._supervisor.send(self._program.name, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._supervisor.send(self._program.name, signal.SIGCONT)


@asynccontextmanager
async def temporary_postgres() -> AsyncIterator[Server]:
    """Run a PostgreSQL with an empty database for the length of the block."""
    with system_folder() as (folder, run_folder):
        cluster = fast_cluster(folder)
        await cluster.prepare()
        async with _running(cluster.url(), cluster.program(), folder, run_folder) as server:
            yield server


@asynccontextmanager
async def temporary_redis() -> AsyncIterator[Server]:
    """Run an empty Redis for the length of the block."""
    with system_folder() as (folder, run_folder):
        redis = fast_redis(folder)
        redis.prepare()
        async with _running(redis.url, redis.program(), folder, run_folder) as server:
            yield server


def fast_cluster(folder: Path) -> PostgresCluster:
    """Describe a fast cluster within the folder."""
    return PostgresCluster(folder / "postgres", free_port(), secrets.token_hex(16), durable=False)


def fast_redis(folder: Path, *, durable: bool = False) -> RedisServer:
    """Describe a fast Redis within the folder; a `durable` one survives being killed."""
    return RedisServer(folder / "redis", free_port(), secrets.token_hex(16), durable=durable)


@asynccontextmanager
async def _running(
    url: str, program: Program, folder: Path, run_folder: RunFolder
) -> AsyncIterator[Server]:
    supervisor = Supervisor(run_folder, LogFolder(folder / "log"), restart=False)
    server = Server(url, program, supervisor)
    try:
        await server.start()
        yield server
    finally:
        await supervisor.stop_all()
