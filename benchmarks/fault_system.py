"""The system that goes through faults: two gateway processes, an issuer, clocks that can be set."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from devkit.forge import Forge, SigningKey, new_keys, to_json
from devkit.ports import LOOPBACK
from devkit.stack import Stack, running_stack
from devkit.stepped_clock import SteppedClock

SERVICES = ("auth-verifier", "tasks", "gateway")
ONE_HOUR = 3600
DISK_MEGABYTES = 160


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
