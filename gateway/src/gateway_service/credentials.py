"""The bearer token of a request: found in the headers, and looked at before anybody is asked."""

import re
from collections.abc import Iterable

from gateway_service.errors import TokenInvalidError, TokenMissingError
from gateway_service.upstream.request import Header

MAX_TOKEN_BYTES = 16 * 1024
_JWT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def bearer_token(headers: Iterable[Header]) -> bytes:
    """Return what follows `Bearer` in the one Authorization header (RFC 6750 §2.1).

    Raises `TokenMissingError`, or `TokenInvalidError` if there are two such headers.
    """
    found = [value for name, value in headers if name == b"authorization"]
    if len(found) > 1:
        raise TokenInvalidError("The request has two Authorization headers; send one.")
    scheme, _, token = found[0].partition(b" ") if found else (b"", b"", b"")
    token = token.strip()
    if not token or scheme.lower() != b"bearer":
        raise TokenMissingError
    return token


def check_token_form(token: bytes) -> str:
    """Return the token as text. Raises `TokenInvalidError` if it cannot be a JWT."""
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenInvalidError("The token is longer than 16 kB: put less into it.")
    if not _JWT.fullmatch(token):
        raise TokenInvalidError(
            "This is no JWT, which is three base64url parts with dots between them. A session "
            "token or the value of a cookie will not do: with Better Auth, add its jwt() plugin "
            "and send the token that authClient.token() (GET /api/auth/token) returns."
        )
    return token.decode("ascii")
