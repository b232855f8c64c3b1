"""`python benchmarks/streaming.py [MEGABYTES]`: what long answers cost the gateway.

A real gateway on loopback between a stand-in for tasks and a client: a long download read at once,
the same while the client does not read for a second, and a stream of events.
"""

import asyncio
import sys
import time
from urllib.parse import urlsplit

import psutil

from devkit.stack import Stack, running_stack

_MEBIBYTE = 1024 * 1024
_PIECE = bytes(256 * 1024)
_EVENTS = 500
_PAUSE_SECONDS = 1.0


class StandIn:
    """Answers like tasks would, at any length, and counts what it could hand over."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.written = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, for as long as the gateway wants."""
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if b"/events" in head.split(b"\r\n", 1)[0]:
                await self._events(writer)
                continue
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self.length)
            self.written = 0
            while self.written < self.length:
                piece = _PIECE[: self.length - self.written]
                writer.write(piece)
                await writer.drain()
                self.written += len(piece)

    async def _events(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(_EVENTS):
            event = f"data: {time.monotonic()}\n\n".encode()
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            await asyncio.sleep(0.005)
        writer.write(b"0\r\n\r\n")


async def main(megabytes: int) -> None:
    """Measure and report."""
    upstream = StandIn(megabytes * _MEBIBYTE)
    async with await asyncio.start_server(upstream.serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with running_stack(environment={"gateway": {"TASKS_URL": url}}) as stack:
            gateway = _gateway()
            await _download(stack, 1)
            print(f"gateway before: {_megabytes(gateway):.1f} MiB")
            await _report_download(stack, gateway, megabytes)
            await _report_pause(stack, gateway, upstream)
            await _report_events(stack)
            print(f"gateway after: {_megabytes(gateway):.1f} MiB")


async def _report_download(stack: Stack, gateway: psutil.Process, megabytes: int) -> None:
    cpu, begin = sum(gateway.cpu_times()[:2]), time.monotonic()
    reader, writer = await _ask(stack, "/api/v1/download")
    left, highest = megabytes * _MEBIBYTE, 0.0
    while left:
        left -= len(await reader.read(4 * _MEBIBYTE))
        highest = max(highest, _megabytes(gateway))
    took, cpu = time.monotonic() - begin, sum(gateway.cpu_times()[:2]) - cpu
    writer.close()
    print(f"{megabytes} MiB: {took:.1f} s, {cpu:.1f} s of CPU, at most {highest:.1f} MiB held")


async def _report_pause(stack: Stack, gateway: psutil.Process, upstream: StandIn) -> None:
    _, writer = await _ask(stack, "/api/v1/download")
    await asyncio.sleep(_PAUSE_SECONDS)
    written, held = upstream.written / _MEBIBYTE, _megabytes(gateway)
    writer.close()
    print(f"nobody reads for {_PAUSE_SECONDS:g} s: {written:.1f} MiB handed over, {held:.1f} held")


async def _report_events(stack: Stack) -> None:
    reader, writer = await _ask(stack, "/api/v1/events")
    delays: list[float] = []
    while len(delays) < _EVENTS:
        line = await reader.readline()
        if line.startswith(b"data: "):
            delays.append(time.monotonic() - float(line[6:]))
    writer.close()
    delays.sort()
    middle, late = delays[_EVENTS // 2], delays[_EVENTS * 99 // 100]
    print(f"{_EVENTS} events: {middle * 1e3:.2f} ms behind, 99 % within {late * 1e3:.2f} ms")


async def _download(stack: Stack, pieces: int) -> None:
    reader, writer = await _ask(stack, "/api/v1/download")
    for _ in range(pieces):
        await reader.read(_MEBIBYTE)
    writer.close()


async def _ask(stack: Stack, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(stack.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    token = stack.headers("ada")["Authorization"]
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


def _gateway() -> psutil.Process:
    for process in psutil.Process().children(recursive=True):
        if any("gateway_service" in part for part in process.cmdline()):
            return process
    raise LookupError


def _megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss / _MEBIBYTE)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1024))
