"""Logging out of a running system: on every gateway, and whatever happens to Redis."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from httpx import AsyncClient

from devkit.pytest_plugin import CreateDatabase
from devkit.stack import Stack, running_stack

ME = "/api/v1/me"
LOGOUT, LOGOUT_ALL = "/api/v1/auth/logout", "/api/v1/auth/logout-all"
LIMIT = 60

Connect = Callable[..., Awaitable[AsyncClient]]


@pytest.fixture(scope="module")
async def system(create_database: CreateDatabase) -> AsyncIterator[Stack]:
    """Give a system with two gateways and a Redis as `make run` has it."""
    async with running_stack(
        database_url=await create_database(), gateways=2, durable_redis=True
    ) as running:
        yield running


async def _until_refused(client: AsyncClient) -> str:
    """Ask until the answer is no 200, and return its code."""
    async with asyncio.timeout(LIMIT):
        while (answer := await client.get(ME)).status_code == 200:
            pass
    code: str = answer.json()["code"]
    return code


async def _log_out(client: AsyncClient, path: str = LOGOUT) -> None:
    """Log out, again while that is unavailable: a test before may have taken Redis away."""
    async with asyncio.timeout(LIMIT):
        while (answer := await client.post(path)).status_code == 503:
            pass
    assert answer.status_code == 204


@pytest.mark.spec("AUTH-41", "AUTH-42", "AUTH-43")
@pytest.mark.parametrize("path", [LOGOUT, LOGOUT_ALL])
async def test_a_logout_is_in_force_on_every_gateway(
    system: Stack, connect: Connect, path: str
) -> None:
    user = f"user-{secrets.token_hex(8)}"
    headers = system.headers(user)
    here, there = [await connect(url, headers) for url in system.urls[:2]]
    before = [(await client.get(ME)).status_code for client in (here, there)]

    await _log_out(here, path)

    assert before == [200, 200]
    assert [await _until_refused(client) for client in (here, there)] == ["token_revoked"] * 2


@pytest.mark.spec("AUTH-44")
async def test_a_logout_survives_a_redis_that_is_killed_and_gateways_that_never_heard_of_it(
    system: Stack, connect: Connect
) -> None:
    headers = system.headers(f"user-{secrets.token_hex(8)}")
    client = await connect(system.url, headers)
    await _log_out(client)

    await system.kill("redis")
    await system.start("redis")
    newcomer = await connect(await system.add_gateway(), headers)

    # Until its link to Redis is up again a gateway may not know, and says so only by its setting.
    assert await _until_refused(newcomer) == "token_revoked"


@pytest.mark.spec("AUTH-45")
async def test_without_redis_a_gateway_knows_what_it_has_heard(
    system: Stack, connect: Connect
) -> None:
    headers = system.headers(f"user-{secrets.token_hex(8)}")
    here, there = [await connect(url, headers) for url in system.urls[:2]]
    await _log_out(here)
    await _until_refused(there)

    await system.stop("redis")
    try:
        codes = [(await client.get(ME)).json()["code"] for client in (here, there)]
    finally:
        await system.start("redis")

    assert codes == ["token_revoked"] * 2
