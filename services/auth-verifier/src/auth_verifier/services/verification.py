"""The verdict on one token."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256

import structlog

from auth_verifier.claims import check_claims
from auth_verifier.errors import CookieAsBearerError, RefusalError, TokenInvalidError
from auth_verifier.issuers import Issuer, Issuers
from auth_verifier.metrics import Metrics
from auth_verifier.schemas.verification import CredentialKind, Verification
from auth_verifier.session_cookies import SIGNED_BY_KEY, check_cookie_form, check_session
from auth_verifier.signatures import check_algorithm, check_signature
from auth_verifier.tokens import UnverifiedToken, parse_token
from auth_verifier.trust import Trust
from service_kit.clock import utc_now
from service_kit.trace_context import traced

_HASH_PREFIX = 12
_ACCESS_TOKENS = {"jwt", "at+jwt"}

_logger = structlog.get_logger(__name__)


class Verifier:
    """Whom we trust, and what time it is."""

    def __init__(
        self, issuers: Issuers, metrics: Metrics, now: Callable[[], datetime] = utc_now
    ) -> None:
        self.trust = Trust(issuers)
        self._metrics = metrics
        self._issuers = issuers
        self._now = now

    async def verify(self, text: str, kind: CredentialKind) -> Verification:
        """Judge a token, and log a refusal without it.

        Raises `TokenInvalidError`, `TokenExpiredError` or `AuthUnavailableError`; their
        extensions say what is known about the token.
        """
        token: UnverifiedToken | None = None
        issuer: Issuer | None = None
        try:
            token = parse_token(text)
            issuer = self._issuer_of(token, kind)
            with traced("judge"):
                verification = await self._judge(token, issuer, kind)
        except RefusalError as error:
            self._metrics.count_verdict(error.reason)
            error.extensions["issuer"] = issuer.name if issuer else None
            error.extensions["kid"] = token.kid if token else None
            _logger.warning(
                "token_refused",
                code=error.code,
                detail=error.detail,
                **error.extensions,
                # JSON can spell half a surrogate pair, which has no UTF-8.
                token_hash=sha256(text.encode(errors="replace")).hexdigest()[:_HASH_PREFIX],
            )
            raise
        self._metrics.count_verdict("good")
        return verification

    def _issuer_of(self, token: UnverifiedToken, kind: CredentialKind) -> Issuer:
        if kind == "bearer":
            return self._issuers.issuer_of(token.claims)
        if self._issuers.first is None:
            raise TokenInvalidError(
                "unconfigured",
                "Session cookies are Better Auth's, and it is not configured here: set "
                "BETTER_AUTH_SECRET or BETTER_AUTH_URL, or send an access token in the header "
                "`Authorization: Bearer <token>`.",
            )
        return self._issuers.first

    async def _judge(
        self, token: UnverifiedToken, issuer: Issuer, kind: CredentialKind
    ) -> Verification:
        # Before the keys can change: a verdict is never newer than what it says it rests on.
        trust_version = self.trust.version()
        check_form, check = (
            (_check_access_token_form, check_claims)
            if kind == "bearer"
            else (check_cookie_form, check_session)
        )
        check_form(token)
        check_algorithm(token.algorithm, issuer)
        user_id, times, revocability = check(token, issuer, self._now().timestamp())
        await check_signature(token, issuer)
        return Verification(
            user_id=user_id,
            issuer=issuer.name,
            key_id=token.kid,
            trust_version=trust_version,
            **asdict(times),
            **asdict(revocability),
        )


def _check_access_token_form(token: UnverifiedToken) -> None:
    if token.type == SIGNED_BY_KEY:
        raise CookieAsBearerError
    if token.type not in _ACCESS_TOKENS:
        raise TokenInvalidError(
            "type",
            "The token's `typ` says that it is not an access token: leave `typ` out, or make it "
            "`JWT` or `at+jwt`.",
        )
