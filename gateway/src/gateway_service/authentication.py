"""From the headers of a request to its caller: remembered in process, in Redis, or verified."""

import time
from collections.abc import Callable, Iterable
from hashlib import sha256

import structlog

from gateway_service.credentials import bearer_token, check_token_form
from gateway_service.single_flight import SingleFlight
from gateway_service.upstream.request import Header
from gateway_service.verdict_store import VerdictStore
from gateway_service.verdicts import MEMORY_SECONDS, Caller, CallerMemory, Verdict
from gateway_service.verifier_client import VerifierClient
from service_kit.errors import ServiceError
from service_kit.identity import sign_identity

AUDIENCE = "tasks"
IDENTITY_SECONDS = 60

_logger = structlog.get_logger(__name__)


class Authenticator:
    """Tells who is calling; `key` signs the identity that is passed on."""

    def __init__(
        self,
        *,
        memory: CallerMemory,
        store: VerdictStore,
        verifier: VerifierClient,
        key: bytes,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._memory = memory
        self._store = store
        self._verifier = verifier
        self._key = key
        self._clock = clock
        self._flights: SingleFlight[Caller] = SingleFlight()

    async def authenticate(self, headers: Iterable[Header]) -> Caller:
        """Return the caller that the bearer token among `headers` stands for.

        Raises `TokenMissingError`, a `TokenRefusedError` or `AuthUnavailableError`.
        """
        digest = b""
        try:
            token = bearer_token(headers)
            digest = sha256(token).digest()
            caller = self._memory.get(digest, self._clock())
            if caller is None:
                text = check_token_form(token)
                caller = await self._flights.run(digest, lambda: self._find(digest, text))
            caller.check_times(self._clock())
        except ServiceError as error:
            _logger.warning("token_refused", code=error.code, token_hash=digest.hex()[:12] or None)
            raise
        return caller

    async def aclose(self) -> None:
        """End the verifications under way."""
        await self._flights.aclose()

    async def _find(self, digest: bytes, token: str) -> Caller:
        verdict = await self._store.get(digest, self._clock())
        if verdict is None:
            # The time before asking: a verdict is never older than it says.
            verdict = await self._verifier.verify(token, self._clock())
            await self._store.put(digest, verdict)
        caller = self._introduce(verdict)
        self._memory.put(digest, caller)
        return caller

    def _introduce(self, verdict: Verdict) -> Caller:
        now = self._clock()
        # Signed once for as long as the caller is remembered, which is far less than it is valid.
        signed = sign_identity(
            verdict.user_id,
            key=self._key,
            audience=AUDIENCE,
            expires_at=int(now) + IDENTITY_SECONDS,
        )
        headers = tuple((name.encode(), value.encode()) for name, value in signed.items())
        stale_at = self._store.stale_at(verdict)
        return Caller(verdict, headers, now, min(now + MEMORY_SECONDS, stale_at))
