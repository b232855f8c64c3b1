"""The whole running system for tests: three real services on real PostgreSQL and Redis."""

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from devkit.output import LogFolder
from devkit.ports import free_port
from devkit.process import Program
from devkit.servers import fast_cluster, fast_redis
from devkit.services import NO_LIMITS, Services, url
from devkit.supervisor import Supervisor
from devkit.temporary import system_folder
from devkit.token import make_token

Environments = Mapping[str, Mapping[str, str]]


class Stack:
    """A running system. Parts: postgres, redis, auth-verifier, tasks, gateway, gateway-2, ….

    A replica of tasks has the number of its gateway: tasks-2.
    `url` is the first gateway's, `urls` every gateway's; `secret` signs the tokens it accepts.
    """

    def __init__(
        self, services: Services, programs: list[Program], supervisor: Supervisor, logs: LogFolder
    ) -> None:
        self._services = services
        self._programs = {program.name: program for program in programs}
        self._supervisor = supervisor
        self._logs = logs
        self.secret = services.auth_secret
        self.identity_key = services.identity_key
        self.database_url = services.database_url
        self.redis_url = services.redis_url
        self.tasks_url = url(services.tasks_port)
        self.verifier_url = url(services.verifier_port)
        self.url = services.public_url
        self.urls = [self.url]

    def token(self, user_id: str, *, lifetime: int = 3600, **claims: object) -> str:
        """Return a good token of the user; `claims` come on top, None removes one."""
        return make_token(self.secret, user_id, lifetime=lifetime, **claims)

    def headers(self, user_id: str) -> dict[str, str]:
        """Return the request headers of a signed-in user."""
        return {"Authorization": f"Bearer {self.token(user_id)}"}

    async def start(self, part: str) -> None:
        """Start a part that was stopped or killed, at its old address, and wait for it."""
        await self._supervisor.start(self._programs[part])

    async def stop(self, part: str) -> None:
        """End a part gracefully."""
        await self._supervisor.stop(part)

    async def kill(self, part: str) -> None:
        """End a part as a crash would."""
        await self._supervisor.kill(part)

    def pause(self, part: str) -> None:
        """Make a part hang: it accepts connections, and answers nothing."""
        self._supervisor.send(part, signal.SIGSTOP)

    def resume(self, part: str) -> None:
        """Let a part go on after `pause`."""
        self._supervisor.send(part, signal.SIGCONT)

    def pid(self, part: str) -> int:
        """Return the pid of a part, which changes when it is started again."""
        return self._supervisor.pid(part)

    def log(self, part: str) -> str:
        """Return all a part has written."""
        return self._logs.read(part)

    async def add_gateway(self) -> str:
        """Start one more gateway in front of the same services and return its URL."""
        return await self._add_gateway()

    async def add_replica(self) -> str:
        """Start one more tasks service with a gateway of its own; return that one's URL."""
        port, name = free_port(), f"tasks-{len(self.urls) + 1}"
        program = self._services.tasks(name, port)
        self._programs[name] = program
        await self._supervisor.start(program)
        return await self._add_gateway(port)

    async def _add_gateway(self, tasks_port: int | None = None) -> str:
        port, name = free_port(), f"gateway-{len(self.urls) + 1}"
        program = self._services.gateway(name, port, tasks_port)
        self._programs[name] = program
        await self._supervisor.start(program)
        self.urls.append(url(port))
        return self.urls[-1]

    async def start_all(self) -> None:
        """Start every part: servers first, then the services side by side."""
        servers = [p for p in self._programs.values() if p.name in {"postgres", "redis"}]
        services = [p for p in self._programs.values() if p not in servers]
        await asyncio.gather(*(self._supervisor.start(program) for program in servers))
        await asyncio.gather(*(self._supervisor.start(program) for program in services))


@asynccontextmanager
async def running_stack(
    *,
    database_url: str | None = None,
    redis_url: str | None = None,
    environment: Environments | None = None,
    gateways: int = 1,
    durable_redis: bool = False,
) -> AsyncIterator[Stack]:
    """Run a system for the length of the block.

    Without a `database_url` or `redis_url` it has servers of its own, which a test may stop; the
    data of a `durable_redis` outlives that, as in `make run`.
    `environment` adds variables by part, as in `{"gateway": {"CORS_ORIGINS": "https://a.test"}}`.
    """
    with system_folder() as (folder, run_folder):
        programs = []
        if database_url is None:
            cluster = fast_cluster(folder)
            await cluster.prepare()
            programs.append(cluster.program())
            database_url = cluster.url()
        if redis_url is None:
            redis = fast_redis(folder, durable=durable_redis)
            redis.prepare()
            programs.append(redis.program())
            redis_url = redis.url
        services = _services(database_url, redis_url, environment or {})
        programs += [services.verifier(), services.tasks(), services.gateway()]
        logs = LogFolder(folder / "log")
        supervisor = Supervisor(run_folder, logs, restart=False)
        stack = Stack(services, programs, supervisor, logs)
        try:
            await stack.start_all()
            for _ in range(gateways - 1):
                await stack.add_gateway()
            yield stack
        finally:
            await supervisor.stop_all()


def _services(database_url: str, redis_url: str, environment: Environments) -> Services:
    port = free_port()
    return Services(
        database_url=database_url,
        redis_url=redis_url,
        auth_secret=secrets.token_hex(32),
        identity_key=secrets.token_hex(32),
        gateway_port=port,
        public_url=url(port),
        settings=NO_LIMITS,
        extra=environment,
    )
