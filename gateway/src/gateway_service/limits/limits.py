"""The limits of one gateway process, put together from its settings."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway_service.limits.leases import Leases
from gateway_service.limits.limiter import Limiter
from gateway_service.limits.policy import Policy
from gateway_service.limits.strangers import Strangers
from gateway_service.metrics import Metrics
from gateway_service.redis_link import RedisLink
from gateway_service.settings import Settings


@dataclass(frozen=True, slots=True)
class Limits:
    """`users` limits whom the gateway knows, where it does, and `strangers` everybody else."""

    users: Limiter | None
    strangers: Strangers

    async def aclose(self) -> None:
        """End what goes on in the background."""
        if self.users is not None:
            await self.users.aclose()
        await self.strangers.aclose()


def make_limits(
    settings: Settings, redis: RedisLink, metrics: Metrics, clock: Callable[[], float]
) -> Limits:
    """Return the limits that the settings ask for."""
    leases = Leases(redis)

    def limiter(name: str, quota: int, whose: str) -> Limiter | None:
        if not quota:
            return None
        count = metrics.limit_counter(name)
        return Limiter(Policy(name, quota, whose), leases, clock=clock, count_refusal=count)

    return Limits(
        limiter("user", settings.rate_limit_user, "A user"),
        Strangers(
            limiter("address", settings.rate_limit_address, "A client without a token"),
            limiter("failures", settings.rate_limit_failures, "A client whose token is refused"),
            settings.trusted_proxies,
        ),
    )
