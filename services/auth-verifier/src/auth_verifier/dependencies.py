"""What routes are given."""

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from auth_verifier.services.verification import Verifier


async def get_verifier(request: Request) -> Verifier:
    """Return the verifier that the application's lifespan set up."""
    verifier: Verifier = request.app.state.verifier
    return verifier


CurrentVerifier: TypeAlias = Annotated[Verifier, Depends(get_verifier)]
