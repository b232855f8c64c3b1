"""The system in containers, for tests: a compose project of its own, looked at by Docker's SDK."""

import asyncio
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from devkit.containers.env_file import read_variables
from devkit.ports import free_port, is_free
from devkit.process import inherited_environment
from devkit.services import NO_LIMITS
from devkit.token import make_token

SERVICES = ("gateway", "auth-verifier", "tasks", "postgres", "redis")
OURS = SERVICES[:3]
_COMMAND_SECONDS = 600
_LOOK_SECONDS = 0.1
# The service's own process is the one child of the init process.
_KILL = ("sh", "-c", "read child _ < /proc/1/task/1/children; kill -9 $child")
_PORTS = 4


class ComposeError(AssertionError):
    """A command failed; the message holds all it said."""


class ComposeSystem:
    """One compose project under a name of its own. Services: see `SERVICES`.

    `folder` gets its file of variables; `variables` go before what stands there. `root` is the
    folder of docker-compose.yml. `welcome` is what the first `make up` said, and
    `first_start` the state of each container after it.
    """

    def __init__(self, root: Path, folder: Path, variables: Mapping[str, str]) -> None:
        self._root = root
        self.project = f"taskgate-test-{secrets.token_hex(4)}"
        self.env_file = folder / "containers.env"
        self.port = _free_range()
        self._variables = {
            "GATEWAY_PORT": str(self.port),
            "IMAGE_TAG": self.project,
            **variables,
        }
        self.engine = docker.from_env()
        self.welcome = ""
        self.first_start: dict[str, dict[str, Any]] = {}

    @property
    def url(self) -> str:
        """The URL of the first gateway's port."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def every_port(self) -> str:
        """A range for GATEWAY_PORT that several gateways can share."""
        return f"{self.port}-{self.port + _PORTS - 1}"

    def headers(self, user_id: str) -> dict[str, str]:
        """Return the request headers of a signed-in user."""
        secret = read_variables(self.env_file, {})["BETTER_AUTH_SECRET"]
        return {"Authorization": f"Bearer {make_token(secret, user_id)}"}

    def image(self, service: str) -> str:
        """Return what a service's image is called."""
        return f"taskgate/{service}:{self.project}"

    async def compose(self, *arguments: str, **variables: str) -> str:
        """Run `docker compose` and return what it says. Raises `ComposeError` if it fails."""
        return await self._run("docker", "compose", *arguments, **variables)

    async def up(self, *arguments: str, **variables: str) -> None:
        """Bring the project to what file and arguments say, and wait until it is healthy."""
        await self.compose("up", "--detach", "--wait", "--no-build", *arguments, **variables)

    async def begin(self) -> None:
        """Run `make up` for the first time."""
        self.welcome = await self.make("up")
        self.first_start = {
            name: describe(self.container(name))["State"] for name in (*SERVICES, "migrate")
        }

    async def make(self, *arguments: str, **variables: str) -> str:
        """Run a target of the Makefile as an operator does."""
        return await self._run("make", "--no-print-directory", *arguments, **variables)

    async def fails(self, *command: str, **variables: str) -> str:
        """Run a command that must fail, and return what it says."""
        code, said = await self._finish(command, variables)
        if code == 0:
            raise ComposeError(f"{' '.join(command)} did not fail:\n{said}")
        return said

    def containers(self, service: str, *, ended: bool = False) -> list[Container]:
        """Return a service's running containers, or those that have ended too."""
        labels = (
            f"com.docker.compose.project={self.project}",
            f"com.docker.compose.service={service}",
        )
        found: list[Container] = self.engine.containers.list(
            all=ended, filters={"label": list(labels)}
        )
        return found

    def container(self, service: str) -> Container:
        """Return the one container of a service, running or not."""
        (only,) = self.containers(service, ended=True)
        return only

    @property
    def every_url(self) -> list[str]:
        """The URLs of that range: a new gateway may take any port of it that is free."""
        return [f"http://127.0.0.1:{self.port + number}" for number in range(_PORTS)]

    def urls(self) -> list[str]:
        """Return the URL of every gateway."""
        ports = (
            describe(gateway)["NetworkSettings"]["Ports"]["8000/tcp"][0]["HostPort"]
            for gateway in self.containers("gateway")
        )
        return [f"http://127.0.0.1:{port}" for port in sorted(ports)]

    def addresses(self, service: str) -> list[str]:
        """Return the addresses of a service's one container, on all its networks."""
        networks = self.container(service).attrs["NetworkSettings"]["Networks"]
        return [network["IPAddress"] for network in networks.values()]

    def execute(self, container: Container, *command: str) -> str:
        """Run a command inside a container and return what it prints.

        Raises `ComposeError` if it fails.
        """
        done = container.exec_run(list(command))
        said: str = done.output.decode()
        if done.exit_code != 0:
            raise ComposeError(f"{' '.join(command)} ended with {done.exit_code}: {said}")
        return said

    def kill(self, container: Container) -> None:
        """End a container's process as a crash would.

        From inside: what `docker kill` ends is not started again.
        """
        self.execute(container, *_KILL)

    async def is_healthy(self, service: str) -> bool:
        """Tell whether every container of a service runs and is healthy."""
        found = await asyncio.to_thread(self.containers, service)
        return bool(found) and all(
            container.attrs["State"]["Health"]["Status"] == "healthy" for container in found
        )

    async def settle(self) -> None:
        """Return when every service is healthy."""
        for service in SERVICES:
            await until(partial(self.is_healthy, service), 90, service)

    async def aclose(self) -> None:
        """Remove the project, its volumes and images included."""
        await self.compose("down", "--volumes", "--remove-orphans", "--timeout=5")
        for service in OURS:
            self.engine.images.remove(self.image(service))
        self.engine.close()

    async def _run(self, *command: str, **variables: str) -> str:
        code, said = await self._finish(command, variables)
        if code != 0:
            raise ComposeError(f"{' '.join(command)} ended with {code}:\n{said}")
        return said

    async def _finish(
        self, command: tuple[str, ...], variables: Mapping[str, str]
    ) -> tuple[int, str]:
        environment = {
            **inherited_environment(),
            **{name: value for name, value in os.environ.items() if name.startswith("DOCKER_")},
            "COMPOSE_PROJECT_NAME": self.project,
            "COMPOSE_ENV_FILES": str(self.env_file),
            **NO_LIMITS,
            **self._variables,
            **variables,
        }
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self._root,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(_COMMAND_SECONDS):
            said, _ = await process.communicate()
        return process.returncode or 0, said.decode()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float, what: str) -> float:
    """Return when the condition holds, after how many seconds.

    Raises `TimeoutError` naming `what` when it does not in time.
    """
    begun = time.monotonic()
    while not await condition():
        if time.monotonic() - begun > seconds:
            raise TimeoutError(f"{what}: not within {seconds:g} seconds")
        await asyncio.sleep(_LOOK_SECONDS)
    return time.monotonic() - begun


def _free_range() -> int:
    """Return the first of some ports in a row that nobody listens on."""
    while True:
        first = free_port()
        if all(is_free(first + more) for more in range(_PORTS)):
            return first


def describe(container: Container) -> dict[str, Any]:
    """Return all the engine knows of a container, as of now."""
    container.reload()
    attributes: dict[str, Any] = container.attrs
    return attributes
