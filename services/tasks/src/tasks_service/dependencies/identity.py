"""Who is calling, proved by the gateway's signature."""

import time
from typing import Annotated

from fastapi import Depends, Path, Request

from service_kit.identity import END_HEADER, IDENTITY_HEADER, USER_HEADER, verify_identity
from service_kit.observed import record_of
from tasks_service.dependencies.resources import resources
from tasks_service.errors import UserMismatchError

_AUDIENCE = "tasks"


def authenticate(request: Request) -> None:
    """Let the request pass if the gateway signed it. Raises `InvalidIdentityError`."""
    user_id = verify_identity(
        request.headers.get(USER_HEADER),
        request.headers.get(IDENTITY_HEADER),
        keys=resources(request).identity_keys,
        audience=_AUDIENCE,
        now=time.time(),
    )
    request.state.user_id = record_of(request.scope).user_id = user_id


async def _current_user_id(request: Request) -> str:
    user_id: str = request.state.user_id
    return user_id


def _token_end(request: Request) -> float | None:
    value = request.headers.get(END_HEADER, "")
    return float(value) if value.isascii() and value.isdigit() else None


# When the caller's token ends (Unix seconds), for what goes on after its request.
TokenEnd = Annotated[float | None, Depends(_token_end)]
CurrentUserId = Annotated[str, Depends(_current_user_id)]


async def require_own_path(
    user_id: Annotated[str, Path(description="The caller's own user id.")], caller: CurrentUserId
) -> None:
    """Let the request pass if its path names the caller. Raises `UserMismatchError`."""
    if user_id != caller:
        raise UserMismatchError
