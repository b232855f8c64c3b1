"""How much one client may use, alone and through several gateways, and how it is told."""

import asyncio
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from redis.asyncio import Redis
from starlette.responses import JSONResponse

from devkit.servers import Server
from gateway_service import redis_link
from gateway_service.limits.leases import Leases
from gateway_service.limits.limiter import Limiter
from gateway_service.limits.policy import Policy, RateLimitedError
from gateway_service.redis_link import RedisLink

if TYPE_CHECKING:
    from gateway.tests.conftest import Clock, EchoUpstream, FakeVerifier, Gateway, MakeGateway

TASKS = "/api/v1/tasks"
MINUTE = 60
MakeToken = Callable[..., str]


@pytest.fixture
def user() -> str:
    """A user whom no other test has used up."""
    return secrets.token_hex(8)


@pytest.fixture
def whence() -> dict[str, str]:
    """The headers of a proxy that serves an address of the test's own."""
    return {"X-Forwarded-For": f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"}


@pytest.fixture(autouse=True)
def _start_of_a_minute(clock: "Clock") -> None:
    clock.now = clock.now // MINUTE * MINUTE + MINUTE


async def statuses(gateway: "Gateway", count: int, *args: Any, **options: Any) -> list[int]:
    answers = [await gateway.get(*args, **options) for _ in range(count)]
    return [answer.status_code for answer in answers]


@pytest.mark.spec("LIMIT-1")
async def test_a_user_who_has_used_up_the_minute_waits_for_the_next_one(
    make_gateway: "MakeGateway",
    upstream: "EchoUpstream",
    clock: "Clock",
    make_token: MakeToken,
    user: str,
) -> None:
    gateway = await make_gateway(rate_limit_user=3)
    token = make_token(user)
    clock.advance(20)

    before = await statuses(gateway, 3, TASKS, token)
    refused = await gateway.get(TASKS, token)
    other = await gateway.get(TASKS, make_token(f"{user}-other"))
    reached = len(upstream.requests)
    clock.advance(40)
    after = await gateway.get(TASKS, make_token(user))

    problem = refused.json()
    assert (before, other.status_code, after.status_code) == ([200] * 3, 200, 200)
    assert (refused.status_code, problem["code"]) == (429, "rate_limited")
    assert problem["violated-policies"] == ["user"]
    assert refused.headers["retry-after"] == "40"
    assert reached == 4


@pytest.mark.spec("LIMIT-2")
async def test_every_answer_to_a_user_tells_what_is_left(
    make_gateway: "MakeGateway",
    upstream: "EchoUpstream",
    clock: "Clock",
    make_token: MakeToken,
    user: str,
) -> None:
    gateway = await make_gateway(rate_limit_user=4, upstream_connect=0.5)
    token = make_token(user)
    clock.advance(18.5)

    answers = [await gateway.get(TASKS, token), await gateway.me(token)]
    await upstream.stop()
    answers.append(await gateway.get(TASKS, token))
    answers.append(await gateway.get("/api/v1/../x", token))
    answers.append(await gateway.get(TASKS, token))

    assert [answer.status_code for answer in answers] == [200, 200, 503, 503, 429]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"user";q=4;w=60'}
    assert [answer.headers["ratelimit"] for answer in answers] == [
        f'"user";r={left};t=42' for left in (3, 2, 1, 0, 0)
    ]


@pytest.mark.spec("LIMIT-2", "GW-15")
async def test_web_pages_may_read_what_is_left(gateway: "Gateway", token: str) -> None:
    answer = await gateway.me(token)
    allowed = await gateway.get(TASKS, token, headers={"Origin": "https://app.example.com"})

    exposed = allowed.headers["access-control-expose-headers"].split(", ")
    assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(exposed)
    assert "ratelimit" not in answer.headers


@pytest.mark.spec("LIMIT-3", "LIMIT-5")
async def test_an_address_may_ask_only_so_often_in_nobodys_name(
    make_gateway: "MakeGateway", token: str, whence: dict[str, str]
) -> None:
    gateway = await make_gateway(rate_limit_address=3, trusted_proxies="127.0.0.1")
    neighbour = {"X-Forwarded-For": whence["X-Forwarded-For"].replace("::1", "::2")}
    stranger = {"X-Forwarded-For": whence["X-Forwarded-For"].replace("db8", "db9")}

    asked = await statuses(gateway, 1, TASKS, headers=whence)
    asked += await statuses(gateway, 2, "/docs/errors", headers=neighbour)
    refused = await gateway.get(TASKS, headers=whence)

    assert (asked, refused.status_code) == ([401, 200, 200], 429)
    assert refused.json()["violated-policies"] == ["address"]
    assert await statuses(gateway, 1, "/docs/errors", headers=whence) == [429]
    assert await statuses(gateway, 1, "/docs/errors", headers=stranger) == [200]
    assert await statuses(gateway, 1, TASKS, token, headers=whence) == [200]
    assert await statuses(gateway, 5, "/healthz", headers=whence) == [200] * 5


@pytest.mark.spec("LIMIT-4")
async def test_an_address_is_not_asked_about_for_ever(
    make_gateway: "MakeGateway",
    verifier: "FakeVerifier",
    make_token: MakeToken,
    whence: dict[str, str],
) -> None:
    gateway = await make_gateway(rate_limit_failures=3, trusted_proxies="127.0.0.1")
    known = make_token()
    await gateway.me(known)
    verifier.refuse()

    asked = [await gateway.get(TASKS, make_token(), headers=whence) for _ in range(4)]
    questions = len(verifier.asked)
    unknown = await gateway.get(TASKS, make_token(), headers=whence)
    remembered = await gateway.get(TASKS, known, headers=whence)
    elsewhere = await gateway.get(TASKS, make_token())

    assert [answer.status_code for answer in asked] == [401, 401, 401, 429]
    assert unknown.json()["violated-policies"] == ["failures"]
    # Only the one from elsewhere.
    assert len(verifier.asked) == questions + 1
    assert (remembered.status_code, elsewhere.status_code) == (200, 401)


@pytest.mark.spec("LIMIT-6")
async def test_gateways_share_a_users_minute(
    make_gateway: "MakeGateway", make_token: MakeToken, user: str
) -> None:
    limit = 50
    gateways = [await make_gateway(rate_limit_user=limit) for _ in range(2)]
    token = make_token(user)

    passed = 0
    for turn in range(limit + 10):
        passed += await statuses(gateways[turn % 2], 1, "/api/v1/me", token) == [200]

    assert limit - 2 <= passed <= limit + 2


@pytest.mark.spec("LIMIT-6")
async def test_without_redis_each_gateway_counts_for_itself(
    make_gateway: "MakeGateway",
    make_token: MakeToken,
    redis_server: Server,
    user: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_link, "PAUSE_SECONDS", 3600)
    gateway = await make_gateway(rate_limit_user=20, redis_url=redis_server.url)
    await redis_server.stop()

    answers = await statuses(gateway, 25, "/api/v1/me", make_token(user))

    assert answers == [200] * 20 + [429] * 5


@pytest.mark.spec("LIMIT-7")
async def test_what_a_request_cost_is_charged_and_told_to_nobody(
    make_gateway: "MakeGateway", upstream: "EchoUpstream", make_token: MakeToken, user: str
) -> None:
    limited, unlimited = await make_gateway(rate_limit_user=100), await make_gateway()
    token = make_token(user)
    upstream.answer = JSONResponse({}, headers={"X-Request-Cost": "98"})

    batch, free = await limited.get(TASKS, token), await unlimited.get(TASKS, token)
    upstream.answer = None
    after = await statuses(limited, 4, TASKS, token)

    assert batch.headers["ratelimit"].startswith('"user";r=2;')
    assert "x-request-cost" not in {*batch.headers, *free.headers}
    assert after == [200, 200, 429, 429]


class CountedLeases(Leases):
    """Counts in process, and how often it was asked."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self.asked = 0

    async def take(self, policy: str, window: int, who: str, number: int) -> int | None:
        name = f"{policy}:{window}:{who}"
        self.asked += 1
        self.totals[name] = self.totals.get(name, 0) + number
        await asyncio.sleep(0)
        return self.totals[name]


@pytest.mark.spec("LIMIT-6")
@pytest.mark.parametrize("share", [1, 2, 4, 16])
async def test_processes_come_close_to_the_limit_and_ask_seldom(clock: "Clock", share: int) -> None:
    policy, leases = Policy("user", 1000, "A user"), CountedLeases()
    processes = [Limiter(policy, leases, clock=clock) for _ in range(4)]

    passed = 0
    for turn in range(2000):
        # The first process has `share` times as much to do as each of the others.
        process = processes[max(turn % (share + 3) - share + 1, 0)]
        try:
            await process.spend("ada")
        except RateLimitedError:
            continue
        passed += 1

    slack = len(processes) * policy.slice
    assert 1000 - slack <= passed <= 1000 + slack
    assert leases.asked < 150


@pytest.mark.spec("LIMIT-6")
async def test_requests_that_come_at_once_are_counted_one_by_one(clock: "Clock") -> None:
    limiter = Limiter(Policy("user", 100, "A user"), CountedLeases(), clock=clock)

    results = await asyncio.gather(
        *[limiter.spend("ada") for _ in range(500)], return_exceptions=True
    )

    assert sum(not isinstance(result, RateLimitedError) for result in results) == 100


@pytest.mark.spec("LIMIT-8")
async def test_only_so_many_budgets_are_remembered_and_none_beyond_its_minute(
    clock: "Clock",
) -> None:
    limiter = Limiter(Policy("user", 100, "A user"), CountedLeases(), clock=clock, max_budgets=1000)

    for number in range(5000):
        await limiter.spend(f"user-{number}")
    full = len(limiter)
    clock.advance(MINUTE)
    await limiter.spend("ada")

    assert (full, len(limiter)) == (1000, 1)


@pytest.mark.spec("LIMIT-8")
async def test_a_lease_ends_with_its_minute_and_names_nobody(
    redis_url: str, clock: "Clock", user: str
) -> None:
    async with Redis.from_url(redis_url) as redis:
        leases = Leases(RedisLink(redis))
        totals = [await leases.take("user", int(clock.now), user, number) for number in (3, 4)]
        names = [name async for name in redis.scan_iter(f"taskgate:limit:user:{int(clock.now)}:*")]
        lives = [await redis.ttl(name) for name in names]

    assert totals == [3, 7]
    assert all(0 < life <= MINUTE for life in lives)
    assert not any(user.encode() in name for name in names)
