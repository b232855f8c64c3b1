"""Taking tokens back before their time."""

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends, Request

from gateway_service.api.security import AUTH_RESPONSES, WITH_TOKEN, CurrentVerdict
from gateway_service.authentication.revocations import Revocations
from gateway_service.errors import OriginForbiddenError
from service_kit.errors import problem

router = APIRouter(
    prefix="/api/v1/auth",
    tags=["auth"],
    responses=AUTH_RESPONSES | problem(OriginForbiddenError),
    dependencies=WITH_TOKEN,
)


async def get_revocations(request: Request) -> Revocations:
    """Return what keeps revocations."""
    revocations: Revocations = request.app.state.revocations
    return revocations


KeptRevocations: TypeAlias = Annotated[Revocations, Depends(get_revocations)]


@router.post("/logout", status_code=204)
async def log_out(verdict: CurrentVerdict, revocations: KeptRevocations) -> None:
    """Revoke the presented token: from now on it is refused, wherever it is sent."""
    await revocations.revoke_token(verdict)


@router.post("/logout-all", status_code=204)
async def log_out_everywhere(verdict: CurrentVerdict, revocations: KeptRevocations) -> None:
    """Revoke every token of the caller issued until now, the presented one included."""
    await revocations.revoke_user(verdict)
