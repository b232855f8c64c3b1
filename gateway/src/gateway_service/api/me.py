"""Who the gateway takes the caller for."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response, Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field

from gateway_service.errors import (
    AuthUnavailableError,
    TokenExpiredError,
    TokenInvalidError,
    TokenMissingError,
    TokenRevokedError,
)
from gateway_service.verdicts import Verdict
from service_kit.errors import problem

PATH = "/api/v1/me"
SECURITY_SCHEME = "bearer"
AUTH_RESPONSES = problem(
    TokenMissingError,
    TokenInvalidError,
    TokenExpiredError,
    TokenRevokedError,
    AuthUnavailableError,
)

# Documents the scheme; the token itself was checked before any route is reached.
_bearer = HTTPBearer(
    scheme_name=SECURITY_SCHEME,
    bearerFormat="JWT",
    description="The access token your users get where they sign in.",
    auto_error=False,
)

router = APIRouter(tags=["me"])


class Me(BaseModel):
    """The caller, as their token says."""

    user_id: str = Field(
        description="The token's `sub`, after `<name>:` for the issuers of AUTH_ISSUERS_FILE."
    )
    issuer: str = Field(description="Our name of whoever issued the token.")
    expires_at: datetime = Field(description="When the token ends.")


@router.get(PATH, responses=AUTH_RESPONSES, dependencies=[Security(_bearer)])
async def get_me(request: Request, response: Response) -> Me:
    """Tell who the caller is, and until when the token is good."""
    verdict: Verdict = request.state.verdict
    response.headers["Cache-Control"] = "private, no-store"
    return Me(
        user_id=verdict.user_id,
        issuer=verdict.issuer,
        expires_at=datetime.fromtimestamp(verdict.expires_at, UTC),
    )
