"""How the gateway asks the auth-verifier about a token."""

import asyncio
from typing import Literal

import httpx
from pydantic import BaseModel, ValidationError

from gateway_service.errors import (
    AuthUnavailableError,
    TokenExpiredError,
    TokenInvalidError,
    TokenRefusedError,
    TokenRevokedError,
)
from gateway_service.verdicts import VERDICTS, Verdict
from service_kit.request_id import current_request_id

# The verifier may have to fetch keys first, for which it takes up to 3 s itself.
TIMEOUT_SECONDS = 5.0

_REFUSALS: dict[str, type[TokenRefusedError]] = {
    kind.code: kind for kind in (TokenInvalidError, TokenExpiredError, TokenRevokedError)
}


class _Refusal(BaseModel):
    code: Literal["token_invalid", "token_expired", "token_revoked"]
    detail: str


class VerifierClient:
    """Asks the verifier that `http` (its base URL set) leads to."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def verify(self, token: str, now: float) -> Verdict:
        """Return the verdict on a token as of `now`.

        Raises a `TokenRefusedError` with the verifier's own words, or `AuthUnavailableError`
        whenever the answer is anything but a clear yes or no.
        """
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer = await self._http.post(
                    "/internal/v1/verify",
                    json={"token": token},
                    headers={"X-Request-Id": current_request_id()},
                )
            if answer.status_code == httpx.codes.OK:
                return VERDICTS.validate_python({**answer.json(), "verified_at": now})
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                refusal = _Refusal.model_validate_json(answer.content)
            else:
                raise AuthUnavailableError(*_retry_after(answer))
        except (httpx.HTTPError, TimeoutError, ValidationError, ValueError, TypeError) as error:
            raise AuthUnavailableError from error
        raise _REFUSALS[refusal.code](refusal.detail)


def _retry_after(answer: httpx.Response) -> list[int]:
    value = answer.headers.get("Retry-After", "")
    return [int(value)] if value.isascii() and value.isdigit() else []
