"""What every gateway process has taken of a budget: one number in Redis, for one minute."""

from hashlib import sha256
from typing import Any

from redis.asyncio import Redis

from gateway_service.limits.policy import WINDOW_SECONDS
from gateway_service.redis_link import RedisDownError, RedisLink


class Leases:
    """Counts for all processes together."""

    def __init__(self, redis: RedisLink) -> None:
        self._redis = redis

    async def take(self, policy: str, window: int, who: str, number: int) -> int | None:
        """Count `number` more requests and return how many all have; None while Redis is down."""
        # Users and addresses are nobody's business who can read Redis.
        name = f"taskgate:limit:{policy}:{window}:{sha256(who.encode()).hexdigest()[:32]}"

        async def count(redis: Redis) -> Any:  # noqa: ANN401 - Redis answers anything
            async with redis.pipeline(transaction=False) as pipe:
                # A key whose process died between the two commands would never go away.
                pipe.set(name, 0, ex=WINDOW_SECONDS, nx=True)
                pipe.incrby(name, number)
                return await pipe.execute()

        try:
            _, total = await self._redis.ask(count)
        except RedisDownError:
            return None
        return int(total)
