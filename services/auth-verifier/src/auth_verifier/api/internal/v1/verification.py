"""The question the gateway asks about each token it does not know."""

from fastapi import APIRouter, Request

from auth_verifier.dependencies import CurrentVerifier
from auth_verifier.errors import AuthUnavailableError, TokenExpiredError, TokenInvalidError
from auth_verifier.schemas.verification import Verification, VerificationRequest
from service_kit.errors import problem
from service_kit.observed import record_of

router = APIRouter(prefix="/internal/v1", tags=["verification"])


@router.post(
    "/verify", responses=problem(TokenInvalidError, TokenExpiredError, AuthUnavailableError)
)
async def verify_token(
    body: VerificationRequest, verifier: CurrentVerifier, request: Request
) -> Verification:
    """Judge one token: who its user is and until when, or why it is refused."""
    verification = await verifier.verify(body.token, body.kind)
    record_of(request.scope).user_id = verification.user_id
    return verification
