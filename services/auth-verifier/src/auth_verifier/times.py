"""The times in a token (RFC 7519 §4.1.4 to §4.1.6): over, not yet begun, or too long."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auth_verifier.errors import TokenExpiredError, TokenInvalidError
from auth_verifier.issuers import Issuer

# Integers beyond it are not exact in JSON's usual readers (RFC 8259 §6).
_MAX_TIME = 2**53
_YEAR_1971 = 31_536_000


@dataclass(frozen=True, slots=True)
class Times:
    """When a token is good; Unix seconds, rounded so that none is stretched."""

    expires_at: int
    not_before: int | None
    issued_at: int | None


def check_times(claims: Mapping[str, Any], issuer: Issuer, now: float) -> Times:
    """Return the times of claims that are good at `now`.

    Raises `TokenExpiredError` or `TokenInvalidError`.
    """
    expires_at = _expiry(claims, now)
    issued_at = _past_time(claims, "iat", now + issuer.leeway)
    not_before = _past_time(claims, "nbf", now + issuer.leeway)
    _check_lifetime(expires_at - (now if issued_at is None else issued_at), issuer)
    return Times(
        expires_at=math.floor(expires_at),
        not_before=None if not_before is None else math.ceil(not_before),
        issued_at=None if issued_at is None else math.floor(issued_at),
    )


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    # JSON's true is an int to Python. The bounds also refuse infinity, which `1e999` reads as.
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _MAX_TIME:
        raise TokenInvalidError(
            "malformed", f"The token's `{name}` must be a number of seconds since 1970."
        )
    return value


def _expiry(claims: Mapping[str, Any], now: float) -> float:
    if "exp" not in claims:
        raise TokenInvalidError("lifetime", "The token has no `exp`: issue it with an expiry.")
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
            "not_yet_valid",
            f"The token's `{name}` is in the future: it is in seconds, not milliseconds, and the "
            "clock of the issuer must be right.",
        )
    return value


def _check_lifetime(lifetime: float, issuer: Issuer) -> None:
    if lifetime > issuer.max_lifetime:
        raise TokenInvalidError(
            "lifetime",
            f"The token lives longer than the {issuer.max_lifetime} seconds that "
            f"{issuer.terms.lifetime} allows: issue a shorter one, and write `exp` in seconds, not "
            "milliseconds.",
        )
