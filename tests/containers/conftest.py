"""One system in containers for all tests here: each leaves it as it found it, and healthy."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import docker
import pytest

from devkit.compose_system import ComposeSystem
from devkit.process import inherited_environment
from devkit.pytest_plugin import CreateDatabase

ROOT = Path(__file__).parents[2]
ISSUER = ROOT / "tests" / "issuer"
LIMIT = 300


@pytest.fixture(scope="session")
def host() -> str:
    """Give the address at which containers reach this machine."""
    engine = docker.from_env()
    try:
        address: str = engine.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
    finally:
        engine.close()
    return address


@pytest.fixture(scope="session")
async def issuer(create_database: CreateDatabase, host: str) -> AsyncIterator[str]:
    """Give the URL of a Better Auth server that containers reach."""
    lock = hashlib.sha256((ISSUER / "package-lock.json").read_bytes()).hexdigest()
    stamp = ISSUER / "node_modules" / ".installed"
    if not stamp.exists() or stamp.read_text() != lock:
        install = await asyncio.create_subprocess_exec("npm", "ci", "--no-progress", cwd=ISSUER)
        async with asyncio.timeout(LIMIT):
            assert await install.wait() == 0
        stamp.write_text(lock)
    given = {"BETTER_AUTH_SECRET": secrets.token_urlsafe(32), "HOST": host}
    given["DATABASE_URL"] = await create_database()
    process = await asyncio.create_subprocess_exec(
        *("node", "server.mjs"),
        cwd=ISSUER,
        env=inherited_environment() | given,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(LIMIT):
            yield json.loads(await process.stdout.readline())["url"]
    finally:
        process.stdin.close()
        async with asyncio.timeout(LIMIT):
            await process.wait()


@pytest.fixture(scope="session")
async def _running(
    issuer: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ComposeSystem]:
    variables = {"BETTER_AUTH_URL": issuer, "PUBLIC_URL": "http://taskgate.test"}
    system = ComposeSystem(ROOT, tmp_path_factory.mktemp("containers"), variables)
    try:
        await system.begin()
        yield system
    finally:
        await system.aclose()


@pytest.fixture
async def system(_running: ComposeSystem) -> ComposeSystem:
    """Give the system, every service of it healthy and there once."""
    await _running.settle()
    return _running
