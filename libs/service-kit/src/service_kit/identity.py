"""The signed identity a service accepts from the gateway, and from nobody else.

The gateway sends `X-User-Id` (the user id, percent-encoded UTF-8) and `X-Identity`
(`v1.<expiry, Unix seconds>.<HMAC-SHA256, base64url>`); the MAC binds user, audience and expiry.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import ClassVar
from urllib.parse import quote, unquote

from service_kit.errors import ServiceError

USER_HEADER = "x-user-id"
IDENTITY_HEADER = "x-identity"
# When the user's token ends (Unix seconds), for what goes on after its request. Not signed: it is
# believed of whoever could sign the other two.
END_HEADER = "x-identity-end"
_VERSION = "v1"


class InvalidIdentityError(ServiceError):
    """The request does not carry an identity that the gateway signed."""

    status: ClassVar[int] = 401
    code: ClassVar[str] = "identity_invalid"
    title: ClassVar[str] = "Invalid identity"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why} This service answers requests signed by the gateway only.",
            headers={"WWW-Authenticate": "Taskgate-Identity"},
        )


def sign_identity(user_id: str, *, key: bytes, audience: str, expires_at: int) -> dict[str, str]:
    """Return the two headers that prove to `audience` who the user is, until `expires_at`."""
    user = quote(user_id, safe="")
    mac = _mac(key, audience, str(expires_at), user)
    return {USER_HEADER: user, IDENTITY_HEADER: f"{_VERSION}.{expires_at}.{mac}"}


def verify_identity(
    user: str | None, identity: str | None, *, keys: Sequence[bytes], audience: str, now: float
) -> str:
    """Return the user id that the two headers prove; any of `keys` may have signed it.

    Raises `InvalidIdentityError` if a header is missing, altered, expired or meant for another.
    """
    if not user or not identity:
        raise InvalidIdentityError("The identity headers are missing.")
    version, _, rest = identity.partition(".")
    expires_at, _, mac = rest.partition(".")
    if version != _VERSION or not (expires_at.isascii() and expires_at.isdigit()):
        raise InvalidIdentityError("The identity is malformed.")
    given = mac.encode()
    if not any(
        hmac.compare_digest(_mac(key, audience, expires_at, user).encode(), given) for key in keys
    ):
        raise InvalidIdentityError("The signature of the identity is wrong.")
    if int(expires_at) <= now:
        raise InvalidIdentityError("The identity has expired.")
    return unquote(user, errors="strict")


def _mac(key: bytes, audience: str, expires_at: str, user: str) -> str:
    # No field can contain the separator: a user is percent-encoded, an expiry is digits.
    message = f"{_VERSION}\n{audience}\n{expires_at}\n{user}"
    digest = hmac.digest(key, message.encode(), "sha256")
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
