"""The rules that the claims of a token have to keep (RFC 7519 §4.1), and what they then say."""

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from auth_verifier.errors import TokenExpiredError, TokenInvalidError
from auth_verifier.issuers import Issuer

_MAX_ID_LENGTH = 255
# Integers beyond it are not exact in JSON's usual readers (RFC 8259 §6).
_MAX_TIME = 2**53
_YEAR_1971 = 31_536_000
_NAMES_OF_NOBODY = {"null", "undefined"}
# Control characters, and halves of surrogate pairs: no UTF-8 can carry those.
_FORBIDDEN_CATEGORIES = {"Cc", "Cs"}


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says; times are Unix seconds, rounded so that none is stretched."""

    user_id: str
    expires_at: int
    not_before: int | None
    issued_at: int | None
    token_id: str | None


def check_claims(
    claims: Mapping[str, Any], issuer: Issuer, *, by_secret: bool, now: float
) -> Claims:
    """Apply the issuer's rules; `by_secret` tells that a shared secret signed the token.

    Raises `TokenExpiredError` or `TokenInvalidError`.
    """
    expires_at = _expiry(claims, now)
    issued_at = _past_time(claims, "iat", now + issuer.leeway)
    not_before = _past_time(claims, "nbf", now + issuer.leeway)
    _check_lifetime(expires_at - (now if issued_at is None else issued_at), issuer)
    vouched = by_secret and issuer.secret_vouches
    _check_issuer(claims, issuer, required=not vouched)
    _check_audience(claims, issuer, required=not vouched)
    _check_authorized_party(claims, issuer)
    return Claims(
        user_id=_user_id(claims, issuer),
        expires_at=math.floor(expires_at),
        not_before=None if not_before is None else math.ceil(not_before),
        issued_at=None if issued_at is None else math.floor(issued_at),
        token_id=_token_id(claims),
    )


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    # JSON's true is an int to Python. The bounds also refuse infinity, which `1e999` reads as.
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _MAX_TIME:
        raise TokenInvalidError(f"The token's `{name}` must be a number of seconds since 1970.")
    return value


def _expiry(claims: Mapping[str, Any], now: float) -> float:
    if "exp" not in claims:
        raise TokenInvalidError("The token has no `exp`: issue it with an expiry.")
    expires_at = _time(claims, "exp")
    if 0 <= expires_at < _YEAR_1971:
        raise TokenExpiredError(
            "The token's `exp` is in 1970: it was given a lifetime where a date belongs. In Better "
            'Auth write `expirationTime: "15m"`, not a number of seconds.'
        )
    if expires_at <= now:
        raise TokenExpiredError("The token has expired: get a new one and try again.")
    return expires_at


def _past_time(claims: Mapping[str, Any], name: str, limit: float) -> float | None:
    if name not in claims:
        return None
    value = _time(claims, name)
    if value > limit:
        raise TokenInvalidError(
            f"The token's `{name}` is in the future: it is in seconds, not milliseconds, and the "
            "clock of the issuer must be right."
        )
    return value


def _check_lifetime(lifetime: float, issuer: Issuer) -> None:
    if lifetime > issuer.max_lifetime:
        raise TokenInvalidError(
            f"The token lives longer than the {issuer.max_lifetime} seconds that "
            f"{issuer.terms.lifetime} allows: issue a shorter one, and write `exp` in seconds, not "
            "milliseconds."
        )


def _check_issuer(claims: Mapping[str, Any], issuer: Issuer, *, required: bool) -> None:
    if "iss" not in claims and not required:
        return
    # Without a list only a shared-secret token comes here, and its secret names the issuer.
    given = claims.get("iss")
    if (issuer.issuers or required) and not (isinstance(given, str) and given in issuer.issuers):
        raise TokenInvalidError(
            "The token's `iss` is missing or not an accepted one: it must be "
            f"{issuer.terms.issuers}."
        )


def _check_audience(claims: Mapping[str, Any], issuer: Issuer, *, required: bool) -> None:
    if issuer.audiences is None:
        return
    if "aud" not in claims and not (required and issuer.audiences):
        return
    audience = claims.get("aud")
    given = audience if isinstance(audience, list) else [audience]
    if not all(isinstance(one, str) for one in given) or issuer.audiences.isdisjoint(given):
        raise TokenInvalidError(
            "The token's `aud` is missing or meant for somebody else: it must be "
            f"{issuer.terms.audiences}."
        )


def _check_authorized_party(claims: Mapping[str, Any], issuer: Issuer) -> None:
    party = claims.get("azp")
    if issuer.authorized_parties and not (
        isinstance(party, str) and party in issuer.authorized_parties
    ):
        raise TokenInvalidError(
            "The token's `azp` is missing or names another application: it must be one of "
            f"`authorized_parties` of [{issuer.name}] in AUTH_ISSUERS_FILE."
        )


def _user_id(claims: Mapping[str, Any], issuer: Issuer) -> str:
    user_id = _subject(claims)
    if user_id.startswith(issuer.foreign_prefixes):
        raise TokenInvalidError(
            "The token's `sub` begins with the name of an issuer in AUTH_ISSUERS_FILE and a colon, "
            "as only that issuer's user ids may: rename the issuer there."
        )
    if len(issuer.user_prefix + user_id) > _MAX_ID_LENGTH:
        raise TokenInvalidError(
            f"The token's `sub` is too long: `{issuer.user_prefix}` goes before it, and both "
            f"together may have {_MAX_ID_LENGTH} characters."
        )
    return issuer.user_prefix + user_id


def _subject(claims: Mapping[str, Any]) -> str:
    user_id = claims.get("sub")
    if not _is_id(user_id) or not user_id.strip() or user_id in _NAMES_OF_NOBODY:
        raise TokenInvalidError(
            "The token has no usable `sub`: it must be the user's id, a string of 1 to 255 "
            "characters without control characters. No other claim stands in for it."
        )
    return user_id


def _token_id(claims: Mapping[str, Any]) -> str | None:
    if "jti" not in claims:
        return None
    token_id = claims["jti"]
    if not _is_id(token_id):
        raise TokenInvalidError("The token's `jti` must be a string of 1 to 255 characters.")
    return token_id


def _is_id(value: Any) -> TypeGuard[str]:  # noqa: ANN401 - a claim can be anything.
    return (
        isinstance(value, str)
        and 1 <= len(value) <= _MAX_ID_LENGTH
        and not any(unicodedata.category(char) in _FORBIDDEN_CATEGORIES for char in value)
    )
