"""Parts that are down, hang or come back: what a client sees, and that it all mends itself."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from httpx import AsyncClient, Response
from redis.asyncio import Redis

from devkit.stack import Stack, running_stack

TASKS = "/api/v1/tasks"
LIMIT = 60

SignIn = Callable[[], Awaitable[AsyncClient]]
Fault = Callable[[Stack, str], AbstractAsyncContextManager[None]]


@pytest.fixture(scope="module")
async def system() -> AsyncIterator[Stack]:
    """Give a system of our own; every test leaves all its parts running.

    Its gateway is impatient, and a second gateway does not know the identity key.
    """
    environment = {
        "gateway": {"UPSTREAM_ANSWER_HEAD": "1"},
        "gateway-2": {"IDENTITY_KEY": secrets.token_hex(32)},
    }
    async with running_stack(environment=environment, gateways=2) as running:
        yield running


@pytest.fixture
def sign_in(system: Stack, connect: Callable[..., Awaitable[AsyncClient]]) -> SignIn:
    """Give a function that returns a client whose token no part has seen yet."""

    async def sign_in() -> AsyncClient:
        client: AsyncClient = await connect(
            system.url, system.headers(f"user-{secrets.token_hex(8)}")
        )
        return client

    return sign_in


@asynccontextmanager
async def _stopped(system: Stack, part: str) -> AsyncIterator[None]:
    await system.stop(part)
    try:
        yield
    finally:
        await system.start(part)


@asynccontextmanager
async def _killed(system: Stack, part: str) -> AsyncIterator[None]:
    await system.kill(part)
    try:
        yield
    finally:
        await system.start(part)


@asynccontextmanager
async def _hanging(system: Stack, part: str) -> AsyncIterator[None]:
    system.pause(part)
    try:
        yield
    finally:
        system.resume(part)


async def _until_served(client: AsyncClient) -> Response:
    """Ask again, as a client would, until the answer is no 5xx."""
    async with asyncio.timeout(LIMIT):
        while True:
            answer = await client.get(TASKS)
            if answer.status_code < 500:
                return answer
            await asyncio.sleep(0.05)


def _refusal(answer: Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.spec("AUTH-22")
@pytest.mark.parametrize("fault", [_killed, _hanging], ids=["stopped", "hanging"])
async def test_without_redis_every_answer_is_still_right(
    system: Stack, sign_in: SignIn, fault: Fault
) -> None:
    known = await sign_in()
    task = (await known.post(TASKS, json={"title": "Mine"})).headers["location"]

    async with fault(system, "redis"):
        answers = [await known.get(task), await (await sign_in()).get(task)]
        junk = await known.get(task, headers={"Authorization": "Bearer a.b.c"})

    assert [answer.status_code for answer in answers] == [200, 404]
    assert _refusal(junk) == (401, "token_invalid")


@pytest.mark.spec("AUTH-22")
async def test_a_redis_that_is_back_holds_verdicts_again(system: Stack, sign_in: SignIn) -> None:
    async with _killed(system, "redis"):
        await (await sign_in()).get(TASKS)

    async with Redis.from_url(system.redis_url) as redis, asyncio.timeout(LIMIT):
        while not await redis.dbsize():
            answer = await (await sign_in()).get(TASKS)
            assert answer.status_code == 200
            await asyncio.sleep(0.05)


@pytest.mark.spec("AUTH-23")
@pytest.mark.parametrize("fault", [_stopped, _hanging], ids=["stopped", "hanging"])
async def test_without_a_verifier_known_tokens_work_and_new_ones_wait(
    system: Stack, sign_in: SignIn, fault: Fault
) -> None:
    known, new = await sign_in(), await sign_in()
    await known.get(TASKS)

    async with fault(system, "auth-verifier"):
        warm, cold = await known.get(TASKS), await new.get(TASKS)

    assert warm.status_code == 200
    assert _refusal(cold) == (503, "auth_unavailable")
    assert "www-authenticate" not in cold.headers
    assert (await _until_served(new)).status_code == 200


@pytest.mark.spec("GW-12", "GW-19")
async def test_without_a_tasks_service_requests_are_refused_and_told_to_return(
    system: Stack, sign_in: SignIn
) -> None:
    client = await sign_in()

    async with _stopped(system, "tasks"):
        refused, me = await client.get(TASKS), await client.get("/api/v1/me")

    assert _refusal(refused) == (503, "upstream_unavailable")
    assert int(refused.headers["retry-after"]) > 0
    assert me.status_code == 200
    assert (await _until_served(client)).status_code == 200


@pytest.mark.spec("GW-12")
async def test_a_tasks_service_that_hangs_is_a_timeout(system: Stack, sign_in: SignIn) -> None:
    client = await sign_in()
    await client.get(TASKS)

    async with _hanging(system, "tasks"):
        refused = await client.get(TASKS)

    assert _refusal(refused) == (504, "upstream_timeout")
    assert (await _until_served(client)).status_code == 200


@pytest.mark.spec("TASK-23")
@pytest.mark.parametrize("fault", [_stopped, _killed], ids=["stopped", "crashed"])
async def test_tasks_outlive_a_database_that_goes_and_comes_back(
    system: Stack, sign_in: SignIn, fault: Fault
) -> None:
    client = await sign_in()
    task = (await client.post(TASKS, json={"title": "Kept"})).headers["location"]

    async with fault(system, "postgres"):
        refused = [await client.get(task), await client.post(TASKS, json={"title": "Lost"})]

    assert {_refusal(answer) for answer in refused} == {(503, "database_unavailable")}
    assert [kept["title"] for kept in (await _until_served(client)).json()["items"]] == ["Kept"]


@pytest.mark.spec("GW-19", "EVENT-13")
async def test_a_redis_that_hangs_makes_no_gateway_unready(system: Stack) -> None:
    async with (
        _hanging(system, "redis"),
        AsyncClient(base_url=system.url, trust_env=False, timeout=LIMIT) as prober,
    ):
        ready = await prober.get("/readyz")

    assert (ready.status_code, ready.json()["failing"]) == (200, ["redis"])


@pytest.mark.spec("GW-19")
@pytest.mark.parametrize("part", ["tasks", "auth-verifier", "redis"])
async def test_readiness_names_the_part_that_is_down(
    system: Stack, connect: Callable[..., Awaitable[AsyncClient]], part: str
) -> None:
    anybody = await connect(system.url, {})

    async with _killed(system, part), AsyncClient(base_url=system.url, trust_env=False) as prober:
        ready = await prober.get("/readyz")
        alive = await anybody.get("/healthz")

    assert ready.json()["failing"] == [part]
    assert alive.status_code == 200


@pytest.mark.spec("GW-3")
async def test_a_gateway_with_a_foreign_key_is_our_fault_and_not_the_users(
    system: Stack, sign_in: SignIn
) -> None:
    client = await sign_in()

    refused = await client.get(f"{system.urls[1]}{TASKS}")

    assert _refusal(refused) == (502, "upstream_failed")
    assert "IDENTITY_KEY" in refused.json()["detail"]
    assert (await client.get(TASKS)).status_code == 200
