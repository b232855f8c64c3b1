"""Several of each: the load is spread, and who comes or goes costs no request."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from docker.models.containers import Container

from devkit.compose_system import ComposeSystem, until
from devkit.load import load, lost

TASKS = "/api/v1/tasks"
LIMIT = 120


@pytest.fixture
async def scalable(system: ComposeSystem) -> AsyncIterator[ComposeSystem]:
    """Give the system, which is brought back to one of each."""
    yield system
    await system.up("--remove-orphans")


def packets(system: ComposeSystem, replica: Container) -> int:
    """Return how many packets have reached a replica: they are in step with its requests."""
    lines = system.execute(replica, "cat", "/proc/net/dev").splitlines()[2:]
    return sum(int(line.split(":")[1].split()[1]) for line in lines if "lo:" not in line)


@pytest.mark.spec("CON-14")
async def test_the_gateway_spreads_over_replicas_and_follows_them_without_a_lost_request(
    scalable: ComposeSystem, report: Callable[[str], None]
) -> None:
    system = scalable

    def traffic() -> list[int]:
        return [packets(system, replica) for replica in system.containers("tasks")]

    async with asyncio.timeout(LIMIT), load([system.url], system.headers) as seen:
        await seen.progress(100)
        await system.up("--no-recreate", "--scale=tasks=3")
        start = await asyncio.to_thread(traffic)

        async def all_have_work() -> bool:
            now = await asyncio.to_thread(traffic)
            return all(more - less > 100 for less, more in zip(start, now, strict=True))

        followed = await until(all_have_work, 30, "traffic at the new replicas")
        before = await asyncio.to_thread(traffic)
        await seen.progress(600)
        after = await asyncio.to_thread(traffic)
        await system.up("--no-recreate", "--scale=tasks=1")
        await seen.progress(200)

    given = [more - less for less, more in zip(before, after, strict=True)]
    shares = [part / sum(given) for part in given]
    missing = await lost(seen, system.url, system.headers)
    report(
        f"tasks=3: shares {', '.join(f'{share:.0%}' for share in shares)}, all at work "
        f"{followed:.1f} s after they were healthy; up to 3 and down to 1: "
        f"{len(seen.failures)} of {seen.answered} requests failed, longest outage "
        f"{seen.longest_silence:.1f} s, {missing} acknowledged writes lost"
    )
    assert len(shares) == 3
    assert min(shares) > 0.2
    assert seen.failures == []
    assert missing == 0


@pytest.mark.spec("CON-15", "AUTH-43")
async def test_gateways_share_a_range_of_ports_and_what_redis_holds(
    scalable: ComposeSystem,
) -> None:
    system = scalable
    await system.up("--scale=gateway=2", GATEWAY_PORT=system.every_port)
    first, second = await asyncio.to_thread(system.urls)
    known, unknown = (system.headers(f"user-{secrets.token_hex(8)}") for _ in range(2))

    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        at_first = await client.get(first + TASKS, headers=known)
        await system.compose("stop", "auth-verifier")
        at_second = await client.get(second + TASKS, headers=known)
        refused = await client.get(second + TASKS, headers=unknown)
        await system.compose("start", "auth-verifier")
        await system.settle()
        logged_out = await client.post(first + "/api/v1/auth/logout", headers=known)

        async def is_revoked() -> bool:
            answer = await client.get(second + TASKS, headers=known)
            return answer.status_code == 401 and answer.json()["code"] == "token_revoked"

        await until(is_revoked, 10, "the revocation at the second gateway")

    assert at_first.status_code == 200
    assert at_second.status_code == 200
    assert refused.json()["code"] == "auth_unavailable"
    assert logged_out.status_code == 204
