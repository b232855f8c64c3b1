import asyncio
import json
import os
import shlex
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import jwt
import psutil
import pytest

from devkit.ports import free_port
from devkit.run_folder import RunFolder, lives

PARTS = ("postgres", "redis", "auth-verifier", "tasks", "gateway")
ELSEWHERE = {"DATABASE_URL": "postgresql://db.test/tasks", "REDIS_URL": "redis://redis.test/1"}
LIMIT = 60


class Run:
    """A `make run` of our own, its services replaced by fakes."""

    def __init__(self, process: asyncio.subprocess.Process, data_dir: Path, port: int) -> None:
        self.process = process
        self.data_dir = data_dir
        self.url = f"http://127.0.0.1:{port}"
        self.said: list[str] = []

    async def until_said(self, beginning: str) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(LIMIT):
            async for raw in self.process.stdout:
                self.said.append(raw.decode().rstrip())
                if self.said[-1].startswith(beginning):
                    return self.said[-1]
        raise AssertionError(f"never said {beginning!r}: {self.said}")

    async def end(self) -> int:
        """Wait for the end; what is still said goes to `said`."""
        async with asyncio.timeout(LIMIT):
            rest, _ = await self.process.communicate()
        self.said += rest.decode().splitlines()
        assert self.process.returncode is not None
        return self.process.returncode

    def pid(self, part: str) -> int:
        return int((self.data_dir / "run" / f"{part}.pid").read_text())

    def processes(self) -> dict[str, psutil.Process]:
        found = sorted((self.data_dir / "run").glob("*.pid"))
        return {path.stem: psutil.Process(self.pid(path.stem)) for path in found}

    async def environment_of(self, url: str) -> dict[str, str]:
        async with httpx.AsyncClient(trust_env=False) as client:
            told: dict[str, str] = (await client.get(url)).json()
        return told


Start = Callable[..., Any]


@pytest.fixture
async def start(tmp_path: Path, fake_services: Path) -> AsyncIterator[Start]:
    async with AsyncExitStack() as runs:

        async def start(environment: Mapping[str, str] | None = None, *, ready: bool = True) -> Run:
            given = {"PORT": str(free_port()), "PYTHONPATH": str(fake_services)}
            run = await runs.enter_async_context(
                _run(tmp_path / "data", given | dict(environment or {}))
            )
            if ready:
                await run.until_said("curl ")
            return run

        yield start
    _end_what_a_failing_test_left(tmp_path / "data" / "run")


def _end_what_a_failing_test_left(run_folder: Path) -> None:
    if run_folder.exists():
        RunFolder(run_folder).end_leftovers()


