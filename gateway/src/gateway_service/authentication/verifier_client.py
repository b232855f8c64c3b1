"""How the gateway asks the auth-verifier about a token, and whether its verdicts still hold."""

import asyncio
import time
from typing import Literal

import httpx
from pydantic import BaseModel, ValidationError

from gateway_service.authentication.credentials import CredentialKind
from gateway_service.authentication.verdicts import VERDICTS, Verdict
from gateway_service.breaker import Breaker
from gateway_service.errors import (
    AuthUnavailableError,
    Cause,
    TokenExpiredError,
    TokenInvalidError,
    TokenRefusedError,
)
from gateway_service.metrics import Metrics
from service_kit.request_id import current_request_id
from service_kit.trace_context import outgoing_trace, traced

# The verifier may have to fetch keys first, for which it takes up to 3 s itself.
TIMEOUT_SECONDS = 5.0
_UPSTREAM = "auth-verifier"

_REFUSALS: dict[str, type[TokenRefusedError]] = {
    kind.code: kind for kind in (TokenInvalidError, TokenExpiredError)
}


class _Refusal(BaseModel):
    code: Literal["token_invalid", "token_expired"]
    detail: str
    reason: str
    issuer: str | None
    kid: str | None

    def cause(self) -> Cause:
        return Cause(self.reason, self.issuer, self.kid)


class _Trust(BaseModel):
    version: str


class VerifierClient:
    """Asks the verifier that `http` (its base URL set) leads to; verdicts go stale after `ttl`."""

    def __init__(self, http: httpx.AsyncClient, ttl: float, metrics: Metrics) -> None:
        self._http = http
        self._ttl = ttl
        self._metrics = metrics
        self._breaker = Breaker(time.monotonic)

    async def verify(self, token: str, kind: CredentialKind, now: float) -> Verdict:
        """Return the verdict on a token as of `now`.

        Raises a `TokenRefusedError` with the verifier's own words, or `AuthUnavailableError`
        whenever the answer is anything but a clear yes or no.
        """
        begun = time.perf_counter()
        try:
            return await self._ask(token, kind, now)
        except AuthUnavailableError as error:
            self._metrics.count_failure(_UPSTREAM, error.code)
            raise
        finally:
            self._metrics.observe_verifier(time.perf_counter() - begun)

    async def _ask(self, token: str, kind: CredentialKind, now: float) -> Verdict:
        try:
            with traced("verify"):
                answer = await self._post(token, kind)
            if answer.status_code == httpx.codes.OK:
                times = {"verified_at": now, "stale_at": now + self._ttl}
                return VERDICTS.validate_python({**answer.json(), **times})
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                refusal = _Refusal.model_validate_json(answer.content)
            else:
                raise AuthUnavailableError(*_retry_after(answer))
        except (httpx.HTTPError, TimeoutError, ValidationError, ValueError, TypeError) as error:
            raise AuthUnavailableError from error
        raise _REFUSALS[refusal.code](refusal.detail, refusal.cause())

    async def _post(self, token: str, kind: CredentialKind) -> httpx.Response:
        if not self._breaker.allows():
            raise AuthUnavailableError
        headers = [(b"x-request-id", current_request_id().encode()), *outgoing_trace()]
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer = await self._http.post(
                    "/internal/v1/verify", json={"token": token, "kind": kind}, headers=headers
                )
        except (httpx.HTTPError, TimeoutError):
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return answer

    async def trust_version(self) -> str:
        """Return what the verifier's verdicts rest on. Raises `AuthUnavailableError`."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer = await self._http.get("/internal/v1/trust")
            return _Trust.model_validate_json(answer.raise_for_status().content).version
        except (httpx.HTTPError, TimeoutError, ValidationError) as error:
            raise AuthUnavailableError from error


def _retry_after(answer: httpx.Response) -> list[int]:
    value = answer.headers.get("Retry-After", "")
    return [int(value)] if value.isascii() and value.isdigit() else []
