"""The public keys of an issuer: a JWK set (RFC 7517) read into keys that can verify."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import structlog
from jwt import PyJWTError

from auth_verifier.algorithms import CURVES, RSA, canonical, load_public_key
from auth_verifier.strict import load_json_object

_MIN_RSA_BITS = 2048
# The public ones only: an issuer that publishes a private key must not hand it to us.
_NUMBERS = {"OKP": ("x",), "EC": ("x", "y"), "RSA": ("n", "e")}

_logger = structlog.get_logger(__name__)


class UnusableKeyError(ValueError):
    """The key is not one that can verify signatures for us."""


class MalformedKeySetError(ValueError):
    """The document is not a JWK set with at least one usable key."""


@dataclass(frozen=True, slots=True)
class Key:
    """One public key as object and as published, its id, and the algorithms it may verify."""

    kid: str | None
    algorithms: frozenset[str]
    public_key: Any
    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of one issuer at one time; `version` is another when any of them is."""

    keys: tuple[Key, ...]
    version: str

    def named(self, kid: str | None, algorithm: str) -> tuple[Key, ...]:
        """Return the keys with this id, or without an id those that fit the algorithm."""
        if kid is None:
            return tuple(key for key in self.keys if algorithm in key.algorithms)
        return tuple(key for key in self.keys if key.kid == kid)


def parse_key_set(document: bytes) -> KeySet:
    """Read a JWK set; a key we cannot use is passed over.

    Raises `MalformedKeySetError` if none is left, or the document is something else.
    """
    try:
        entries = load_json_object(document).get("keys")
    except ValueError as error:
        raise MalformedKeySetError(f"the answer is no JWK set: {error}") from None
    if not isinstance(entries, list):
        raise MalformedKeySetError("the answer is no JWK set: it has no list of keys")
    keys = tuple(key for key in map(_usable, entries) if key)
    if not keys:
        raise MalformedKeySetError(f"none of the {len(entries)} keys is usable")
    return KeySet(keys, _version(keys))


def _version(keys: Iterable[Key]) -> str:
    texts = sorted(repr((key.kid, sorted(key.algorithms), key.numbers)) for key in keys)
    return sha256("\n".join(texts).encode(errors="backslashreplace")).hexdigest()


def _usable(entry: Any) -> Key | None:  # noqa: ANN401 - JSON.
    try:
        return _read_key(entry)
    except (PyJWTError, ValueError) as error:
        _logger.warning("key_passed_over", reason=str(error))
        return None


def _read_key(entry: Any) -> Key | None:  # noqa: ANN401 - JSON.
    if not isinstance(entry, Mapping):
        raise UnusableKeyError("not an object")
    kid, algorithms = entry.get("kid"), _algorithms(entry)
    if not algorithms or not _is_for_signatures(entry):
        return None
    names = _NUMBERS[entry["kty"]]
    if not all(isinstance(entry.get(name), str) for name in names):
        raise UnusableKeyError("a number of the key is missing")
    if not isinstance(kid, str | None):
        raise UnusableKeyError("`kid` is not a string")
    public = {name: entry[name] for name in ("kty", "crv", *names) if name in entry}
    key = load_public_key(min(algorithms), public)
    if entry["kty"] == "RSA" and key.key_size < _MIN_RSA_BITS:
        raise UnusableKeyError(f"an RSA key must have at least {_MIN_RSA_BITS} bits")
    return Key(kid, algorithms, key, tuple(public.values()))


def _algorithms(entry: Mapping[str, Any]) -> frozenset[str]:
    """Return what the key's type and curve allow, narrowed by its own `alg`."""
    kty, curve, named = entry.get("kty"), entry.get("crv"), entry.get("alg")
    fitting = RSA if kty == "RSA" else frozenset[str]()
    if (
        isinstance(curve, str)
        and curve in CURVES
        and kty == ("OKP" if curve == "Ed25519" else "EC")
    ):
        fitting = frozenset({CURVES[curve]})
    if named is None:
        return fitting
    return fitting & {canonical(named)} if isinstance(named, str) else frozenset()


def _is_for_signatures(entry: Mapping[str, Any]) -> bool:
    # Both are optional (RFC 7517 §4.2 and §4.3), and Better Auth writes neither.
    operations = entry.get("key_ops")
    allowed = operations is None or (isinstance(operations, list) and "verify" in operations)
    return entry.get("use") in (None, "sig") and allowed
