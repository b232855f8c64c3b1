import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from devkit.run_folder import RunFolder, lives

SETTINGS = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = session
asyncio_default_test_loop_scope = session
filterwarnings = error
"""
HANGS = """
import asyncio

async def test_hangs({fixture}):
    print("running", flush=True)
    await asyncio.Event().wait()
"""
# A system is five processes; where one is as good, Redis is there the soonest.
SYSTEM, SERVER = HANGS.format(fixture="fault_stack"), HANGS.format(fixture="redis_server")
PASSES = """
async def test_passes(redis_server):
    pass
"""
SHARES = """
import os, subprocess, sys
from devkit.account import let_reach

def test_stays_open_while_another_session_runs(tmp_path):
    if "ANOTHER" in os.environ:
        return
    let_reach("nobody", tmp_path)
    another = [sys.executable, *sys.orig_argv[1:]]
    subprocess.run(another, env=os.environ | {"ANOTHER": "yes"}, check=True)
    assert all(folder.stat().st_mode & 0o001 for folder in tmp_path.parents)
"""
FAULTS = """
import asyncio, httpx, jwt, pytest

@pytest.fixture
async def client():
    async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
        yield client

async def test_a_stack_serves_and_tells_its_addresses(stack, client):
    for url in (stack.url, stack.tasks_url, stack.verifier_url):
        assert (await client.get(url)).status_code == 200
    gateway = (await client.get(stack.url)).json()
    assert gateway["TASKS_URL"] == stack.tasks_url
    assert '"started"' in stack.log("gateway")

async def test_a_stack_signs_tokens_with_its_secret(stack):
    claims = jwt.decode(stack.token("alice", extra=1), stack.secret, algorithms=["HS256"])
    assert (claims["sub"], claims["extra"]) == ("alice", 1)

async def test_parts_stop_die_hang_and_come_back(fault_stack, client):
    await fault_stack.stop("tasks")
    with pytest.raises(httpx.ConnectError):
        await client.get(fault_stack.tasks_url)
    await fault_stack.start("tasks")
    assert (await client.get(fault_stack.tasks_url)).status_code == 200

    await fault_stack.kill("postgres")
    await fault_stack.start("postgres")

    fault_stack.pause("tasks")
    answer = asyncio.ensure_future(client.get(fault_stack.tasks_url, timeout=60))
    with pytest.raises(httpx.ReadTimeout):
        await client.get(fault_stack.tasks_url, timeout=0.1)
    fault_stack.resume("tasks")
    assert (await answer).status_code == 200

async def test_a_stack_takes_more_variables_and_more_gateways(stack_factory, client):
    stack = await stack_factory(environment={"gateway": {"MORE": "yes"}}, gateways=2)
    first, second = [(await client.get(url)).json() for url in stack.urls]
    assert first["MORE"] == "yes"
    assert first["TASKS_URL"] == second["TASKS_URL"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The sessions' temporary folder, in which a failing test leaves nothing running either."""
    yield tmp_path
    for left in tmp_path.glob("taskgate-test-*"):
        RunFolder(left / "run").end_leftovers()


class Session:
    """A pytest session of its own, whose temporary files lie in `folder`."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.process = process
        self._folder = folder

    def processes(self) -> list[psutil.Process]:
        return [
            psutil.Process(int(pid_file.read_text()))
            for folder in self.folders()
            for pid_file in folder.glob("run/*.pid")
        ]

    def folders(self) -> list[Path]:
        return list(self._folder.glob("taskgate-test-*"))

    async def until_running(self) -> None:
        assert self.process.stdout is not None
        await self.process.stdout.readuntil(b"running")


@asynccontextmanager
async def _session(folder: Path, fakes: Path, tests: str) -> AsyncIterator[Session]:
    (folder / "pytest.ini").write_text(SETTINGS)
    (folder / "test_inner.py").write_text(tests)
    # Not those of our other plugins that take seconds to import.
    others = [f"-pno:{name}" for name in ("cacheprovider", "schemathesis", "hypothesispytest")]
    options = ["-q", "-s", "-p", "devkit.pytest_plugin", *others]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", *options, "test_inner.py"),
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder), "PYTHONPATH": str(fakes)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(120):
            yield Session(process, folder)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_stacks_serve_stop_start_hang_and_multiply(folder: Path, fake_services: Path) -> None:
    async with _session(folder, fake_services, FAULTS) as session:
        said, _ = await session.process.communicate()

    assert session.process.returncode == 0, said.decode()
    assert "4 passed" in said.decode()
    assert session.folders() == []


@pytest.mark.parametrize(
    ("number", "tests", "count"),
    [(signal.SIGINT, SYSTEM, 5), (signal.SIGTERM, SERVER, 1), (signal.SIGHUP, SERVER, 1)],
)
async def test_an_interrupted_session_leaves_nothing_running(
    folder: Path, fake_services: Path, number: signal.Signals, tests: str, count: int
) -> None:
    async with _session(folder, fake_services, tests) as session:
        await session.until_running()
        processes = session.processes()

        session.process.send_signal(number)
        await session.process.communicate()

    assert len(processes) == count
    assert [process for process in processes if lives(process)] == []
    assert session.folders() == []


async def test_what_a_killed_session_left_running_is_ended_by_the_next(
    folder: Path, fake_services: Path
) -> None:
    async with _session(folder, fake_services, SYSTEM) as killed:
        await killed.until_running()
        processes = killed.processes()
        killed.process.kill()
        await killed.process.communicate()
    assert all(lives(process) for process in processes)

    async with _session(folder, fake_services, PASSES) as session:
        await session.process.communicate()

    assert [process for process in processes if lives(process)] == []
    assert session.folders() == []


async def test_a_session_leaves_a_living_one_alone(folder: Path, fake_services: Path) -> None:
    async with _session(folder, fake_services, SERVER) as living:
        await living.until_running()
        processes = living.processes()

        async with _session(folder, fake_services, PASSES) as session:
            await session.process.communicate()

        assert session.process.returncode == 0
        assert all(lives(process) for process in processes)
        living.process.terminate()
        await living.process.communicate()


async def test_a_session_does_not_close_the_folders_of_another(
    folder: Path, fake_services: Path
) -> None:
    async with _session(folder, fake_services, SHARES) as session:
        said, _ = await session.process.communicate()

    assert session.process.returncode == 0, said.decode()
