"""Clocks that are set while the system is in use."""

import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from httpx import AsyncClient

from devkit.stack import Stack, running_stack
from devkit.stepped_clock import SteppedClock

PARTS = ("gateway", "auth-verifier", "tasks")
TASKS, LOGOUT = "/api/v1/tasks", "/api/v1/auth/logout"
HOUR = 3600

Clocks = dict[str, SteppedClock]
SignIn = Callable[[], Awaitable[AsyncClient]]


@pytest.fixture(scope="module")
def clocks(tmp_path_factory: pytest.TempPathFactory) -> Clocks:
    folder = tmp_path_factory.mktemp("clocks")
    return {part: SteppedClock(folder / part) for part in PARTS}


@pytest.fixture(scope="module")
async def system(clocks: Clocks) -> AsyncIterator[Stack]:
    """Give a system whose clocks may be set; every test leaves them right."""
    environment = {part: clock.environment for part, clock in clocks.items()}
    async with running_stack(environment=environment) as running:
        yield running


@pytest.fixture
def sign_in(system: Stack, connect: Callable[..., Awaitable[AsyncClient]]) -> SignIn:
    """Give a function that returns a new user's client; its token is good by every clock."""

    async def sign_in() -> AsyncClient:
        user, early = f"user-{secrets.token_hex(8)}", -2 * HOUR
        token = system.token(user, lifetime=2 * HOUR, iat=int(time.time()) + early)
        return await connect(system.url, {"Authorization": f"Bearer {token}"})

    return sign_in


@contextmanager
def _set(clocks: Clocks, parts: tuple[str, ...], seconds: int) -> Iterator[None]:
    try:
        for part in parts:
            clocks[part].step(seconds)
        yield
    finally:
        for part in parts:
            clocks[part].step(0)


async def _write(client: AsyncClient) -> tuple[int, str | None]:
    answer = await client.post(TASKS, json={"title": "Read the clock"})
    return answer.status_code, answer.json().get("code")


@pytest.mark.spec("OVER-7")
@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
async def test_nobody_notices_when_every_clock_is_set(
    clocks: Clocks, sign_in: SignIn, seconds: int
) -> None:
    known, new = await sign_in(), await sign_in()
    before = await _write(known)

    with _set(clocks, PARTS, seconds):
        during = [await _write(client) for client in (known, new)]
    after = [await _write(client) for client in (known, new)]

    assert [before, *during, *after] == [(201, None)] * 5


@pytest.mark.spec("OVER-7")
@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
@pytest.mark.parametrize("part", PARTS)
async def test_a_clock_that_is_wrong_alone_signs_nobody_out(
    clocks: Clocks, sign_in: SignIn, part: str, seconds: int
) -> None:
    known, new = await sign_in(), await sign_in()
    await _write(known)

    with _set(clocks, (part,), seconds):
        during = {await _write(client) for client in (known, new)}
    after = {await _write(client) for client in (known, new)}

    behind = (part, seconds) in {("gateway", -HOUR), ("tasks", HOUR)}
    assert during == {(502, "upstream_failed") if behind else (201, None)}
    assert after == {(201, None)}


@pytest.mark.spec("OVER-7")
@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
async def test_no_clock_brings_back_who_has_logged_out(
    clocks: Clocks, sign_in: SignIn, seconds: int
) -> None:
    before, meanwhile = await sign_in(), await sign_in()
    await before.post(LOGOUT)

    with _set(clocks, ("gateway",), seconds):
        during = await _write(before)
        await meanwhile.post(LOGOUT)
    after = [await _write(client) for client in (before, meanwhile)]

    assert [during, *after] == [(401, "token_revoked")] * 3
