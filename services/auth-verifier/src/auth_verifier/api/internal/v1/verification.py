"""The question the gateway asks about each token it does not know."""

from fastapi import APIRouter

from auth_verifier.dependencies import CurrentVerifier
from auth_verifier.errors import AuthUnavailableError, TokenExpiredError, TokenInvalidError
from auth_verifier.schemas.verification import Verification, VerificationRequest
from service_kit.errors import problem

router = APIRouter(prefix="/internal/v1", tags=["verification"])


@router.post(
    "/verify", responses=problem(TokenInvalidError, TokenExpiredError, AuthUnavailableError)
)
async def verify_token(body: VerificationRequest, verifier: CurrentVerifier) -> Verification:
    """Judge one token: who its user is and until when, or why it is refused."""
    return await verifier.verify(body.token, body.kind)
