"""A token taken apart (RFC 7515 §3.1, RFC 7519): its form is checked here, its truth is not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auth_verifier.algorithms import canonical
from auth_verifier.errors import TokenInvalidError
from auth_verifier.strict import decode_base64url, load_json_object

MAX_TOKEN_LENGTH = 16 * 1024
_MAX_KID_LENGTH = 256
_PARTS = 3
_ENCRYPTED_PARTS = 5

_NOT_A_JWT = (
    "The token is not a JWT (three base64url parts with dots between them). "
    "An opaque session token cannot be used here: add Better Auth's jwt() plugin and send the "
    "token that authClient.token() or GET /api/auth/token returns."
)


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A well-formed token that anybody may have written.

    `algorithm` is the canonical name, `type` the `typ` in lower case (`jwt` if there is none).
    """

    algorithm: str
    kid: str | None
    type: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed_part: bytes
    signature: bytes


def parse_token(text: str) -> UnverifiedToken:
    """Take a compact JWS with a JSON payload apart.

    Raises `TokenInvalidError` if its form or its header is not one we accept. A key,
    or the address of one, is never taken from the header.
    """
    header_part, claims_part, signature_part = _split(text)
    header = _json_part("header", header_part)
    if "crit" in header:
        raise TokenInvalidError("crit", "The token's header has `crit`, which is not supported.")
    return UnverifiedToken(
        algorithm=_algorithm(header),
        kid=_kid(header),
        type=_type(header),
        header=header,
        claims=_json_part("payload", claims_part),
        signed_part=f"{header_part}.{claims_part}".encode(),
        signature=_bytes_part("signature", signature_part),
    )


def _split(text: str) -> list[str]:
    if len(text) > MAX_TOKEN_LENGTH:
        raise TokenInvalidError("too_long", "The token is longer than 16 kB: put less into it.")
    parts = text.split(".")
    if len(parts) == _ENCRYPTED_PARTS:
        raise TokenInvalidError(
            "malformed", "The token is encrypted (JWE): send a signed one (JWS)."
        )
    if len(parts) != _PARTS or not all(parts):
        raise TokenInvalidError("malformed", _NOT_A_JWT)
    return parts


def _bytes_part(name: str, part: str) -> bytes:
    try:
        return decode_base64url(part)
    except ValueError:
        raise TokenInvalidError(
            "malformed",
            f"The token's {name} is not base64url: send the token exactly as it was issued.",
        ) from None


def _json_part(name: str, part: str) -> dict[str, Any]:
    data = _bytes_part(name, part)
    try:
        return load_json_object(data)
    except ValueError:
        raise TokenInvalidError(
            "malformed", f"The token's {name} is not a JSON object with each name once."
        ) from None


def _type(header: Mapping[str, Any]) -> str:
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str):
        raise TokenInvalidError("type", "The token's `typ` must be a string: leave it out.")
    # Media types compare without case (RFC 7515 §4.1.9).
    return kind.lower()


def _algorithm(header: Mapping[str, Any]) -> str:
    algorithm = header.get("alg")
    if not isinstance(algorithm, str):
        raise TokenInvalidError("algorithm", "The token's header has no `alg`.")
    if algorithm.lower() == "none":
        raise TokenInvalidError(
            "unsigned", "The token is not signed (`alg` is none): send a signed one."
        )
    return canonical(algorithm)


def _kid(header: Mapping[str, Any]) -> str | None:
    if "kid" not in header:
        return None
    kid = header["kid"]
    if not isinstance(kid, str) or len(kid) > _MAX_KID_LENGTH or not kid.isprintable():
        raise TokenInvalidError(
            "key_id", "The token's `kid` must be at most 256 printable characters."
        )
    return kid
