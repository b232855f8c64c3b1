"""How the system starts, what stops it from starting, and what is there again afterwards."""

import json
import re
import secrets
import stat
from pathlib import Path

import httpx
import pytest

from devkit.compose_system import ComposeSystem

TASKS = "/api/v1/tasks"
SHORT = "too-short"


@pytest.mark.spec("CON-5")
def test_services_start_when_what_they_need_is_ready(system: ComposeSystem) -> None:
    state = system.first_start

    assert state["migrate"]["ExitCode"] == 0
    assert state["postgres"]["StartedAt"] < state["migrate"]["StartedAt"]
    assert state["migrate"]["FinishedAt"] < state["tasks"]["StartedAt"]
    assert state["tasks"]["StartedAt"] < state["gateway"]["StartedAt"]


@pytest.mark.spec("CON-8")
@pytest.mark.parametrize("empty", [True, False], ids=["empty", "missing"])
@pytest.mark.parametrize(
    "name", ["IDENTITY_KEY", "DATABASE_PASSWORD", "POSTGRES_PASSWORD", "REDIS_PASSWORD"]
)
async def test_no_start_without_a_secret(
    system: ComposeSystem, name: str, empty: bool, tmp_path: Path
) -> None:
    lines = system.env_file.read_text().splitlines()
    kept = [line for line in lines if not line.startswith(f"{name}=")]
    path = tmp_path / "some.env"
    path.write_text("\n".join([*kept, f"{name}="] if empty else kept))

    said = await system.fails("docker", "compose", "up", COMPOSE_ENV_FILES=str(path))

    (line,) = said.strip().splitlines()
    assert name in line
    assert "set it in .env" in line


@pytest.mark.spec("CON-8")
@pytest.mark.parametrize(
    ("service", "name", "value"),
    [
        ("gateway", "IDENTITY_KEY", SHORT),
        ("tasks", "IDENTITY_KEY", SHORT),
        ("auth-verifier", "BETTER_AUTH_SECRET", SHORT),
        ("tasks", "DATABASE_URL", "postgresql://taskgate:wrong@postgres/taskgate"),
        ("migrate", "DATABASE_URL", "postgresql://taskgate:wrong@postgres/taskgate"),
    ],
)
async def test_a_service_with_a_bad_secret_refuses_to_start(
    system: ComposeSystem, service: str, name: str, value: str
) -> None:
    said = await system.fails(
        *("docker", "compose", "run", "--rm", "--no-deps", "-T", "-e", f"{name}={value}", service)
    )

    refusals = [line for line in said.splitlines() if "refusing to start" in line]
    assert len(refusals) == 1
    assert name in refusals[0]
    assert value not in said


@pytest.mark.spec("CON-9")
async def test_make_up_prints_a_url_and_a_line_that_works_as_pasted(system: ComposeSystem) -> None:
    (line,) = (line for line in system.welcome.splitlines() if line.startswith("curl "))

    said = await system._run("sh", "-c", line)

    created, listed = map(json.loads, said.split("\n", 1))
    assert created["id"] in [task["id"] for task in listed["items"]]
    assert f"http://localhost:{system.port}/docs" in system.welcome
    assert stat.S_IMODE(system.env_file.stat().st_mode) == 0o600


@pytest.mark.spec("CON-9")
async def test_make_ps_and_make_logs_show_every_service(system: ComposeSystem) -> None:
    listed = await system.make("ps")
    said = await system.compose("logs", "--no-color", "--tail=1000")

    for name in ("gateway", "auth-verifier", "tasks", "postgres", "redis", "migrate"):
        assert f"{system.project}-{name}-1" in listed
    assert len(re.findall(r"Application startup complete", said)) >= 3


@pytest.mark.spec("CON-9", "CON-11")
async def test_make_down_keeps_the_data_and_make_up_the_secrets(system: ComposeSystem) -> None:
    headers = system.headers(f"user-{secrets.token_hex(8)}")
    kept = system.env_file.read_text()
    async with httpx.AsyncClient(base_url=system.url, headers=headers, trust_env=False) as client:
        created = await client.post(TASKS, json={"title": "Keep me"})

        await system.make("down")
        gone = [system.containers(name, ended=True) for name in ("gateway", "postgres", "redis")]
        await system.make("up")

        found = await client.get(created.headers["location"])
    assert gone == [[], [], []]
    assert found.json() == created.json()
    assert system.env_file.read_text() == kept
