"""Processes that die under load: all comes back by itself, and nothing acknowledged is lost."""

import asyncio
import secrets
from collections.abc import Callable, Iterator
from functools import partial

import httpx
import pytest
from docker.models.containers import Container

from devkit.compose_system import OURS, SERVICES, ComposeSystem, describe, until
from devkit.load import load, lost

TASKS = "/api/v1/tasks"
LIMIT = 90
FILL = """
for number in $(seq 400); do
  echo SET fill:$number $(head -c 10000 /dev/zero | tr '\\0' x)
done | redis-cli
"""


async def _started_again(container: Container, started: str) -> bool:
    state = describe(container)["State"]
    return bool(state["Running"]) and bool(state["StartedAt"] != started)


@pytest.mark.spec("CON-12")
@pytest.mark.parametrize("name", SERVICES)
async def test_a_killed_process_comes_back_and_no_acknowledged_write_is_lost(
    system: ComposeSystem, name: str, report: Callable[[str], None]
) -> None:
    container = system.container(name)
    started = describe(container)["State"]["StartedAt"]
    async with asyncio.timeout(LIMIT), load([system.url], system.headers) as seen:
        await seen.progress(100)

        await asyncio.to_thread(system.kill, container)

        await until(partial(_started_again, container, started), LIMIT, name)
        await until(partial(system.is_healthy, name), LIMIT, name)
        await seen.progress(50)
        failed_until_then = len(seen.failures)
        await seen.progress(100)

    missing = await lost(seen, system.url, system.headers)
    total = seen.answered + len(seen.failures)
    report(
        f"killed {name}: {len(seen.failures)} of {total} requests failed, longest outage "
        f"{seen.longest_silence:.1f} s, {missing} of "
        f"{sum(map(len, seen.written.values()))} acknowledged writes lost"
    )
    assert missing == 0
    assert seen.failures[failed_until_then:] == []
    if name == "redis":
        assert seen.failures == []


@pytest.mark.spec("CON-4")
async def test_a_service_that_is_told_to_stop_ends_by_itself(system: ComposeSystem) -> None:
    codes = {}
    try:
        for name in OURS:
            container = system.container(name)
            await asyncio.to_thread(container.stop, timeout=30)
            codes[name] = describe(container)["State"]["ExitCode"]
    finally:
        await system.up()

    # 128 and the number of SIGTERM, by which it says what it ended for; SIGKILL would make 137.
    assert codes == dict.fromkeys(OURS, 143)


@pytest.fixture
def key(system: ComposeSystem) -> Iterator[str]:
    """Give a key that Redis has acknowledged, to live for an hour, as a revocation does."""
    name = f"kept:{secrets.token_hex(8)}"
    redis = system.container("redis")
    assert system.execute(redis, "redis-cli", "SET", name, "here", "EX", "3600").strip() == "OK"
    yield name
    system.execute(redis, "redis-cli", "DEL", name)


@pytest.mark.spec("CON-13")
async def test_what_redis_acknowledged_survives_a_restart_and_a_crash(
    system: ComposeSystem, key: str
) -> None:
    redis = system.container("redis")
    found = []
    for end in (redis.restart, lambda: system.kill(redis)):
        started = describe(redis)["State"]["StartedAt"]
        await asyncio.to_thread(end)
        await until(partial(_started_again, redis, started), LIMIT, "redis")
        await until(partial(system.is_healthy, "redis"), LIMIT, "redis")
        found.append(system.execute(redis, "redis-cli", "GET", key).strip())
        found.append(system.execute(redis, "redis-cli", "TTL", key).strip())

    values, lives = found[::2], found[1::2]
    assert values == ["here", "here"]
    assert all(3000 < int(seconds) <= 3600 for seconds in lives)


@pytest.mark.spec("CON-13", "AUTH-44")
async def test_a_revoked_token_stays_revoked_whatever_is_started_again(
    system: ComposeSystem,
) -> None:
    headers = system.headers(f"user-{secrets.token_hex(8)}")
    async with httpx.AsyncClient(base_url=system.url, headers=headers, trust_env=False) as client:
        before = await client.get(TASKS)

        async def logs_out() -> bool:
            # 503 while the gateway finds out that Redis was started again by another test.
            answer = await client.post("/api/v1/auth/logout")
            assert answer.status_code in {204, 503}
            return answer.status_code == 204

        await until(logs_out, 10, "logging out")
        for name in ("redis", "gateway"):
            container = system.container(name)
            started = describe(container)["State"]["StartedAt"]
            await asyncio.to_thread(system.kill, container)
            await until(partial(_started_again, container, started), LIMIT, name)
            await until(partial(system.is_healthy, name), LIMIT, name)

        after = await client.get(TASKS)

    assert before.status_code == 200
    assert after.status_code == 401
    assert after.json()["code"] == "token_revoked"


@pytest.mark.spec("CON-13")
async def test_a_full_redis_refuses_new_keys_and_evicts_none(
    system: ComposeSystem, key: str
) -> None:
    redis = system.container("redis")
    system.execute(redis, "redis-cli", "CONFIG", "SET", "maxmemory", "4mb")
    try:
        said = await asyncio.to_thread(system.execute, redis, "sh", "-c", FILL)
        kept = system.execute(redis, "redis-cli", "GET", key).strip()
        evicted = system.execute(redis, "redis-cli", "INFO", "stats")
        headers = system.headers(f"user-{secrets.token_hex(8)}")
        async with httpx.AsyncClient(base_url=system.url, trust_env=False) as client:
            answer = await client.get(TASKS, headers=headers)
    finally:
        system.execute(redis, "redis-cli", "CONFIG", "SET", "maxmemory", "256mb")
        system.execute(redis, "sh", "-c", "seq -f fill:%.0f 400 | xargs redis-cli DEL")

    assert "OOM command not allowed" in said
    assert kept == "here"
    assert "evicted_keys:0\r\n" in evicted
    assert answer.status_code == 200
