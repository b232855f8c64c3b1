"""The ways the gateway itself refuses a request; those of forwarding are in `upstream.errors`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from service_kit.errors import ServiceError

RETRY_AFTER_SECONDS = 2
# A place becomes free when a client leaves, not in a moment.
STREAM_RETRY_AFTER_SECONDS = 10
# RFC 6750 §3.1.
_INVALID_TOKEN = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


@dataclass(frozen=True, slots=True)
class Cause:
    """Why nobody was let in, for the log and the counters: a stable word, and whose token it was.

    The issuer is ours by name, and `kid` is what the token claims, whoever wrote it.
    """

    reason: str
    issuer: str | None = None
    kid: str | None = None


class RefusalError(ServiceError):
    """Nobody is let in by what the request brings."""

    def __init__(self, detail: str, cause: Cause, headers: Mapping[str, str]) -> None:
        super().__init__(detail, headers=headers)
        self.cause = cause


class TokenMissingError(RefusalError):
    """The request brings no credential that could let it in."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "token_missing"
    title: ClassVar[str] = "Token missing"

    def __init__(self, *, has_session_token: bool = False) -> None:
        detail = "Send your access token (a JWT) in the header `Authorization: Bearer <token>`."
        if has_session_token:
            detail += (
                " Better Auth's session_token cookie alone is no JWT: get a token from its jwt() "
                'plugin (authClient.token()), or use cookieCache with strategy "jwt" and call '
                "getSession() when its session_data cookie is gone."
            )
        cause = Cause("session_token" if has_session_token else "missing")
        super().__init__(detail, cause, {"WWW-Authenticate": "Bearer"})


class TokenRefusedError(RefusalError):
    """The token does not let its bearer in; `why` says what to change."""

    status: ClassVar[int] = 401

    def __init__(self, why: str, cause: Cause) -> None:
        super().__init__(why, cause, _INVALID_TOKEN)


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

    def __init__(self, issuer: str) -> None:
        super().__init__(
            "The token has been revoked: its user has logged out and has to sign in again.",
            Cause("revoked", issuer),
        )


class AuthUnavailableError(RefusalError):
    """Nobody can tell right now whether the token is good; asking again later helps."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "auth_unavailable"
    title: ClassVar[str] = "Authentication unavailable"

    def __init__(
        self, retry_after: int = RETRY_AFTER_SECONDS, *, cause: Cause = Cause("unavailable")
    ) -> None:
        super().__init__(
            "The token cannot be checked right now. Keep it and try again.",
            cause,
            {"Retry-After": str(retry_after)},
        )


class LogoutUnavailableError(AuthUnavailableError):
    """A revocation could not be kept, as far as is known."""

    def __init__(self) -> None:
        super().__init__()
        self.detail = "The logout cannot be confirmed right now: try again until it is."


class RemovalUnconfirmedError(AuthUnavailableError):
    """What a user had is removed, and their tokens may still be good."""

    def __init__(self) -> None:
        super().__init__()
        self.detail = (
            "What you had is removed. That your tokens are revoked cannot be confirmed right now: "
            "send the same request again until it is."
        )


class StreamsFullError(ServiceError):
    """This process carries as many event streams as it may."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "streams_full"
    title: ClassVar[str] = "Streams full"

    def __init__(self) -> None:
        super().__init__(
            "No more event streams are carried right now. Try again, and sync meanwhile.",
            headers={"Retry-After": str(STREAM_RETRY_AFTER_SECONDS)},
        )


class OriginForbiddenError(RefusalError):
    """A web page asks that is not on the list of those that may."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "origin_forbidden"
    title: ClassVar[str] = "Origin forbidden"

    def __init__(self, origin: str | None) -> None:
        whose = f"Web pages of {origin}" if origin else "Requests with a cookie and no `Origin`"
        super().__init__(
            f"{whose} may not call this API: add the page's origin to the setting CORS_ORIGINS, "
            "or send an access token in the header `Authorization: Bearer <token>`.",
            Cause("origin"),
            {},
        )
