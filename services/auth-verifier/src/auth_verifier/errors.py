"""The ways in which a verification ends without a verdict."""

import math
from typing import ClassVar

from service_kit.errors import ServiceError

# RFC 6750 §3.1.
_CHALLENGE = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class TokenInvalidError(ServiceError):
    """The token is not good, and never was or will be; `why` says what to change."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "token_invalid"
    title: ClassVar[str] = "Invalid token"

    def __init__(self, why: str) -> None:
        super().__init__(why, headers=_CHALLENGE)


class TokenExpiredError(ServiceError):
    """The token was good once; the app should ask for a new one."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "token_expired"
    title: ClassVar[str] = "Expired token"

    def __init__(self, why: str) -> None:
        super().__init__(why, headers=_CHALLENGE)


class AuthUnavailableError(ServiceError):
    """Nobody can tell right now whether the token is good; asking again later helps."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "auth_unavailable"
    title: ClassVar[str] = "Authentication unavailable"

    def __init__(self, retry_after: float) -> None:
        super().__init__(
            "The token cannot be checked right now, because the keys of its issuer cannot be "
            "fetched. Keep the token and try again.",
            headers={"Retry-After": str(max(1, math.ceil(retry_after)))},
        )
