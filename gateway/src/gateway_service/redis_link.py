"""Redis as a help that may be missing: never waited for long, and left alone after a failure."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

TIMEOUT_SECONDS = 0.25
# For what has to be on disk, which may be busy, before it is answered.
PATIENT_SECONDS = 3.0
PAUSE_SECONDS = 1.0

_logger = structlog.get_logger(__name__)


class RedisDownError(Exception):
    """Redis does not answer, or has not a moment ago."""


class RedisLink:
    """The Redis that every gateway process shares."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._paused_until = -math.inf

    async def ask(
        self, command: Callable[[Redis], Awaitable[Any]], *, patient: bool = False
    ) -> Any:  # noqa: ANN401 - Redis answers anything
        """Return what Redis answers; a `patient` caller waits longer, and for no pause.

        Raises `RedisDownError`: whether the command was carried out is not known then.
        """
        clock = asyncio.get_running_loop().time
        if clock() < self._paused_until and not patient:
            raise RedisDownError
        try:
            async with asyncio.timeout(PATIENT_SECONDS if patient else TIMEOUT_SECONDS):
                return await command(self._redis)
        except (RedisError, OSError, TimeoutError) as error:
            self._paused_until = clock() + PAUSE_SECONDS
            _logger.warning("redis_unavailable", reason=type(error).__name__)
            raise RedisDownError from error
