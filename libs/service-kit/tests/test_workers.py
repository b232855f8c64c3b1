"""Several processes on one port: real ones, of an application made for it."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from devkit.ports import free_port

LIMIT = 60
APP = """
import asyncio, gc, os, pathlib
from service_kit.api import ServiceApi
from service_kit.metrics import Metrics, served

def create_app():
    metrics = Metrics()
    app = ServiceApi(
        title="kettle",
        description="",
        lifespan=lambda _: served(metrics.registry, int(os.environ["METRICS_PORT"])),
    )
    app.observers = [metrics]

    @app.get("/pid")
    async def get_pid() -> int:
        return os.getpid()

    @app.get("/garbage")
    async def get_garbage() -> list[int]:
        return [gc.get_freeze_count(), gc.get_threshold()[0]]

    @app.get("/held")
    async def get_held() -> int:
        await asyncio.to_thread(pathlib.Path(os.environ["FIFO"]).read_bytes)
        return os.getpid()

    return app

def refuse():
    raise SystemExit("kettle: refusing to start: no water")
"""


class Kettles:
    """Two processes that serve."""

    def __init__(self, folder: Path) -> None:
        self.port, self.metrics_port = free_port(), free_port()
        self.fifo = folder / "fifo"
        self.answered = 0
        self._folder = folder
        self.parent: asyncio.subprocess.Process

    async def start(self, factory: str = "create_app", workers: int = 2) -> None:
        self.parent = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service_kit.serve", f"kettles:{factory}"),
            *("--workers-from", "KETTLE_WORKERS", "--host", "127.0.0.1", "--port", str(self.port)),
            env={
                **os.environ,
                "PYTHONPATH": str(self._folder),
                "KETTLE_WORKERS": str(workers),
                "METRICS_PORT": str(self.metrics_port),
                "FIFO": str(self.fifo),
            },
            stderr=asyncio.subprocess.PIPE,
        )

    async def get(self, path: str) -> httpx.Response:
        """Ask over a connection of its own, so that either may answer."""
        async with httpx.AsyncClient(trust_env=False, timeout=LIMIT) as client:
            answer = await client.get(f"http://127.0.0.1:{self.port}{path}")
        self.answered += path == "/pid"
        return answer

    async def pids(self, without: int = 0, number: int = 2) -> set[int]:
        """Ask until so many have answered, none of them the one that was there before."""
        found: set[int] = set()
        while len(found) < number:
            try:
                found.add((await self.get("/pid")).json())
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            found.discard(without)
        return found

    async def gone(self) -> None:
        """Return when nobody answers."""
        with suppress(httpx.TransportError):
            while True:
                await self.get("/pid")

    async def count(self, status: int = 200) -> float:
        """Tell how often /pid was answered, as Prometheus sees it."""
        async with httpx.AsyncClient(trust_env=False, timeout=LIMIT) as client:
            text = (await client.get(f"http://127.0.0.1:{self.metrics_port}/metrics")).text
        labels = f'method="GET",route="/pid",status="{status}"'
        found = re.search(rf"^taskgate_http_requests_total{{{labels}}} (\S+)$", text, re.MULTILINE)
        assert "process_resident_memory_bytes" in text
        return float(found[1]) if found else 0


@asynccontextmanager
async def kettle_folder(folder: Path) -> AsyncIterator[Kettles]:
    (folder / "kettles.py").write_text(APP)
    os.mkfifo(folder / "fifo")
    kettles = Kettles(folder)
    yield kettles
    if kettles.parent.returncode is None:
        kettles.parent.terminate()
    await kettles.parent.communicate()


@pytest.fixture(scope="module")
async def kettles(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kettles]:
    """Give two processes that serve; a test leaves two behind."""
    async with kettle_folder(tmp_path_factory.mktemp("kettles")) as kettles:
        await kettles.start()
        yield kettles


@pytest.fixture
async def other_kettles(tmp_path: Path) -> AsyncIterator[Kettles]:
    """Give what has not been started."""
    async with kettle_folder(tmp_path) as kettles:
        yield kettles


@pytest.mark.spec("OBS-2", "OBS-6")
async def test_one_port_shows_the_sum_of_all_workers_also_of_one_that_crashed(
    kettles: Kettles,
) -> None:
    crashing, _ = await kettles.pids()
    before = await kettles.count()
    for _ in range(10):
        await kettles.get("/pid")
    assert await kettles.count() == before + 10

    os.kill(crashing, signal.SIGKILL)

    assert len(await kettles.pids(without=crashing)) == 2
    between = await kettles.count()
    await kettles.get("/pid")
    assert between >= before + 10
    assert await kettles.count() == between + 1


@pytest.mark.spec("OBS-2")
async def test_counts_nobody_has_seen_yet_outlive_a_worker_that_is_told_to_end(
    kettles: Kettles,
) -> None:
    await kettles.pids()
    before = await kettles.count() - kettles.answered
    ending, _ = await kettles.pids()

    os.kill(ending, signal.SIGTERM)

    assert len(await kettles.pids(without=ending)) == 2
    assert await kettles.count() == before + kettles.answered


@pytest.mark.spec("OBS-2")
async def test_a_worker_that_hangs_counts_with_what_it_said_last(kettles: Kettles) -> None:
    hanging, _ = await kettles.pids()
    before = await kettles.count()

    os.kill(hanging, signal.SIGSTOP)
    during = await kettles.count()
    with suppress(ProcessLookupError):
        os.kill(hanging, signal.SIGCONT)

    assert during == before > 0


@pytest.mark.spec("OBS-6")
async def test_a_worker_that_is_told_to_end_answers_what_it_has_begun_and_is_replaced(
    kettles: Kettles,
) -> None:
    await kettles.pids()
    held = asyncio.create_task(kettles.get("/held"))
    writing = await asyncio.to_thread(os.open, kettles.fifo, os.O_WRONLY)
    # The end of the pipe is there when the one who reads it has begun.
    serving = next(pid for pid in await kettles.pids() if _reads(pid, kettles.fifo))

    os.kill(serving, signal.SIGTERM)
    os.close(writing)

    assert (await held).json() == serving
    assert len(await kettles.pids(without=serving)) == 2


@pytest.mark.spec("OBS-6")
async def test_each_worker_has_a_session_of_its_own(kettles: Kettles) -> None:
    pids = await kettles.pids()

    assert {os.getsid(pid) for pid in pids} == pids


@pytest.mark.spec("OBS-6", "CON-4")
@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGHUP])
async def test_all_workers_end_with_the_one_that_started_them(
    other_kettles: Kettles, told: signal.Signals
) -> None:
    await other_kettles.start()
    await other_kettles.pids()

    other_kettles.parent.send_signal(told)

    assert await other_kettles.parent.wait() == -told
    await other_kettles.gone()


@pytest.mark.spec("OBS-6")
async def test_no_worker_outlives_a_parent_that_was_killed(other_kettles: Kettles) -> None:
    await other_kettles.start()
    await other_kettles.pids()

    other_kettles.parent.kill()
    await other_kettles.parent.wait()

    await other_kettles.gone()


@pytest.mark.spec("OBS-6")
async def test_workers_that_refuse_to_start_end_the_start_with_their_line(
    other_kettles: Kettles,
) -> None:
    await other_kettles.start("refuse")

    _, said = await other_kettles.parent.communicate()
    assert other_kettles.parent.returncode == 1
    assert "kettle: refusing to start: no water" in said.decode().splitlines()
    assert "Traceback" not in said.decode()


@pytest.mark.spec("SPEED-6", "RUN-13")
async def test_a_process_that_serves_alone_does_not_look_through_its_start_again(
    other_kettles: Kettles,
) -> None:
    await other_kettles.start(workers=1)
    await other_kettles.pids(number=1)

    kept, objects_a_round = (await other_kettles.get("/garbage")).json()
    other_kettles.parent.send_signal(signal.SIGINT)
    _, said = await other_kettles.parent.communicate()

    assert kept > 10_000
    assert objects_a_round == 50_000
    assert other_kettles.parent.returncode == -signal.SIGINT
    assert "Traceback" not in said.decode()


@pytest.mark.spec("SPEED-6")
async def test_workers_do_not_look_through_their_start_again(kettles: Kettles) -> None:
    await kettles.pids()

    kept, objects_a_round = (await kettles.get("/garbage")).json()

    assert kept > 10_000
    assert objects_a_round == 50_000


def _reads(pid: int, path: Path) -> bool:
    return any(entry.resolve() == path for entry in Path(f"/proc/{pid}/fd").iterdir())
