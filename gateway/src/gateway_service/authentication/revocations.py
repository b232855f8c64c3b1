"""Tokens taken back before their time: kept in Redis, and in process those known of."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import lru_cache
from hashlib import sha256

import structlog
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from gateway_service.authentication.known_revocations import (
    REVOCATIONS,
    KnownRevocations,
    Revocation,
)
from gateway_service.authentication.verdicts import Verdict
from gateway_service.errors import (
    AuthUnavailableError,
    Cause,
    LogoutUnavailableError,
    TokenRevokedError,
)
from gateway_service.redis_link import RedisDownError, RedisLink
from service_kit.meanwhile import meanwhile

CHANNEL = "taskgate:revoked"
# Clocks of several gateways differ; an entry must not end before the token does by any of them.
SPARE_SECONDS = 60
_RECONNECT_SECONDS = 1.0
_LISTEN_SECONDS = 5.0

_logger = structlog.get_logger(__name__)


class Revocations:
    """What has been revoked, for every gateway process. Use inside `async with kept_informed()`.

    `refuse_unknown` refuses the tokens that Redis, being down, cannot be asked about.
    """

    def __init__(
        self, link: RedisLink, *, refuse_unknown: bool, clock: Callable[[], float]
    ) -> None:
        self._link = link
        self._refuse_unknown = refuse_unknown
        self._clock = clock
        self._known = KnownRevocations()

    def check(self, verdict: Verdict) -> None:
        """Raise `TokenRevokedError` if the token is known to be revoked; asks nobody."""
        if self._is_known(verdict):
            raise TokenRevokedError(verdict.issuer)

    async def learn(self, *verdicts: Verdict) -> None:
        """Ask Redis about some tokens, so that `check` knows.

        Raises `AuthUnavailableError` if it does not answer and the unknown are refused.
        """
        unknown = [verdict for verdict in verdicts if not self._is_known(verdict)]
        if not unknown:
            return
        names = {_name(key) for verdict in unknown for key in (_token(verdict), _user(verdict))}
        try:
            values = await self._link.ask(lambda redis: redis.mget(names))
        except RedisDownError as error:
            if self._refuse_unknown:
                cause = Cause("unavailable", unknown[0].issuer)
                raise AuthUnavailableError(cause=cause) from error
            return
        for value in values:
            if value is not None:
                self._remember(value)

    async def revoke_token(self, verdict: Verdict) -> None:
        """Revoke one token, in all its forms. Raises `LogoutUnavailableError`."""
        until = verdict.token_ends_at + SPARE_SECONDS
        await self._revoke(Revocation(_token(verdict), until, issued_before=None))

    async def revoke_user(self, verdict: Verdict) -> None:
        """Revoke all that the token's user has got up to now. Raises `LogoutUnavailableError`."""
        now = int(self._clock())
        # The issuer's clock may be ahead of ours, and the token itself is one of those revoked.
        issued_before = max(now, verdict.issued_at or now)
        until = verdict.user_tokens_end_at + SPARE_SECONDS
        await self._revoke(Revocation(_user(verdict), until, issued_before))

    async def _revoke(self, revocation: Revocation) -> None:
        value = REVOCATIONS.dump_json(revocation)
        lifetime = int((revocation.until - self._clock()) * 1000)

        async def keep_and_tell(redis: Redis) -> None:
            async with redis.pipeline(transaction=False) as pipeline:
                pipeline.set(_name(revocation.key), value, px=max(lifetime, 1))
                pipeline.publish(CHANNEL, value)
                await pipeline.execute()

        try:
            await self._link.ask(keep_and_tell, patient=True)
        except RedisDownError as error:
            raise LogoutUnavailableError from error
        self._keep(revocation)

    def kept_informed(self, redis: Redis) -> AbstractAsyncContextManager[None]:
        """Listen to what other processes revoke, over a connection of its own."""
        return meanwhile(self._listen_forever(redis))

    async def _listen_forever(self, redis: Redis) -> None:
        while True:
            try:
                async with redis.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.subscribe(CHANNEL)
                    await self._listen(pubsub)
            except (RedisError, OSError) as error:
                # What is said meanwhile is found in Redis as soon as callers are looked up anew.
                _logger.warning("revocations_unheard", reason=type(error).__name__)
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen(self, pubsub: PubSub) -> None:
        while True:
            message = await pubsub.get_message(timeout=_LISTEN_SECONDS)
            if message is not None:
                self._remember(message["data"])

    def _is_known(self, verdict: Verdict) -> bool:
        keys = (_token(verdict), _user(verdict))
        return any(self._known.covers(key, verdict) for key in keys)

    def _remember(self, value: bytes) -> None:
        try:
            self._keep(REVOCATIONS.validate_json(value))
        except ValidationError:
            _logger.warning("revocation_rejected")

    def _keep(self, revocation: Revocation) -> None:
        self._known.add(revocation, revocation.until - self._clock())


def _token(verdict: Verdict) -> str:
    return f"token:{verdict.token_key}"


def _user(verdict: Verdict) -> str:
    return _user_key(verdict.user_id)


# Asked on every request, mostly about the same users.
@lru_cache(maxsize=10_000)
def _user_key(user_id: str) -> str:
    # A user id may be an e-mail address: it goes into no key.
    return f"user:{sha256(user_id.encode()).hexdigest()}"


def _name(key: str) -> str:
    return f"taskgate:revoked:{key}"