@asynccontextmanager
async def _run(data_dir: Path, environment: Mapping[str, str]) -> AsyncIterator[Run]:
    names = ("DATABASE_URL", "REDIS_URL", "BETTER_AUTH_SECRET", "IDENTITY_KEY", "CORS_ORIGINS")
    ours = {name: value for name, value in os.environ.items() if name not in names}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "devkit.run"),
        env=ours | {"DATA_DIR": str(data_dir)} | dict(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    run = Run(process, data_dir, int(environment["PORT"]) if environment["PORT"].isdigit() else 0)
    try:
        yield run
    finally:
        if process.returncode is None:
            process.terminate()
        await run.end()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not condition():  # noqa: ASYNC110 - what is awaited happens in another process
            await asyncio.sleep(0.02)


def _our_lines(run: Run) -> list[str]:
    return [line for line in run.said if line.startswith("taskgate: ")]


@pytest.mark.spec("RUN-1")
async def test_a_run_prints_its_urls_and_a_curl_line_with_a_good_token(start: Start) -> None:
    run = await start(ELSEWHERE | {"BETTER_AUTH_SECRET": "s" * 32, "PUBLIC_URL": "http://x.test"})

    words = shlex.split(run.said[-1])

    assert "Gateway   http://x.test" in run.said
    assert "Docs      http://x.test/docs" in run.said
    assert words.count("http://x.test/api/v1/tasks") == 2
    assert json.loads(words[words.index("-d") + 1]) == {"title": "Write to Ada"}
    token = next(word for word in words if word.startswith("Authorization")).split()[-1]
    assert jwt.decode(token, "s" * 32, algorithms=["HS256"])["sub"] == "alice"


@pytest.mark.spec("RUN-2", "RUN-3")
async def test_a_part_that_dies_is_started_again_under_a_new_pid(start: Start) -> None:
    run = await start()
    before = run.processes()
    assert set(before) == set(PARTS)

    for process in before.values():
        process.kill()
    await _until(lambda: all(run.pid(part) != before[part].pid for part in PARTS))

    await _until(lambda: all(lives(psutil.Process(run.pid(part))) for part in PARTS))
    await _until(lambda: _listens(run.url))
    assert all(not lives(process) for process in before.values())


def _listens(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0


@pytest.mark.spec("RUN-4")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_every_process_and_removes_the_pid_files(
    start: Start, number: signal.Signals
) -> None:
    run = await start()
    processes = run.processes()

    run.process.send_signal(number)

    assert await run.end() == 0
    assert [part for part, process in processes.items() if lives(process)] == []
    assert run.processes() == {}


@pytest.mark.spec("RUN-4", "RUN-7")
async def test_a_second_run_finds_the_data_and_the_secrets_of_the_first(start: Start) -> None:
    first = await start()
    await _execute(await _database_of(first), "CREATE TABLE kept AS SELECT 1 AS one")
    secrets = (first.data_dir / "secrets.env").read_text()
    first.process.terminate()
    await first.end()

    second = await start()

    assert await _execute(await _database_of(second), "SELECT one FROM kept") == 1
    assert (second.data_dir / "secrets.env").read_text() == secrets


async def _database_of(run: Run) -> str:
    gateway = await run.environment_of(run.url)
    tasks = await run.environment_of(gateway["TASKS_URL"])
    return tasks["DATABASE_URL"]


async def _execute(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


@pytest.mark.spec("RUN-5")
async def test_a_second_run_beside_a_living_one_is_refused_and_harmless(start: Start) -> None:
    first = await start(ELSEWHERE)
    processes = first.processes()

    second = await start(ELSEWHERE, ready=False)

    assert await second.end() == 1
    assert len(second.said) == 1
    assert second.said[0].startswith(f"taskgate: Already running here (pid {first.process.pid}")
    assert all(lives(process) for process in processes.values())
    assert first.processes() == processes


@pytest.mark.spec("RUN-5")
async def test_a_taken_port_ends_the_run_with_one_line(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        run = await start({"PORT": port}, ready=False)

        assert await run.end() == 1
    assert run.said == [f"taskgate: Port {port} is in use: choose another, as in PORT=8090."]


@pytest.mark.spec("RUN-5")
@pytest.mark.parametrize(
    ("mistake", "line"),
    [
        ({"PORT": "http"}, "PORT must be a number from 1 to 65535, not 'http'."),
        ({"PORT": "70000"}, "PORT must be a number from 1 to 65535, not '70000'."),
        (
            {"BETTER_AUTH_SECRET": "short"},
            "BETTER_AUTH_SECRET is too short: it needs at least 32 bytes.",
        ),
    ],
)
async def test_a_mistaken_setting_ends_the_run_with_one_line(
    start: Start, mistake: dict[str, str], line: str
) -> None:
    run = await start(mistake, ready=False)

    assert await run.end() == 1
    assert run.said == [f"taskgate: {line}"]


@pytest.mark.spec("RUN-5")
async def test_a_data_folder_that_cannot_be_made_ends_the_run_with_one_line(
    start: Start, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()

    run = await start({"DATA_DIR": str(file / "data")}, ready=False)

    assert await run.end() == 1
    assert run.said == [f"taskgate: [Errno 20] Not a directory: '{file}/data/run'"]


@pytest.mark.spec("RUN-5")
async def test_a_service_that_refuses_to_start_ends_the_run_and_says_why(start: Start) -> None:
    run = await start({"LOG_LEVEL": "BROKEN"}, ready=False)

    assert await run.end() == 1
    assert run.said[-1] == (
        "taskgate: auth-verifier did not start (exit code 1): "
        "refusing to start: LOG_LEVEL is not a level"
    )
    assert run.processes() == {}


@pytest.mark.spec("RUN-6")
async def test_leftovers_of_a_killed_run_are_ended_by_the_next(start: Start) -> None:
    killed = await start()
    leftovers = killed.processes()
    killed.process.kill()
    await killed.end()
    assert all(lives(process) for process in leftovers.values())

    run = await start()

    assert [part for part, process in leftovers.items() if lives(process)] == []
    assert all(lives(process) for process in run.processes().values())
    assert [line.split(",")[0] for line in _our_lines(run)] == [
        f"taskgate: ended {part}" for part in reversed(PARTS)
    ]


@pytest.mark.spec("RUN-7")
async def test_each_service_gets_its_own_variables_only(start: Start) -> None:
    run = await start(
        ELSEWHERE
        | {
            "BETTER_AUTH_SECRET": "s" * 32,
            "BETTER_AUTH_URL": "https://app.test",
            "IDENTITY_KEY": "i" * 32,
            "CORS_ORIGINS": "https://app.test",
            "UNRELATED_SECRET": "x",
        }
    )

    gateway = await run.environment_of(run.url)
    verifier = await run.environment_of(gateway["AUTH_VERIFIER_URL"])
    tasks = await run.environment_of(gateway["TASKS_URL"])

    common = set(gateway) & set(verifier) & set(tasks)
    assert set(gateway) - common == {
        "AUTH_VERIFIER_URL",
        "CORS_ORIGINS",
        "IDENTITY_KEY",
        "REDIS_URL",
        "TASKS_URL",
    }
    assert {"BETTER_AUTH_SECRET", "BETTER_AUTH_URL"} <= set(verifier) - common
    assert not {"IDENTITY_KEY", "REDIS_URL", "DATABASE_URL"} & set(verifier)
    assert set(tasks) - common == {"DATABASE_URL", "IDENTITY_KEY", "REDIS_URL"}
    assert "UNRELATED_SECRET" not in common


@pytest.mark.spec("RUN-8")
async def test_servers_named_in_the_environment_are_used_and_none_is_started(
    start: Start,
) -> None:
    run = await start(ELSEWHERE)

    gateway = await run.environment_of(run.url)
    tasks = await run.environment_of(gateway["TASKS_URL"])

    assert set(run.processes()) == {"auth-verifier", "tasks", "gateway"}
    assert gateway["REDIS_URL"] == ELSEWHERE["REDIS_URL"]
    assert tasks["DATABASE_URL"] == ELSEWHERE["DATABASE_URL"]


async def test_tables_are_brought_up_to_date_before_the_tasks_service_starts(start: Start) -> None:
    run = await start(ELSEWHERE)

    tasks = [line.partition(" | ")[2] for line in run.said if line.startswith("tasks ")]

    assert tasks[:2] == ["migrated postgresql", '{"event": "started"}']
