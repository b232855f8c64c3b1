"""Who is let in: known callers and strangers, as long as they keep to their limits."""

from dataclasses import dataclass
from time import perf_counter

from starlette.types import Scope

from gateway_service.authentication.authenticator import Authenticator
from gateway_service.authentication.callers import Caller
from gateway_service.limits.limiter import Budget, Limiter
from gateway_service.limits.limits import Limits
from gateway_service.upstream.request import Header
from service_kit.observed import record_of

# Orchestrators ask often, and must never be refused.
_HEALTH = frozenset(("/healthz", "/readyz"))


@dataclass(frozen=True, slots=True)
class Admitted:
    """A caller who was let in, and the budget their request is taken from, if users have any."""

    caller: Caller
    budget: Budget | None
    limiter: Limiter | None

    def headers(self) -> tuple[Header, ...]:
        """Return what tells the caller what is left."""
        if self.budget is None or self.limiter is None:
            return ()
        return self.limiter.headers(self.budget)

    def charge(self, cost: int) -> None:
        """Take the rest of what the request turned out to cost."""
        if self.budget is not None and self.limiter is not None:
            self.limiter.charge(self.budget, cost)


class Admission:
    """Lets requests in or raises a `ServiceError`."""

    def __init__(self, authenticator: Authenticator, limits: Limits) -> None:
        self._authenticator = authenticator
        self._users = limits.users
        self._strangers = limits.strangers

    async def admit(self, scope: Scope) -> Admitted:
        """Authenticate a request and take it from its user's budget."""
        record, begun = record_of(scope), perf_counter()
        try:
            caller = await self._authenticator.authenticate(scope)
        finally:
            record.auth = perf_counter() - begun
        record.user_id = caller.verdict.user_id
        budget = None if self._users is None else await self._users.spend(caller.verdict.user_id)
        return Admitted(caller, budget, self._users)

    async def admit_stranger(self, scope: Scope) -> None:
        """Take a request for what is open to everybody from its address's budget."""
        if scope["path"] not in _HEALTH:
            await self._strangers.admit(scope)
