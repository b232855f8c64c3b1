"""Did the issuer sign the token? Without that nothing it says is believed."""

from auth_verifier.algorithms import PUBLIC_KEY, SHARED_SECRET, verifies
from auth_verifier.errors import TokenInvalidError
from auth_verifier.issuers import Issuer
from auth_verifier.jwks import RemoteKeys
from auth_verifier.tokens import UnverifiedToken


async def check_signature(token: UnverifiedToken, issuer: Issuer) -> None:
    """Check that one of the issuer's keys, of the token's own algorithm, signed it.

    Asked last: for a token that is refused anyway no key is fetched.
    Raises `TokenInvalidError`, or `AuthUnavailableError` if the keys cannot be had.
    """
    if token.algorithm in SHARED_SECRET:
        _check_secrets(token, issuer)
    elif issuer.keys:
        await _check_keys(token, issuer, issuer.keys)


def check_algorithm(algorithm: str, issuer: Issuer) -> None:
    """Check that the issuer's tokens may be signed so.

    Raises `TokenInvalidError`, which names the setting that is missing.
    """
    if algorithm in issuer.algorithms:
        return
    if algorithm in PUBLIC_KEY and not issuer.keys:
        raise TokenInvalidError(
            "unconfigured",
            "The token is signed with a key of the issuer's JWKS, and none is configured "
            f"for its `iss`: set {issuer.terms.jwks}.",
        )
    if algorithm in SHARED_SECRET and not issuer.secrets:
        raise TokenInvalidError(
            "unconfigured",
            "The token is signed with a shared secret, and none is configured for "
            f"its `iss`: set {issuer.terms.secrets}.",
        )
    raise TokenInvalidError(
        "algorithm",
        f"The token's `alg` is not accepted: use one of {', '.join(sorted(issuer.algorithms))}.",
    )


def _check_secrets(token: UnverifiedToken, issuer: Issuer) -> None:
    if not any(_signed(token, secret) for secret in issuer.secrets):
        raise TokenInvalidError(
            "signature",
            f"The token's signature is wrong: sign it with the same {issuer.terms.secrets} that is "
            "configured here, as raw text and not base64-decoded.",
        )


async def _check_keys(token: UnverifiedToken, issuer: Issuer, remote: RemoteKeys) -> None:
    named = await remote.named(token.kid, token.algorithm)
    keys = [key for key in named if token.algorithm in key.algorithms]
    if not named:
        raise TokenInvalidError(
            "unknown_key",
            "The token is signed with a key that the issuer does not publish: get a new token, "
            f"from the issuer that {issuer.terms.jwks} names.",
        )
    if not keys:
        raise TokenInvalidError(
            "algorithm", "The token's `alg` is not that of the key its `kid` names."
        )
    if token.kid is None and len(keys) > 1:
        raise TokenInvalidError(
            "key_id", "The token has no `kid`, and several keys fit its `alg`: add it."
        )
    if not any(_signed(token, key.public_key) for key in keys):
        raise TokenInvalidError(
            "signature", "The token's signature is wrong: send it exactly as issued."
        )


def _signed(token: UnverifiedToken, key: object) -> bool:
    return verifies(token.algorithm, key, token.signed_part, token.signature)
