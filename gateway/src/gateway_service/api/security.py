"""How the routes under /api/ are protected, as the document tells it, and whom they serve."""

from typing import Annotated, TypeAlias

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from gateway_service.authentication.verdicts import Verdict
from gateway_service.errors import (
    AuthUnavailableError,
    TokenExpiredError,
    TokenInvalidError,
    TokenMissingError,
    TokenRevokedError,
)
from gateway_service.limits.policy import RateLimitedError
from service_kit.errors import problem

SECURITY_SCHEME = "bearer"
AUTH_RESPONSES = problem(
    TokenMissingError,
    TokenInvalidError,
    TokenExpiredError,
    TokenRevokedError,
    AuthUnavailableError,
    RateLimitedError,
)

# Documents the scheme; the token itself was checked before any route is reached.
_bearer = HTTPBearer(
    scheme_name=SECURITY_SCHEME,
    bearerFormat="JWT",
    description="The access token your users get where they sign in.",
    auto_error=False,
)
WITH_TOKEN = [Security(_bearer)]


async def get_verdict(request: Request) -> Verdict:
    """Return the verdict on the caller's token."""
    verdict: Verdict = request.state.verdict
    return verdict


CurrentVerdict: TypeAlias = Annotated[Verdict, Depends(get_verdict)]
