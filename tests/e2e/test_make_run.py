"""`make run` with the real services: the promise a new developer tries first."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from devkit.ports import free_port
from devkit.process import inherited_environment
from devkit.run_folder import lives

PARTS = ("postgres", "redis", "auth-verifier", "tasks", "gateway")
LIMIT = 120
# For a machine without curl: as much of it as the printed line uses.
STAND_IN = f"""#!{sys.executable}
import sys, urllib.request
words, headers, data = iter(sys.argv[1:]), {{}}, None
for word in words:
    if word == "-H":
        headers.update([next(words).split(": ", 1)])
    elif word == "-d":
        data = next(words).encode()
    elif not word.startswith("-"):
        url = word
request = urllib.request.Request(url, data, headers)
print(urllib.request.urlopen(request).read().decode(), end="")
"""


class Run:
    """A run, the line it told us to paste, and what its processes are."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.line = ""
        self.said = ""
        # A pipe left full would hold the services up, so it is read to its end.
        self.ready = asyncio.Event()
        self.reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for raw in self.process.stdout:
            self.said += raw.decode()
            if raw.startswith(b"curl "):
                self.line = raw.decode().strip()
                self.ready.set()
        self.ready.set()

    async def until_ready(self) -> None:
        async with self.in_time():
            await self.ready.wait()
        assert self.line, self.said

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        """Fail with all that was said when the block takes too long."""
        try:
            async with asyncio.timeout(LIMIT):
                yield
        except TimeoutError:
            pytest.fail(self.said)

    async def paste(self) -> list[Any]:
        """Run the line in a shell; return the JSON it shows, line by line."""
        tools = self.folder / "tools"
        if shutil.which("curl") is None:
            tools.mkdir(exist_ok=True)
            (tools / "curl").write_text(STAND_IN)
            (tools / "curl").chmod(0o755)
        path = f"{tools}{os.pathsep}{os.environ['PATH']}"
        shell = await asyncio.create_subprocess_shell(
            self.line,
            env=inherited_environment() | {"PATH": path, "NO_PROXY": "*"},
            stdout=asyncio.subprocess.PIPE,
        )
        async with self.in_time():
            said, _ = await shell.communicate()
        assert shell.returncode == 0
        return [json.loads(line) for line in said.decode().splitlines()]

    def pids(self) -> dict[str, int]:
        files = (self.folder / "data" / "run").glob("*.pid")
        return {path.stem: int(path.read_text()) for path in files}

    async def end(self) -> int:
        if self.process.returncode is None:
            self.process.terminate()
        async with self.in_time():
            await self.reader
            return await self.process.wait()


@asynccontextmanager
async def _run(folder: Path) -> AsyncIterator[Run]:
    given = {"DATA_DIR": str(folder / "data"), "PORT": str(free_port())}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "devkit.run"),
        env=inherited_environment() | given,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    run = Run(process, folder)
    try:
        await run.until_ready()
        yield run
    finally:
        await run.end()


async def _served_again(run: Run) -> httpx.Response:
    # The second request of the line lists what is there.
    words = run.line.split("&& echo && ")[1].split("'")
    name, _, value = words[1].partition(": ")
    url = words[2].split()[0]
    async with httpx.AsyncClient(trust_env=False) as client, run.in_time():
        while True:
            try:
                answer = await client.get(url, headers={name: value})
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code < 500:
                return answer
            await asyncio.sleep(0.05)


@pytest.mark.spec("RUN-1", "RUN-2", "RUN-4")
async def test_the_printed_line_works_and_a_second_run_finds_its_task(tmp_path: Path) -> None:
    async with _run(tmp_path) as first:
        created, listed = await first.paste()
        processes = [psutil.Process(pid) for pid in first.pids().values()]

        ended = await first.end()

    async with _run(tmp_path) as second:
        _, again = await second.paste()

    assert listed["items"] == [created]
    assert len(processes) == len(PARTS)
    assert ended == 0
    assert not any(lives(process) for process in processes)
    assert again["items"][1:] == [created]


@pytest.mark.spec("RUN-2", "RUN-3")
async def test_parts_that_are_killed_come_back_and_serve(tmp_path: Path) -> None:
    async with _run(tmp_path) as run:
        created, _ = await run.paste()
        before = run.pids()
        assert set(before) == set(PARTS)

        for pid in before.values():
            psutil.Process(pid).kill()

        async with run.in_time():
            while any(run.pids().get(part) in {None, pid} for part, pid in before.items()):  # noqa: ASYNC110 - what is awaited happens in another process.
                await asyncio.sleep(0.02)
        answer = await _served_again(run)

    assert answer.json()["items"] == [created]
