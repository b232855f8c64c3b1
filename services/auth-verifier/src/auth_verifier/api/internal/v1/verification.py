"""The one question the gateway asks."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from auth_verifier.errors import AuthUnavailableError, TokenExpiredError, TokenInvalidError
from auth_verifier.schemas.verification import Verification, VerificationRequest
from auth_verifier.services import verification as verification_service
from auth_verifier.services.verification import Verifier
from service_kit.errors import problem

router = APIRouter(prefix="/internal/v1", tags=["verification"])


async def get_verifier(request: Request) -> Verifier:
    """Return the verifier that the application's lifespan set up."""
    verifier: Verifier = request.app.state.verifier
    return verifier


@router.post(
    "/verify", responses=problem(TokenInvalidError, TokenExpiredError, AuthUnavailableError)
)
async def verify_token(
    body: VerificationRequest, verifier: Annotated[Verifier, Depends(get_verifier)]
) -> Verification:
    """Judge one token: who its user is and until when, or why it is refused."""
    return await verification_service.verify_token(verifier, body.token)
