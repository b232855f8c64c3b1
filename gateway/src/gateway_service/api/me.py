"""Who the gateway takes the caller for."""

from datetime import UTC, datetime

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from gateway_service.api.security import AUTH_RESPONSES, WITH_TOKEN, CurrentVerdict

router = APIRouter(prefix="/api/v1", tags=["me"])


class Me(BaseModel):
    """The caller, as their token says."""

    user_id: str = Field(
        description="The token's `sub`, after `<name>:` for the issuers of AUTH_ISSUERS_FILE."
    )
    issuer: str = Field(description="Our name of whoever issued the token.")
    expires_at: datetime = Field(description="When the token ends.")


@router.get("/me", responses=AUTH_RESPONSES, dependencies=WITH_TOKEN)
async def get_me(verdict: CurrentVerdict, response: Response) -> Me:
    """Tell who the caller is, and until when the token is good."""
    response.headers["Cache-Control"] = "private, no-store"
    return Me(
        user_id=verdict.user_id,
        issuer=verdict.issuer,
        expires_at=datetime.fromtimestamp(verdict.expires_at, UTC),
    )
