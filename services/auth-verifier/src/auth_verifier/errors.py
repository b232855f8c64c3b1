"""The ways in which a verification ends without a verdict."""

import math
from typing import ClassVar, Literal

from service_kit.errors import ServiceError

# RFC 6750 §3.1.
_CHALLENGE = {"WWW-Authenticate": 'Bearer error="invalid_token"'}

# What was wrong in a word, for logs and counters; the words are stable.
Reason = Literal[
    "algorithm",
    "audience",
    "authorized_party",
    "cookie",
    "crit",
    "expired",
    "issuer",
    "key_id",
    "lifetime",
    "malformed",
    "not_yet_valid",
    "signature",
    "subject",
    "token_id",
    "too_long",
    "type",
    "unavailable",
    "unconfigured",
    "unknown_key",
    "unsigned",
]


class RefusalError(ServiceError):
    """There is no verdict; `reason` says why in a word."""

    def __init__(self, reason: Reason, why: str, *, headers: dict[str, str]) -> None:
        super().__init__(why, headers=headers, extensions={"reason": reason})
        self.reason: Reason = reason


class TokenInvalidError(RefusalError):
    """The token is not good, and never was or will be; `why` says what to change."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "token_invalid"
    title: ClassVar[str] = "Invalid token"

    def __init__(self, reason: Reason, why: str) -> None:
        super().__init__(reason, why, headers=_CHALLENGE)


class CookieAsBearerError(TokenInvalidError):
    """The value of a session cookie came as a bearer token."""

    def __init__(self) -> None:
        super().__init__(
            "cookie",
            "This is the value of Better Auth's session cookie: leave it in its cookie, or send "
            "the token that authClient.token() (GET /api/auth/token) returns.",
        )


class TokenExpiredError(RefusalError):
    """The token was good once; the app should ask for a new one."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "token_expired"
    title: ClassVar[str] = "Expired token"

    def __init__(self, why: str) -> None:
        super().__init__("expired", why, headers=_CHALLENGE)


class AuthUnavailableError(RefusalError):
    """Nobody can tell right now whether the token is good; asking again later helps."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "auth_unavailable"
    title: ClassVar[str] = "Authentication unavailable"

    def __init__(self, retry_after: float) -> None:
        super().__init__(
            "unavailable",
            "The token cannot be checked right now, because the keys of its issuer cannot be "
            "fetched. Keep the token and try again.",
            headers={"Retry-After": str(max(1, math.ceil(retry_after)))},
        )
