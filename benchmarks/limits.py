"""`python benchmarks/limits.py`: what a rate limit costs a request, and how far from exact it is.

A Redis of its own on loopback; several limiters in one process stand for as many gateways.
"""

import asyncio
import random
import time
from collections.abc import Callable

from redis.asyncio import Redis

from devkit.servers import temporary_redis
from gateway_service.limits.leases import Leases
from gateway_service.limits.limiter import Limiter
from gateway_service.limits.policy import Policy, RateLimitedError
from gateway_service.redis_link import RedisLink

_QUOTA = 3000
_REQUESTS = 200_000
_PROCESSES = (1, 2, 4, 8)
# How the requests of one user fall on the processes, by the number of the request.
_FEW = 100
_random = random.Random(1)  # noqa: S311 - the same load each time
_LOADS: dict[str, Callable[[int, int], int]] = {
    "evenly": lambda number, count: number % count,
    "half of them on one": lambda number, count: _random.randrange(count) if number % 2 else 0,
    "in turns of 100": lambda number, count: number // 100 % count,
    "a few on all, then one": lambda number, count: number % count if number < _FEW else 0,
}


class CountingLeases(Leases):
    """Counts the round trips too."""

    def __init__(self, redis: RedisLink) -> None:
        super().__init__(redis)
        self.round_trips = 0

    async def take(self, policy: str, window: int, who: str, number: int) -> int | None:
        """Count one more."""
        self.round_trips += 1
        return await super().take(policy, window, who, number)


async def main() -> None:
    """Measure and report."""
    async with temporary_redis() as server, Redis.from_url(server.url) as redis:
        leases = CountingLeases(RedisLink(redis))
        await _report_price(leases)
        await _report_error(leases)


async def _report_price(leases: CountingLeases) -> None:
    limiter = Limiter(Policy("user", 1_000_000, "A user"), leases, clock=time.time)
    budget = await limiter.spend("warm")
    leases.round_trips = 0
    begin = time.process_time()
    for number in range(_REQUESTS):
        budget = await limiter.spend("ada")
        limiter.headers(budget)
        if not number % 1000:
            await asyncio.sleep(0)
    spent = (time.process_time() - begin) / _REQUESTS * 1e6
    print(f"price: {spent:.2f} us of CPU a request, its headers and all")
    print(f"       {leases.round_trips} round trips for {_REQUESTS:,} requests")
    await limiter.aclose()


async def _report_error(leases: CountingLeases) -> None:
    print(
        f"\n{'of a limit of ' + str(_QUOTA):<24}{'processes':>10}{'passed':>9}{'error':>9}", end=""
    )
    print(f"{'round trips':>13}")
    for load, choose in _LOADS.items():
        for count in _PROCESSES:
            leases.round_trips = 0
            passed = await _passed(leases, f"{load}-{count}", count, choose)
            error = (passed - _QUOTA) / _QUOTA
            print(f"{load:<24}{count:>10}{passed:>9}{error:>+9.2%}{leases.round_trips:>13}")


async def _passed(leases: Leases, who: str, count: int, choose: Callable[[int, int], int]) -> int:
    """Let twice the limit come; return how many pass."""
    now = time.time()
    policy = Policy("user", _QUOTA, "A user")
    limiters = [Limiter(policy, leases, clock=lambda: now) for _ in range(count)]
    passed = 0
    for number in range(2 * _QUOTA):
        try:
            await limiters[choose(number, count)].spend(who)
        except RateLimitedError:
            continue
        passed += 1
        # What a gateway does in between, and in which what it asked Redis is answered.
        await asyncio.sleep(0)
    for limiter in limiters:
        await limiter.aclose()
    return passed


if __name__ == "__main__":
    asyncio.run(main())
