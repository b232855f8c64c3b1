"""The verdicts every gateway process shares, in Redis; without it all is slower, never wrong."""

import hmac
from collections.abc import Sequence
from contextlib import suppress

import structlog
from pydantic import ValidationError

from gateway_service.authentication.credentials import Credential
from gateway_service.authentication.verdicts import VERDICTS, Verdict
from gateway_service.metrics import Metrics
from gateway_service.redis_link import RedisDownError, RedisLink

_KEY_PURPOSE = b"verdict-cache-v1"
_MAC_BYTES = 32

_logger = structlog.get_logger(__name__)


class VerdictStore:
    """Verdicts by kind and SHA-256 of their token, until they go stale.

    Each carries a MAC under a key that Redis does not hold, so whoever may write to Redis
    cannot invent an identity. The first of `keys` signs, any is accepted.
    """

    def __init__(self, redis: RedisLink, keys: Sequence[bytes], metrics: Metrics) -> None:
        self._redis = redis
        self._keys = [hmac.digest(key, _KEY_PURPOSE, "sha256") for key in keys]
        self._count = metrics.count_stored

    async def get(self, credential: Credential, now: float) -> Verdict | None:
        """Return the verdict on a token; None if there is none to be trusted."""
        try:
            value = await self._redis.ask(lambda redis: redis.get(_name(credential)))
        except RedisDownError:
            self._count("error")
            return None
        if not isinstance(value, bytes):
            self._count("miss")
            return None
        verdict = self._opened(credential, value)
        if verdict is None:
            self._count("rejected")
            _logger.warning("verdict_entry_rejected", token_hash=credential.digest[:12])
            return None
        fresh = verdict.verified_at <= now < verdict.stale_at
        self._count("hit" if fresh else "miss")
        return verdict if fresh else None

    async def put(self, credential: Credential, verdict: Verdict) -> None:
        """Store a verdict for as long as it may be used."""
        value = self._sealed(credential, verdict)
        ends = int(min(verdict.stale_at, verdict.expires_at) * 1000)
        with suppress(RedisDownError):
            await self._redis.ask(lambda redis: redis.set(_name(credential), value, pxat=ends))

    def _sealed(self, credential: Credential, verdict: Verdict) -> bytes:
        payload = VERDICTS.dump_json(verdict)
        return _mac(self._keys[0], credential, payload) + payload

    def _opened(self, credential: Credential, value: bytes) -> Verdict | None:
        mac, payload = value[:_MAC_BYTES], value[_MAC_BYTES:]
        if not any(hmac.compare_digest(_mac(key, credential, payload), mac) for key in self._keys):
            return None
        try:
            return VERDICTS.validate_json(payload)
        except ValidationError:
            # Sealed by another version of ours.
            return None


def _mac(key: bytes, credential: Credential, payload: bytes) -> bytes:
    # No two are one text: a payload begins with a brace, and a key has none.
    return hmac.digest(key, credential.key.encode() + payload, "sha256")


def _name(credential: Credential) -> str:
    return f"taskgate:verdict:{credential.key}"
