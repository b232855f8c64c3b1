"""Requests, as many as fit into some seconds: by wrk where there is one, else by ourselves."""

import asyncio
import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import httptools

from devkit.ports import LOOPBACK

CONNECTIONS = 32
_MILLISECONDS = 1000
_FIRST_ERROR = 400
_READ_BYTES = 256 * 1024
# wrk counts microseconds; what it prints for people is rounded.
_SCRIPT = """
local requests = {}
local number = 0
function init(args)
  for line in io.lines(args[1]) do
    requests[#requests + 1] = line:gsub("\\\\r", "\\r"):gsub("\\\\n", "\\n")
  end
end
function request()
  number = number % #requests + 1
  return requests[number]
end
function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\\nRESULT {"answered": %d, "failed": %d, "seconds": %f, "p50": %f, "p99": %f}\\n',
    summary.requests,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


class Request(NamedTuple):
    """A GET, or with a JSON `body` a POST."""

    path: str
    headers: Mapping[str, str]
    body: str = ""

    def text(self) -> str:
        """Return it as HTTP/1.1 has it."""
        lines = [f"{'POST' if self.body else 'GET'} {self.path} HTTP/1.1", f"Host: {LOOPBACK}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", self.body])


@dataclass(frozen=True)
class Load:
    """What became of the requests; `p50` and `p99` are in milliseconds."""

    answered: int
    failed: int
    seconds: float
    p50: float
    p99: float

    @property
    def per_second(self) -> float:
        """Answers each second."""
        return self.answered / self.seconds


def together(loads: Sequence[Load]) -> Load:
    """Return several loads at one time as one; p50 and p99 are those of the slowest."""
    return Load(
        sum(load.answered for load in loads),
        sum(load.failed for load in loads),
        max(load.seconds for load in loads),
        max(load.p50 for load in loads),
        max(load.p99 for load in loads),
    )


def generator() -> str:
    """Return what makes the load."""
    return "wrk" if shutil.which("wrk") else "the benchmark's own generator (there is no wrk)"


async def send(
    port: int, requests: Sequence[Request], seconds: float, folder: Path, *, connections: int
) -> Load:
    """Send the requests in turn, over and over, for so many seconds."""
    if shutil.which("wrk"):
        return await _wrk(port, requests, seconds, folder, connections)
    return await _own(port, requests, seconds, connections)


async def _wrk(
    port: int, requests: Sequence[Request], seconds: float, folder: Path, connections: int
) -> Load:
    script, listed = folder / f"load-{port}.lua", folder / f"requests-{port}.txt"
    script.write_text(_SCRIPT)
    listed.write_text(
        "\n".join(r.text().replace("\r", "\\r").replace("\n", "\\n") for r in requests)
    )
    shape = ["-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout=10s", "--latency"]
    address = f"http://{LOOPBACK}:{port}"
    running = await asyncio.create_subprocess_exec(
        "wrk", *shape, "-s", str(script), address, "--", str(listed), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await running.communicate()
    lines = output.decode().splitlines()
    found = [line.removeprefix("RESULT ") for line in lines if line.startswith("RESULT ")]
    if not found:
        sys.exit(f"wrk failed: {output.decode()}")
    return Load(**json.loads(found[0]))


async def _own(port: int, requests: Sequence[Request], seconds: float, connections: int) -> Load:
    waiting = cycle([request.text().encode() for request in requests])
    start = time.perf_counter()
    clients = [_Client() for _ in range(connections)]
    await asyncio.gather(*(client.run(port, waiting, start + seconds) for client in clients))
    passed = time.perf_counter() - start
    latencies = sorted(latency for client in clients for latency in client.latencies)
    failed = sum(client.failed for client in clients)
    middle, slow = (latencies[int(len(latencies) * part)] for part in (0.5, 0.99))
    return Load(len(latencies), failed, passed, middle * _MILLISECONDS, slow * _MILLISECONDS)


class _Client:
    """One connection, an exchange after the other."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.failed = 0
        self._complete = False

    async def run(self, port: int, waiting: "cycle[bytes]", until: float) -> None:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        while (began := time.perf_counter()) < until:
            writer.write(next(waiting))
            await self._read(reader)
            self.latencies.append(time.perf_counter() - began)
        writer.close()

    def on_message_complete(self) -> None:
        self._complete = True

    async def _read(self, reader: asyncio.StreamReader) -> None:
        parser = httptools.HttpResponseParser(self)
        self._complete = False
        while not self._complete:
            data = await reader.read(_READ_BYTES)
            if not data:
                raise ConnectionResetError
            parser.feed_data(data)
        self.failed += parser.get_status_code() >= _FIRST_ERROR
