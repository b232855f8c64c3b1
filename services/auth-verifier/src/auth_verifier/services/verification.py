"""The verdict on one token."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256

import structlog

from auth_verifier.algorithms import SHARED_SECRET
from auth_verifier.claims import check_claims
from auth_verifier.issuers import Issuer, Issuers
from auth_verifier.schemas.verification import Verification
from auth_verifier.signatures import check_signature
from auth_verifier.tokens import UnverifiedToken, parse_token
from service_kit.clock import utc_now
from service_kit.errors import ServiceError

_HASH_PREFIX = 12

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verifier:
    """Whom we trust, and what time it is."""

    issuers: Issuers
    now: Callable[[], datetime] = utc_now


async def verify_token(verifier: Verifier, text: str) -> Verification:
    """Judge a token, and log a refusal without it.

    Raises `TokenInvalidError`, `TokenExpiredError` or `AuthUnavailableError`.
    """
    token: UnverifiedToken | None = None
    issuer: Issuer | None = None
    try:
        token = parse_token(text)
        issuer = verifier.issuers.issuer_of(token.claims)
        return await _judge(token, issuer, verifier.now)
    except ServiceError as error:
        _logger.warning(
            "token_refused",
            code=error.code,
            detail=error.detail,
            issuer=issuer.name if issuer else None,
            kid=token.kid if token else None,
            # JSON can spell half a surrogate pair, which has no UTF-8.
            token_hash=sha256(text.encode(errors="replace")).hexdigest()[:_HASH_PREFIX],
        )
        raise


async def _judge(
    token: UnverifiedToken, issuer: Issuer, now: Callable[[], datetime]
) -> Verification:
    await check_signature(token, issuer)
    claims = check_claims(
        token.claims,
        issuer,
        by_secret=token.algorithm in SHARED_SECRET,
        now=now().timestamp(),
    )
    return Verification(issuer=issuer.name, key_id=token.kid, **asdict(claims))
