"""The rules that the claims of an access token have to keep (RFC 7519 §4.1), and what they say."""

from collections.abc import Mapping
from typing import Any

from auth_verifier.algorithms import SHARED_SECRET
from auth_verifier.errors import CookieAsBearerError, TokenInvalidError
from auth_verifier.issuers import Issuer
from auth_verifier.revocation import Revocability, token_revocability
from auth_verifier.times import Times, check_times
from auth_verifier.tokens import UnverifiedToken
from auth_verifier.user_ids import is_id, names_a_user, user_id_of


def check_claims(
    token: UnverifiedToken, issuer: Issuer, now: float
) -> tuple[str, Times, Revocability]:
    """Apply the issuer's rules; return whose the token is, when, and how it can be revoked.

    Raises `TokenExpiredError` or `TokenInvalidError`.
    """
    claims, by_secret = token.claims, token.algorithm in SHARED_SECRET
    times = check_times(claims, issuer, now)
    vouched = by_secret and issuer.secret_vouches
    _check_issuer(claims, issuer, required=not vouched)
    _check_audience(claims, issuer, required=not vouched)
    _check_authorized_party(claims, issuer)
    user_id = user_id_of(_subject(claims, issuer), issuer)
    _check_token_id(claims)
    return user_id, times, token_revocability(token, issuer, user_id, times.expires_at, now)


def _check_issuer(claims: Mapping[str, Any], issuer: Issuer, *, required: bool) -> None:
    if "iss" not in claims and not required:
        return
    # Without a list only a shared-secret token comes here, and its secret names the issuer.
    given = claims.get("iss")
    if (issuer.issuers or required) and not (isinstance(given, str) and given in issuer.issuers):
        raise TokenInvalidError(
            "issuer",
            "The token's `iss` is missing or not an accepted one: it must be "
            f"{issuer.terms.issuers}.",
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
            "audience",
            "The token's `aud` is missing or meant for somebody else: it must be "
            f"{issuer.terms.audiences}. An ID token, or an access token for another API, will not "
            "do: send one issued for this API.",
        )


def _check_authorized_party(claims: Mapping[str, Any], issuer: Issuer) -> None:
    party = claims.get("azp")
    if issuer.authorized_parties and not (
        isinstance(party, str) and party in issuer.authorized_parties
    ):
        raise TokenInvalidError(
            "authorized_party",
            "The token's `azp` is missing or names another application: it must be one of "
            f"`authorized_parties` of [{issuer.name}] in AUTH_ISSUERS_FILE.",
        )


def _subject(claims: Mapping[str, Any], issuer: Issuer) -> str:
    subject = claims.get("sub")
    if names_a_user(subject):
        return subject
    if "sub" not in claims and issuer.has_sessions:
        _refuse_known_look_alikes(claims)
    raise TokenInvalidError(
        "subject",
        "The token has no usable `sub`: it must be the user's id, a string of 1 to 255 "
        "characters without control characters. No other claim stands in for it.",
    )


def _refuse_known_look_alikes(claims: Mapping[str, Any]) -> None:
    # Better Auth signs these with the same secret.
    if "session" in claims:
        raise CookieAsBearerError
    if "email" in claims:
        raise TokenInvalidError(
            "subject",
            "The token has no `sub`. It looks like that of an e-mail verification link, which is "
            "no login: send the token that authClient.token() (GET /api/auth/token) returns.",
        )


def _check_token_id(claims: Mapping[str, Any]) -> None:
    if "jti" in claims and not is_id(claims["jti"]):
        raise TokenInvalidError(
            "token_id", "The token's `jti` must be a string of 1 to 255 characters."
        )
