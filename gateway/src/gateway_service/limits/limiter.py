"""One limit: who has how much left, as far as this process knows without asking."""

import asyncio
import math
from collections.abc import Callable

from gateway_service.limits.leases import Leases
from gateway_service.limits.policy import WINDOW_SECONDS, Policy, RateLimitedError
from gateway_service.upstream.request import Header

MAX_BUDGETS = 50_000
# The less is left for all, the less a process takes of it: nobody shall sit on the rest.
_CAUTION = 8


def _count_nothing() -> None:
    """Take a refusal for granted."""


class Budget:
    """What one client may still use in this minute.

    `left` is ours to let pass without asking; `owed` of it has been counted by nobody yet.
    `free` is what no process has taken, when last heard of.
    """

    __slots__ = ("exhausted", "free", "left", "owed", "renewal", "taken", "who")

    def __init__(self, who: str, policy: Policy) -> None:
        self.who = who
        # Most clients never need more: they cost Redis nothing.
        self.left = self.owed = policy.slice
        self.free = policy.quota - policy.slice
        self.taken = 0
        self.exhausted = False
        self.renewal: asyncio.Task[None] | None = None


class Limiter:
    """Lets everybody have the policy's quota in each minute of `clock` (Unix seconds).

    A process counts by itself until half of what it took is gone, then takes more in the
    background. Only who has used up everything waits for Redis, once each slice. `count_refusal`
    is told of each request that is refused.
    """

    def __init__(
        self,
        policy: Policy,
        leases: Leases,
        *,
        clock: Callable[[], float],
        count_refusal: Callable[[], None] = _count_nothing,
        max_budgets: int = MAX_BUDGETS,
    ) -> None:
        self.policy = policy
        self._announced = policy.header()
        self._remaining = f'"{policy.name}";r=%d;t=%d'.encode()
        self._leases = leases
        self._clock = clock
        self._count_refusal = count_refusal
        self._max_budgets = max_budgets
        self._low = policy.slice // 2
        self._begins = self._ends = -math.inf
        self._budgets: dict[str, Budget] = {}
        self._renewals: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._budgets)

    async def spend(self, who: str) -> Budget:
        """Take one request from somebody's budget. Raises `RateLimitedError` if it is used up."""
        budget = self._budget(who)
        while budget.left < 1:
            if budget.exhausted:
                raise self._refusal()
            await asyncio.shield(self._renew(budget))
        budget.left -= 1
        if budget.left <= self._low and budget.renewal is None and not budget.exhausted:
            self._renew(budget)
        return budget

    def charge(self, budget: Budget, cost: int) -> None:
        """Take the rest of what a request turned out to cost; it may be more than is left."""
        budget.left -= cost - 1

    def check(self, who: str) -> None:
        """Take nothing. Raises `RateLimitedError` if somebody's budget is used up."""
        budget = self._budgets.get(who)
        if budget is not None and self._is_now() and budget.exhausted and budget.left < 1:
            raise self._refusal()

    def headers(self, budget: Budget) -> tuple[Header, Header]:
        """Return what tells a client the policy, and what is left of it."""
        left = max(budget.left + budget.free, 0)
        return self._announced, (b"ratelimit", self._remaining % (left, self._seconds()))

    async def aclose(self) -> None:
        """End what goes on in the background."""
        for renewal in tuple(self._renewals):
            renewal.cancel()
        await asyncio.gather(*self._renewals, return_exceptions=True)

    def _refusal(self) -> RateLimitedError:
        self._count_refusal()
        return RateLimitedError(self.policy, self._seconds())

    def _budget(self, who: str) -> Budget:
        if not self._is_now():
            # All budgets end together, so there is nothing to sweep.
            self._budgets = {}
            self._begins = self._clock() // WINDOW_SECONDS * WINDOW_SECONDS
            self._ends = self._begins + WINDOW_SECONDS
        budget = self._budgets.get(who)
        if budget is None:
            if len(self._budgets) >= self._max_budgets:
                del self._budgets[next(iter(self._budgets))]
            budget = self._budgets[who] = Budget(who, self.policy)
        return budget

    def _is_now(self) -> bool:
        return self._begins <= self._clock() < self._ends

    def _seconds(self) -> int:
        return max(math.ceil(self._ends - self._clock()), 1)

    def _renew(self, budget: Budget) -> asyncio.Task[None]:
        if budget.renewal is None:
            budget.renewal = renewal = asyncio.create_task(self._lease(budget))
            self._renewals.add(renewal)
            renewal.add_done_callback(self._renewals.discard)
        return budget.renewal

    async def _lease(self, budget: Budget) -> None:
        policy, window = self.policy, int(self._begins)
        wanted = max(min(policy.slice, budget.free // _CAUTION), 1)
        # What was let pass before it was ours.
        debt = max(-budget.left, 0)
        number = budget.owed + debt + wanted
        try:
            total = await self._leases.take(policy.name, window, budget.who, number)
            budget.taken += number
            if total is None:
                total = budget.taken
            granted = min(max(policy.quota - total + wanted, 0), wanted)
            budget.left += debt + granted
            budget.owed, budget.free = 0, max(policy.quota - total, 0)
            budget.exhausted = granted == 0
        finally:
            budget.renewal = None
