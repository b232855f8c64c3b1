"""The verdicts every gateway process shares, in Redis; without it all is slower, never wrong."""

import asyncio
import hmac
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway_service.verdicts import VERDICTS, Verdict

TIMEOUT_SECONDS = 0.25
PAUSE_SECONDS = 1.0
_KEY_PURPOSE = b"verdict-cache-v1"
_MAC_BYTES = 32

_logger = structlog.get_logger(__name__)


class VerdictStore:
    """Verdicts by the SHA-256 of their token, for at most `ttl` seconds from the verification.

    Each carries a MAC under a key that Redis does not hold, so whoever may write to Redis
    cannot invent an identity. The first of `keys` signs, any is accepted.
    """

    def __init__(self, redis: Redis, keys: Sequence[bytes], *, ttl: int) -> None:
        self._redis = redis
        self._keys = [hmac.digest(key, _KEY_PURPOSE, "sha256") for key in keys]
        self._ttl = ttl
        self._paused_until = -math.inf

    async def get(self, digest: bytes, now: float) -> Verdict | None:
        """Return the verdict on a token; None if there is none to be trusted."""
        value = await self._ask(lambda: self._redis.get(_name(digest)))
        if not isinstance(value, bytes):
            return None
        verdict = self._opened(digest, value)
        if verdict is None:
            _logger.warning("verdict_entry_rejected", token_hash=digest.hex()[:12])
            return None
        return verdict if verdict.verified_at <= now < self.stale_at(verdict) else None

    async def put(self, digest: bytes, verdict: Verdict) -> None:
        """Store a verdict for as long as it may be used."""
        value = self._sealed(digest, verdict)
        ends = int(min(self.stale_at(verdict), verdict.expires_at) * 1000)
        await self._ask(lambda: self._redis.set(_name(digest), value, pxat=ends))

    def stale_at(self, verdict: Verdict) -> float:
        """Return when (Unix seconds) the verifier has to be asked again."""
        return verdict.verified_at + self._ttl

    def _sealed(self, digest: bytes, verdict: Verdict) -> bytes:
        payload = VERDICTS.dump_json(verdict)
        return hmac.digest(self._keys[0], digest + payload, "sha256") + payload

    def _opened(self, digest: bytes, value: bytes) -> Verdict | None:
        mac, payload = value[:_MAC_BYTES], value[_MAC_BYTES:]
        if not any(
            hmac.compare_digest(hmac.digest(key, digest + payload, "sha256"), mac)
            for key in self._keys
        ):
            return None
        try:
            return VERDICTS.validate_json(payload)
        except ValidationError:
            # Sealed by another version of ours.
            return None

    async def _ask(self, command: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 - Redis answers anything
        """Run a command; a Redis that fails is left alone for a moment."""
        clock = asyncio.get_running_loop().time
        if clock() < self._paused_until:
            return None
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await command()
        except (RedisError, OSError, TimeoutError) as error:
            self._paused_until = clock() + PAUSE_SECONDS
            _logger.warning("verdict_store_unavailable", reason=type(error).__name__)
            return None


def _name(digest: bytes) -> str:
    return f"taskgate:verdict:{digest.hex()}"
