"""The credential of a request: found in the headers, and looked at before anybody is asked."""

import binascii
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Literal

from gateway_service.authentication.session_cookie import SessionCookie
from gateway_service.errors import Cause, TokenInvalidError, TokenMissingError
from gateway_service.upstream.request import Header

MAX_TOKEN_BYTES = 16 * 1024
_JWT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# Those the verifier can check; which of them an issuer may use is for it to say.
_ALGORITHMS = frozenset(
    (
        *("HS256", "EdDSA", "Ed25519"),
        *(f"{family}{bits}" for family in ("ES", "RS", "PS") for bits in (256, 384, 512)),
    )
)
_NO_BEARER = (
    "This is no JWT, which is three base64url parts with dots between them. A session token or "
    "the value of a cookie will not do: with Better Auth, add its jwt() plugin and send the token "
    "that authClient.token() (GET /api/auth/token) returns."
)
_NO_COOKIE = (
    "The session_data cookie holds no signed JWT, as Better Auth's cookieCache writes it only with "
    'strategy "jwt". Choose that, or send the token that authClient.token() returns in the header '
    "`Authorization: Bearer <token>`."
)

CredentialKind = Literal["bearer", "session_cookie"]


@dataclass(frozen=True)
class Credential:
    """A token as it came; what is known of one kind says nothing about the other."""

    kind: CredentialKind
    token: bytes

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the token, in hex."""
        return sha256(self.token).hexdigest()

    @cached_property
    def key(self) -> str:
        """By what verdicts on it are kept."""
        return f"{self.kind}:{self.digest}"


def find_credential(headers: Iterable[Header], cookie: SessionCookie) -> Credential:
    """Return what follows `Bearer` in the one Authorization header (RFC 6750 §2.1), or the cookie.

    Raises `TokenMissingError`, or `TokenInvalidError` if there are two of what may be one.
    """
    found, cookies = [], []
    for name, value in headers:
        if name == b"authorization":
            found.append(value)
        elif name == b"cookie":
            cookies.append(value)
    if len(found) > 1:
        raise TokenInvalidError(
            "The request has two Authorization headers; send one.", Cause("two_credentials")
        )
    if found:
        return Credential("bearer", _bearer_token(found[0]))
    if cookies and (token := cookie.read(cookies)):
        return Credential("session_cookie", token)
    raise TokenMissingError(has_session_token=cookie.has_session_token(cookies))


def check_form(credential: Credential) -> str:
    """Return the token as text. Raises `TokenInvalidError` if it cannot be a signed JWT."""
    token = credential.token
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenInvalidError(
            "The token is longer than 16 kB: put less into it.", Cause("too_long")
        )
    if not _JWT.fullmatch(token):
        is_bearer = credential.kind == "bearer"
        raise TokenInvalidError(_NO_BEARER if is_bearer else _NO_COOKIE, Cause("malformed"))
    header, claims, _ = token.split(b".")
    _check_algorithm(header)
    if not _decoded(claims).lstrip().startswith(b"{"):
        raise TokenInvalidError("The token's payload is no JSON object.", Cause("malformed"))
    return token.decode("ascii")


def _bearer_token(authorization: bytes) -> bytes:
    scheme, _, token = authorization.partition(b" ")
    token = token.strip()
    if not token or scheme.lower() != b"bearer":
        raise TokenMissingError
    return token


def _check_algorithm(header: bytes) -> None:
    try:
        members = json.loads(_decoded(header))
        algorithm = members["alg"] if isinstance(members, dict) else None
    except (ValueError, LookupError, RecursionError):
        algorithm = None
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise TokenInvalidError(
            "The token's header must be a JSON object whose `alg` is one of "
            f"{', '.join(sorted(_ALGORITHMS))}.",
            Cause("algorithm"),
        )


def _decoded(part: bytes) -> bytes:
    try:
        return urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except binascii.Error:
        return b""
