"""Better Auth's session cookie among a request's cookies: whole, or cut into numbered pieces."""

import re
from collections.abc import Sequence

from gateway_service.errors import Cause, TokenInvalidError

# A page on plain http, or on a neighbouring host, cannot set a cookie of this prefix
# (RFC 6265bis §4.1.3.1), so it goes before one without.
_SECURE = "__Secure-"

# Better Auth cuts a cookie into a hundred pieces at most.
_NUMBER = re.compile(rb"0|[1-9][0-9]?")

Pair = tuple[bytes, bytes]


class SessionCookie:
    """The cookies that Better Auth names with `prefix`."""

    def __init__(self, prefix: str) -> None:
        self._names = [f"{secure}{prefix}.session_data".encode() for secure in (_SECURE, "")]
        self._session_tokens = [
            f"{secure}{prefix}.session_token".encode() for secure in (_SECURE, "")
        ]

    def read(self, headers: Sequence[bytes]) -> bytes | None:
        """Return the value of the session cookie in these Cookie headers, None if there is none.

        Raises `TokenInvalidError` if it is there twice or in part.
        """
        pairs = _pairs(headers)
        for name in self._names:
            value = _only_one([value for key, value in pairs if key == name and value])
            if value := value or _joined(name, pairs):
                return value
        return None

    def has_session_token(self, headers: Sequence[bytes]) -> bool:
        """Tell whether there is the cookie whose value only Better Auth itself can judge."""
        return any(name in self._session_tokens for name, _ in _pairs(headers))


def _pairs(headers: Sequence[bytes]) -> list[Pair]:
    crumbs = (crumb.partition(b"=") for header in headers for crumb in header.split(b";"))
    return [(name.strip(), value.strip()) for name, _, value in crumbs]


def _only_one(values: Sequence[bytes]) -> bytes | None:
    if len(values) > 1:
        raise TokenInvalidError(
            "The request has two session cookies of one name; the browser must keep one only: "
            "set the cookie for one domain and path.",
            Cause("two_credentials"),
        )
    return values[0] if values else None


def _joined(name: bytes, pairs: Sequence[Pair]) -> bytes | None:
    pieces: dict[int, list[bytes]] = {}
    for key, value in pairs:
        number = key.removeprefix(name + b".")
        # Empty ones are on their way out.
        if number != key and value and _NUMBER.fullmatch(number):
            pieces.setdefault(int(number), []).append(value)
    if not pieces:
        return None
    if max(pieces) != len(pieces) - 1:
        raise TokenInvalidError(
            "A piece of the session cookie is missing: let the app call getSession() again.",
            Cause("cookie"),
        )
    return b"".join(_only_one(pieces[number]) or b"" for number in sorted(pieces))
