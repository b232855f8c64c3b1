"""Each service runs by itself, set up by its environment only, and says what is wrong with it."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from httpx import AsyncClient

from devkit.ports import free_port
from devkit.process import inherited_environment
from devkit.pytest_plugin import CreateDatabase
from devkit.readiness import answers_http

LIMIT = 60
PACKAGES = {
    "auth-verifier": "auth_verifier",
    "gateway": "gateway_service",
    "tasks": "tasks_service",
}


@pytest.fixture(scope="module")
async def settings(create_database: CreateDatabase) -> dict[str, dict[str, str]]:
    """Give the least each service needs; nobody else is there."""
    nobody, key = f"http://127.0.0.1:{free_port()}", secrets.token_hex(32)
    database = {"DATABASE_URL": await create_database()}
    migrated = await _start([sys.executable, "-m", "tasks_service.migrate"], database)
    assert await migrated.wait() == 0
    return {
        "auth-verifier": {"BETTER_AUTH_SECRET": secrets.token_hex(32)},
        "gateway": {
            "TASKS_URL": nobody,
            "AUTH_VERIFIER_URL": nobody,
            "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
            "IDENTITY_KEY": key,
        },
        "tasks": {
            **database,
            "IDENTITY_KEY": key,
            "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        },
    }


async def _start(command: list[str], environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command,
        env=inherited_environment() | dict(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


@asynccontextmanager
async def _running(
    service: str, port: int, environment: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    factory = f"{PACKAGES[service]}.main:create_app"
    command = [sys.executable, "-m", "uvicorn", "--factory", factory, "--port", str(port)]
    process = await _start(command, environment)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.spec("RUN-12", "GW-19")
@pytest.mark.parametrize("service", PACKAGES)
async def test_a_service_starts_alone_and_ends_when_asked(
    settings: dict[str, dict[str, str]], service: str
) -> None:
    port = free_port()
    probe = answers_http(port, "/healthz")
    async with _running(service, port, settings[service]) as process, asyncio.timeout(LIMIT):
        while not await probe():
            assert process.returncode is None
            await asyncio.sleep(0.05)

        process.terminate()

        assert await process.wait() in {0, -15}


@pytest.mark.spec("GW-19")
async def test_a_gateway_alone_lives_and_names_what_it_misses(
    settings: dict[str, dict[str, str]],
) -> None:
    port = free_port()
    probe = answers_http(port, "/healthz")
    async with _running("gateway", port, settings["gateway"]), asyncio.timeout(LIMIT):
        while not await probe():  # noqa: ASYNC110 - what is awaited happens in another process.
            await asyncio.sleep(0.05)
        async with AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            ready = await client.get("/readyz")

    assert ready.status_code == 503
    assert set(ready.json()["failing"]) == {"auth-verifier", "redis", "tasks"}


@pytest.mark.spec("RUN-12", "AUTH-17", "GW-20", "TASK-24")
@pytest.mark.parametrize(
    ("service", "mistake", "named"),
    [
        ("auth-verifier", {"BETTER_AUTH_SECRET": ""}, "BETTER_AUTH_URL"),
        ("auth-verifier", {"BETTER_AUTH_SECRET": "short"}, "BETTER_AUTH_SECRET"),
        ("gateway", {"TASKS_URL": ""}, "TASKS_URL"),
        ("gateway", {"REDIS_URL": "http://redis"}, "REDIS_URL"),
        ("gateway", {"CORS_ORIGINS": "*"}, "CORS_ORIGINS"),
        ("tasks", {"DATABASE_URL": "mysql://u:hunter2@db.test/tasks"}, "DATABASE_URL"),
        ("tasks", {"IDENTITY_KEY": "short"}, "IDENTITY_KEY"),
    ],
)
async def test_a_mistaken_setting_stops_the_start_with_one_line(
    settings: dict[str, dict[str, str]], service: str, mistake: dict[str, str], named: str
) -> None:
    environment = settings[service] | mistake

    async with _running(service, free_port(), environment) as process, asyncio.timeout(LIMIT):
        said, _ = await process.communicate()

    lines = said.decode().splitlines()
    assert process.returncode != 0
    assert len(lines) == 1
    assert lines[0].startswith(f"{service}: refusing to start: ")
    assert named in lines[0]
    assert not any(value in lines[0] for value in ("hunter2", *settings[service].values()))


@pytest.mark.spec("TASK-22")
async def test_a_tasks_service_on_an_old_schema_stops_with_one_line_that_says_what_to_run(
    settings: dict[str, dict[str, str]], create_database: CreateDatabase
) -> None:
    environment = settings["tasks"] | {"DATABASE_URL": await create_database()}

    async with _running("tasks", free_port(), environment) as process, asyncio.timeout(LIMIT):
        said, _ = await process.communicate()

    errors = [line for line in said.decode().splitlines() if "refusing to start" in line]
    assert process.returncode != 0
    assert len(errors) == 1
    assert "python -m tasks_service.migrate" in errors[0]
    assert b"Traceback" not in said
