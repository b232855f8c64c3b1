"""By what a token is known once it is revoked, and how long that has to be remembered.

The entries themselves are the gateway's: it checks them on every request it lets in.
"""

import json
from dataclasses import dataclass
from hashlib import sha256

from auth_verifier.issuers import Issuer
from auth_verifier.tokens import UnverifiedToken

# Better Auth prolongs a session while it is used; browsers keep no cookie longer than this
# (RFC 6265bis §5.5).
SESSION_SECONDS = 400 * 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Revocability:
    """The token's key, and until when (Unix seconds) a revocation must be kept.

    `token_ends_at` is for the token alone, `user_tokens_end_at` for every token that its user
    has at present.
    """

    token_key: str
    token_ends_at: int
    user_tokens_end_at: int


def token_revocability(
    token: UnverifiedToken, issuer: Issuer, user_id: str, expires_at: int, now: float
) -> Revocability:
    """Tell how an access token is revoked: by its `jti`, else by all it says.

    Never by its text: an ECDSA signature has two forms.
    """
    if "jti" in token.claims:
        key = _key("jti", issuer.name, user_id, token.claims["jti"])
    else:
        key = _key("token", issuer.name, user_id, [token.header, token.claims])
    return Revocability(key, expires_at, _user_tokens_end_at(issuer, now))


def session_revocability(issuer: Issuer, user_id: str, session_id: str, now: float) -> Revocability:
    """Tell how a session's cookies are revoked: together, since the issuer goes on writing them."""
    key = _key("session", issuer.name, user_id, session_id)
    return Revocability(key, int(now) + SESSION_SECONDS, _user_tokens_end_at(issuer, now))


def _user_tokens_end_at(issuer: Issuer, now: float) -> int:
    longest = SESSION_SECONDS if issuer.has_sessions else issuer.max_lifetime + issuer.leeway
    return int(now) + max(longest, issuer.max_lifetime)


def _key(kind: str, issuer: str, user_id: str, what: object) -> str:
    # The user is part of it, so that no token can take another user's with it.
    text = json.dumps([kind, issuer, user_id, what], sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()
