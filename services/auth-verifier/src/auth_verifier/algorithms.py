"""The signature algorithms a token may name, and how each one verifies (RFC 7518, RFC 8037)."""

from typing import Any

from jwt import get_algorithm_by_name

SHARED_SECRET = frozenset({"HS256"})
RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
CURVES = {"Ed25519": "EdDSA", "P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
PUBLIC_KEY = RSA.union(CURVES.values())

_VERIFIERS = {name: get_algorithm_by_name(name) for name in SHARED_SECRET | PUBLIC_KEY}


def canonical(algorithm: str) -> str:
    """Return the one name we use; RFC 9864 spells EdDSA with an Ed25519 key `Ed25519`."""
    return "EdDSA" if algorithm == "Ed25519" else algorithm


def load_public_key(algorithm: str, jwk: dict[str, Any]) -> Any:  # noqa: ANN401 - one type for each algorithm.
    """Read the key of one JWK (RFC 7517).

    Raises `jwt.PyJWTError` or `ValueError` if its numbers make no key.
    """
    return _VERIFIERS[algorithm].from_jwk(jwk)


def verifies(algorithm: str, key: Any, message: bytes, signature: bytes) -> bool:  # noqa: ANN401 - as above.
    """Tell whether `signature` is the key's over `message`; a secret is a key of bytes."""
    return _VERIFIERS[algorithm].verify(message, key, signature)
