"""Tokens made by hand for tests: good ones, and those that no library would sign."""

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
PUBLIC_KEY = ("EdDSA", *CURVES, *RSA)


@dataclass(frozen=True)
class SigningKey:
    """A key pair, or the bytes of a shared secret, and the algorithm it signs with."""

    algorithm: str
    private: Any = field(repr=False)
    kid: str | None = None

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a JWS (RFC 7518 §3), without a look at what the key is."""
        return jwt.get_algorithm_by_name(self.algorithm).sign(message, self.private)

    def jwk(self, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON.
        """Return the public key as a JWK (RFC 7517); `members` come on top."""
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        public: dict[str, Any] = algorithm.to_jwk(self.private.public_key(), as_dict=True)
        public.pop("key_ops", None)
        return {**public, "kid": self.kid, "alg": self.algorithm, **members}


@dataclass(frozen=True)
class Forge:
    """Makes tokens for the issuer at `origin`; `keys` are by algorithm, HS256 among them."""

    origin: str
    keys: Mapping[str, SigningKey] = field(repr=False)

    def claims(self, **claims: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON.
        """Return the claims of a good token, changed by those given; `...` leaves one out."""
        now = int(time.time())
        good = {"sub": "ada", "iat": now, "exp": now + 900, "iss": self.origin, "aud": self.origin}
        return _given(good | claims)

    def token(
        self,
        by: str | SigningKey = "EdDSA",
        header: Mapping[str, Any] | None = None,
        *,
        raw_header: bytes | None = None,
        raw_claims: bytes | None = None,
        **claims: Any,  # noqa: ANN401 - JSON.
    ) -> str:
        """Return a token that is good but for what is given; `...` leaves a member out.

        `by` is a key, or names one of `keys`; the raw forms stand in place of the JSON.
        """
        key = self.keys[by] if isinstance(by, str) else by
        members = _given({"alg": key.algorithm, "kid": key.kid or ...} | dict(header or {}))
        head = to_json(members) if raw_header is None else raw_header
        body = to_json(self.claims(**claims)) if raw_claims is None else raw_claims
        return signed(key, encode(head), encode(body))


def new_keys() -> dict[str, SigningKey]:
    """Return a fresh key for each public-key algorithm, `kid` being its name.

    The RSA algorithms share one key pair: an issuer's `alg` alone tells them apart.
    """
    pair = rsa.generate_private_key(65537, 2048)
    private: dict[str, Any] = {
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        **{name: ec.generate_private_key(curve) for name, curve in CURVES.items()},
        **dict.fromkeys(RSA, pair),
    }
    return {name: SigningKey(name, key, f"key-{name}") for name, key in private.items()}


def encode(data: bytes) -> str:
    """Return base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(part: str) -> bytes:
    """Return the bytes of base64url without padding."""
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def to_json(value: object) -> bytes:
    """Return compact JSON, as most libraries sign it."""
    return json.dumps(value, separators=(",", ":")).encode()


def signed(key: SigningKey, header_part: str, claims_part: str) -> str:
    """Return the two parts with the key's signature over exactly them."""
    text = f"{header_part}.{claims_part}"
    return f"{text}.{encode(key.sign(text.encode()))}"


def with_signature(token: str, signature: bytes) -> str:
    """Return the token with another signature."""
    return f"{token.rpartition('.')[0]}.{encode(signature)}"


def second_signature(token: str, algorithm: str) -> bytes:
    """Return the other signature that ECDSA accepts for an ES* token: s becomes n - s."""
    raw = decode(token.rpartition(".")[2])
    half = len(raw) // 2
    s = CURVES[algorithm].group_order - int.from_bytes(raw[half:])
    return raw[:half] + s.to_bytes(half)


def _given(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if not isinstance(value, EllipsisType)}
