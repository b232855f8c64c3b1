"""What verdicts rest on, as one fingerprint: while it stays the same, verdicts given hold."""

import hmac
import json
from dataclasses import fields
from hashlib import sha256
from typing import Any

from auth_verifier.issuers import Issuer, Issuers

_PURPOSE = b"taskgate trust version"
# Keys change by themselves; terms are only words.
_NOT_SETTINGS = {"keys", "terms"}


class Trust:
    """The fingerprint of `issuers`: their settings, their secrets and the keys they publish."""

    def __init__(self, issuers: Issuers) -> None:
        everyone = issuers.everyone()
        self._settings = json.dumps([_settings(issuer) for issuer in everyone])
        self._keys = [issuer.keys for issuer in everyone if issuer.keys]

    def version(self) -> str:
        """Return the fingerprint as of now."""
        parts = [self._settings, *(keys.version for keys in self._keys)]
        return sha256("\n".join(parts).encode()).hexdigest()


def _settings(issuer: Issuer) -> list[Any]:
    names = sorted(field.name for field in fields(issuer) if field.name not in _NOT_SETTINGS)
    return [[name, _plain(getattr(issuer, name))] for name in names]


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a setting is.
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        # A secret tells no more here than in every token that is signed with it.
        return hmac.digest(value, _PURPOSE, "sha256").hex()
    return value
