"""The ways the gateway itself refuses a request; those of forwarding are in `upstream.errors`."""

from typing import ClassVar

from service_kit.errors import ServiceError

RETRY_AFTER_SECONDS = 2
# RFC 6750 §3.1.
_INVALID_TOKEN = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class TokenMissingError(ServiceError):
    """The request brings no bearer token."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "token_missing"
    title: ClassVar[str] = "Token missing"

    def __init__(self) -> None:
        super().__init__(
            "Send your access token (a JWT) in the header `Authorization: Bearer <token>`.",
            headers={"WWW-Authenticate": "Bearer"},
        )


class TokenRefusedError(ServiceError):
    """The token does not let its bearer in; `why` says what to change."""

    status: ClassVar[int] = 401

    def __init__(self, why: str) -> None:
        super().__init__(why, headers=_INVALID_TOKEN)


class TokenInvalidError(TokenRefusedError):
    """The token is not good, and never will be."""

    code: ClassVar[str] = "token_invalid"
    title: ClassVar[str] = "Invalid token"


class TokenExpiredError(TokenRefusedError):
    """The token was good once; the app should ask for a new one."""

    code: ClassVar[str] = "token_expired"
    title: ClassVar[str] = "Expired token"


class TokenRevokedError(TokenRefusedError):
    """The token was taken back before its time; the user has to sign in again."""

    code: ClassVar[str] = "token_revoked"
    title: ClassVar[str] = "Revoked token"


class AuthUnavailableError(ServiceError):
    """Nobody can tell right now whether the token is good; asking again later helps."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "auth_unavailable"
    title: ClassVar[str] = "Authentication unavailable"

    def __init__(self, retry_after: int = RETRY_AFTER_SECONDS) -> None:
        super().__init__(
            "The token cannot be checked right now. Keep it and try again.",
            headers={"Retry-After": str(retry_after)},
        )


class OriginForbiddenError(ServiceError):
    """A web page asks that is not on the list of those that may."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "origin_forbidden"
    title: ClassVar[str] = "Origin forbidden"

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"Web pages of {origin} may not call this API: add it to the setting CORS_ORIGINS."
        )
