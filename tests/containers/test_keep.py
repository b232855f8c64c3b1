"""What an operator does over time: upgrade, back up, restore; and what a developer does all day."""

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from devkit.compose_system import OURS, ComposeSystem, until
from devkit.load import load, lost

ROOT = Path(__file__).parents[2]
TASKS = "/api/v1/tasks"
LIMIT = 240


@pytest.fixture
async def changeable(system: ComposeSystem) -> AsyncIterator[ComposeSystem]:
    """Give the system, which is brought back to what its file says."""
    yield system
    await system.up("--remove-orphans")


@pytest.mark.spec("CON-16")
async def test_an_upgrade_under_load_loses_no_request(
    changeable: ComposeSystem, report: Callable[[str], None]
) -> None:
    system, ports = changeable, {"GATEWAY_PORT": changeable.every_port}
    await system.up("--scale=gateway=2", **ports)
    old = {container.id for name in OURS for container in system.containers(name)}

    async with asyncio.timeout(LIMIT), load(system.every_url, system.headers) as seen:
        await seen.progress(100)
        await system.make("upgrade", LEAVE_SECONDS="5", **ports)
        await seen.progress(100)

    url, _ = await asyncio.to_thread(system.urls)
    missing = await lost(seen, url, system.headers)
    report(
        f"make upgrade, 2 gateways: {len(seen.failures)} of {seen.answered} requests failed, "
        f"longest outage {seen.longest_silence:.1f} s, {missing} acknowledged writes lost"
    )
    new = {container.id for name in OURS for container in system.containers(name)}
    assert old & new == set()
    assert len(old) == len(new) == 4
    assert seen.failures == []
    assert missing == 0


@pytest.mark.spec("CON-19", "SYNC-11")
async def test_a_lost_volume_is_restored_from_a_backup(
    changeable: ComposeSystem, tmp_path: Path
) -> None:
    system, file = changeable, tmp_path / "before.dump"
    headers = system.headers(f"user-{secrets.token_hex(8)}")
    async with httpx.AsyncClient(base_url=system.url, headers=headers, trust_env=False) as client:
        created = await client.post(TASKS, json={"title": "Keep me"})
        await system.make("backup", f"FILE={file}")
        later = await client.post(TASKS, json={"title": "Written after the backup"})

        await system.make("down")
        await asyncio.to_thread(system.engine.volumes.get(f"{system.project}_postgres").remove)
        await system.make("restore", f"FILE={file}")

        found = await client.get(created.headers["location"])
        gone = await client.get(later.headers["location"])
        again = await client.post(TASKS, json={"title": "Written after the restore"})
        since = {"cursor": later.headers["x-sync-cursor"]}
        sync = await client.get("/api/v1/sync", params=since)
    assert file.stat().st_mode & 0o077 == 0
    assert found.json() == created.json()
    assert gone.status_code == 404
    assert again.status_code == 201
    assert sync.json()["code"] == "resync_required"


@pytest.mark.spec("CON-19")
async def test_a_file_that_is_no_backup_changes_nothing(
    system: ComposeSystem, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.dump"
    broken.write_bytes(b"PGDMP and then nothing")
    headers = system.headers(f"user-{secrets.token_hex(8)}")
    async with httpx.AsyncClient(base_url=system.url, headers=headers, trust_env=False) as client:
        created = await client.post(TASKS, json={"title": "Keep me"})

        said = await system.fails("make", "restore", f"FILE={broken}")
        missing = await system.fails("make", "restore")

        found = await client.get(created.headers["location"])
    assert "pg_restore" in said
    assert "make restore FILE=" in missing
    assert found.json() == created.json()


@pytest.mark.spec("CON-20")
async def test_a_change_of_the_source_is_served_without_a_build(
    changeable: ComposeSystem, tmp_path: Path
) -> None:
    system = changeable
    for folder in ("gateway/src", "libs/service-kit/src", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, symlinks=True)
    files = [f"--file={ROOT / name}" for name in ("docker-compose.yml", "docker-compose.dev.yml")]
    await system.compose(
        *(f"--project-directory={tmp_path}", *files, "up", "--detach", "--wait", "--no-deps"),
        *("--no-build", "gateway"),
    )
    source = tmp_path / "libs/service-kit/src/service_kit/health.py"
    text = source.read_text()
    assert 'return Health(status="ok")' in text

    source.write_text(
        text.replace('Health(status="ok")', 'Health(status="ok", failing=["edited"])')
    )

    async with httpx.AsyncClient(base_url=system.url, trust_env=False) as client:

        async def is_served() -> bool:
            try:
                answer = await client.get("/healthz")
            except httpx.TransportError:
                return False
            return bool(answer.json()["failing"] == ["edited"])

        await until(is_served, 60, "the changed source")
