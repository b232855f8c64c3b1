"""The two forms of Better Auth's session cookie that are JWTs, and the rules for each.

Of what they hold, the session's own token is a credential: it is compared, and goes nowhere.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from auth_verifier.algorithms import SHARED_SECRET
from auth_verifier.errors import TokenExpiredError, TokenInvalidError
from auth_verifier.issuers import Issuer
from auth_verifier.revocation import Revocability, session_revocability
from auth_verifier.times import Times, check_times
from auth_verifier.tokens import UnverifiedToken
from auth_verifier.user_ids import is_id, names_a_user, user_id_of

SIGNED_BY_KEY = "better-auth.session-cache+jwt"
_AUDIENCE = "better-auth:session-cache"
_SIGNED_BY_SECRET = {"alg": "HS256"}
_NO_CLAIMS_OF_ACCESS_TOKENS = ("sub", "iss", "aud")


def check_cookie_form(token: UnverifiedToken) -> None:
    """Check that the header is one that Better Auth writes into its cookie.

    Raises `TokenInvalidError`.
    """
    if token.algorithm in SHARED_SECRET:
        known = token.header == _SIGNED_BY_SECRET
    else:
        known = token.type == SIGNED_BY_KEY and token.kid is not None
    if not known:
        raise TokenInvalidError(
            "cookie",
            "The session cookie holds a token that Better Auth does not write there: send an "
            "access token in the header `Authorization: Bearer <token>`.",
        )


def check_session(
    token: UnverifiedToken, issuer: Issuer, now: float
) -> tuple[str, Times, Revocability]:
    """Apply the rules; return whose the session is, when, and how it can be revoked.

    Raises `TokenExpiredError` or `TokenInvalidError`.
    """
    claims = token.claims
    times = check_times(claims, issuer, now)
    session, user = _object(claims, "session"), _object(claims, "user")
    subject = user.get("id")
    if not names_a_user(subject) or session.get("userId") != subject:
        raise _malformed("`user.id` must be the user's id, and the same as `session.userId`")
    if token.algorithm in SHARED_SECRET:
        if any(name in claims for name in _NO_CLAIMS_OF_ACCESS_TOKENS):
            raise _malformed("it must have no `sub`, `iss` or `aud`")
    else:
        _check_signed_by_key(claims, subject, issuer)
    if not is_id(session_id := session.get("id")):
        raise _malformed("`session.id` must be a string of 1 to 255 characters")
    if (ends_at := _instant(session, "expiresAt")) <= now:
        raise TokenExpiredError("The session has ended: the user has to sign in again.")
    user_id = user_id_of(subject, issuer)
    times = Times(
        expires_at=min(times.expires_at, math.floor(ends_at)),
        not_before=times.not_before,
        # The cookie is written anew every few minutes; what was issued is the session.
        issued_at=math.floor(_instant(session, "createdAt")),
    )
    return user_id, times, session_revocability(issuer, user_id, session_id, now)


def _check_signed_by_key(claims: Mapping[str, Any], subject: str, issuer: Issuer) -> None:
    if claims.get("aud") != _AUDIENCE or claims.get("sub") != subject:
        raise _malformed(f"`aud` must be {_AUDIENCE}, and `sub` the same as `user.id`")
    given = claims.get("iss")
    if not (isinstance(given, str) and given in issuer.issuers | issuer.cookie_issuers):
        raise TokenInvalidError(
            "issuer",
            "The session cookie's `iss` is missing or not an accepted one: it must be "
            f"BETTER_AUTH_URL, or {issuer.terms.issuers}.",
        )


def _object(claims: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = claims.get(name)
    if not isinstance(value, Mapping):
        raise _malformed(f"`{name}` must be an object")
    return value


def _instant(session: Mapping[str, Any], name: str) -> float:
    try:
        instant = datetime.fromisoformat(session[name])
    except (LookupError, TypeError, ValueError):
        instant = None
    # Without an offset it would be read in the time zone of this machine.
    if instant is None or instant.tzinfo is None:
        raise _malformed(f"`session.{name}` must be an instant as in RFC 3339")
    return instant.timestamp()


def _malformed(rule: str) -> TokenInvalidError:
    return TokenInvalidError(
        "cookie", f"The session cookie does not hold what Better Auth writes: {rule}."
    )
