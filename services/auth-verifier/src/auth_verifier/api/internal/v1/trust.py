"""The question the gateway asks to know whether the verdicts it remembers still hold."""

from fastapi import APIRouter

from auth_verifier.dependencies import CurrentVerifier
from auth_verifier.schemas.trust import Trust

router = APIRouter(prefix="/internal/v1", tags=["trust"])


@router.get("/trust")
async def get_trust(verifier: CurrentVerifier) -> Trust:
    """Tell what verdicts rest on at present: as long as it stays the same, they hold."""
    return Trust(version=verifier.trust.version())
