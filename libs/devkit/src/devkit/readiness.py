"""Probes that tell whether a process that has been started is ready to serve."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence

from devkit.ports import LOOPBACK

Probe = Callable[[], Awaitable[bool]]
_ANSWER_LIMIT = 2.0
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


def answers_http(port: int, path: str) -> Probe:
    """Ready when `GET path` is answered with 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nConnection: close\r\n\r\n"

    async def probe() -> bool:
        status = _STATUS.match(await _exchange(port, request.encode()))
        return status is not None and status[1] == b"200"

    return probe


def answers_redis(port: int, password: str) -> Probe:
    """Ready when Redis answers PING, which it does not while it loads its data."""

    async def probe() -> bool:
        answer = await _exchange(port, f"AUTH {password}\r\nPING\r\nQUIT\r\n".encode())
        return b"+PONG" in answer

    return probe


def succeeds(command: Sequence[str]) -> Probe:
    """Ready when the command ends with exit code 0."""

    async def probe() -> bool:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        return await process.wait() == 0

    return probe


async def _exchange(port: int, request: bytes) -> bytes:
    """Send bytes to a port on loopback and return the answer; empty when there is none in time."""
    try:
        async with asyncio.timeout(_ANSWER_LIMIT):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(request)
                return await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return b""
