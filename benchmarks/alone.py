"""The tasks service without a gateway: its database, its Redis, and who signs for its users."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from benchmarks.processes import Fleet, fleet
from benchmarks.seeding import signed
from devkit.servers import fast_cluster, fast_redis
from devkit.services import Services


class TasksAlone(NamedTuple):
    """A fleet of `tasks`, `postgres` and `redis`."""

    running: Fleet
    database_url: str
    port: int
    key: str

    def user(self, number: int) -> dict[str, str]:
        """Return the headers the gateway would send for a user that is seeded."""
        return signed(f"user-{number}", self.key)


@asynccontextmanager
async def tasks_alone() -> AsyncIterator[TasksAlone]:
    """Give the tasks service, ready to serve, all of which has ended after the block."""
    async with fleet() as running:
        cluster, redis = fast_cluster(running.folder), fast_redis(running.folder)
        await cluster.prepare()
        redis.prepare()
        await running.start(cluster.program())
        await running.start(redis.program())
        key = secrets.token_hex(32)
        services = Services(cluster.url(), redis.url, "", key, 0, "http://localhost:8080")
        await running.start(services.tasks())
        yield TasksAlone(running, cluster.url(), services.tasks_port, key)
