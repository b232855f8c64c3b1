"""The head of the request as it goes upstream, cleaned of what a client may not say there."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from starlette.types import Scope

Header: TypeAlias = tuple[bytes, bytes]

CHUNKED = -1
NO_BODY = 0

# Upstream frameworks may not tell `X_User-ID` from `x-user-id`, so neither does the filter.
_FOLDED = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_", b"abcdefghijklmnopqrstuvwxyz-")
_FRAMING = frozenset((b"content-length", b"transfer-encoding"))
_CONNECTION_OPTIONS = frozenset((b"", b"close", b"keep-alive"))
_DROPPED = _FRAMING | {
    # Hop by hop (RFC 9110 §7.6.1).
    *(b"connection", b"http2-settings", b"keep-alive", b"te", b"trailer", b"upgrade"),
    # Answered by the gateway itself, or of no concern to the upstream.
    *(b"authorization", b"cookie", b"expect", b"host"),
    # Only the gateway says who is calling, and from where.
    *(b"forwarded", b"x-real-ip", b"x-request-id"),
    # Read and sent anew: one that is malformed goes no further.
    *(b"traceparent", b"tracestate"),
}
_DROPPED_PREFIXES = (b"proxy", b"x-forwarded", b"x-identity", b"x-user")
# Methods whose empty body is stated, as RFC 9110 §8.6 asks.
_BODY_EXPECTED = frozenset(("POST", "PUT", "PATCH"))


def build_head(
    scope: Scope, authority: bytes, identity_headers: Sequence[Header]
) -> tuple[bytes, int]:
    """Build the head for upstream; return it with the length of the body that follows.

    The length is `NO_BODY`, `CHUNKED`, or what the client declared. The target is copied byte
    for byte; hop-by-hop fields (RFC 9110 §7.6.1), credentials and every spelling of an identity
    header are left out. Raises `ValueError` for an identity header that holds a line break.
    """
    method: str = scope["method"]
    query: bytes = scope["query_string"]
    parts = [method.encode("ascii"), b" ", scope["raw_path"] or b"/"]
    if query:
        parts += (b"?", query)
    parts += (b" HTTP/1.1\r\nhost: ", authority, b"\r\n")
    length = _copy_headers(scope["headers"], parts)
    if length == CHUNKED:
        parts.append(b"transfer-encoding: chunked\r\n")
    elif length or method in _BODY_EXPECTED:
        parts.append(b"content-length: %d\r\n" % length)
    parts += (_identity_block(identity_headers), b"\r\n")
    return b"".join(parts), length


def _copy_headers(headers: Iterable[Header], parts: list[bytes]) -> int:
    """Append what may pass to `parts`; return the length of the body that is announced."""
    start, length, nominated = len(parts), NO_BODY, b""
    for name, value in headers:
        folded = name.translate(_FOLDED)
        if folded not in _DROPPED and not folded.startswith(_DROPPED_PREFIXES):
            parts += (name, b": ", value, b"\r\n")
        elif name == b"content-length":
            length = length or int(value)
        elif name == b"transfer-encoding":
            length = CHUNKED
        elif name == b"connection":
            nominated += b"," + value
    if nominated and (names := _nominated_names(nominated)):
        del parts[start:]
        return _copy_headers([h for h in headers if _survives(h[0], names)], parts)
    return length


def _nominated_names(connection: bytes) -> frozenset[bytes]:
    options = (option.strip().translate(_FOLDED) for option in connection.split(b","))
    return frozenset(options) - _CONNECTION_OPTIONS


def _survives(name: bytes, nominated: frozenset[bytes]) -> bool:
    # A client that nominates the framing would otherwise choose how its body is read upstream.
    return name in _FRAMING or (name != b"connection" and name.translate(_FOLDED) not in nominated)


def _identity_block(identity_headers: Sequence[Header]) -> bytes:
    block = b"".join([b"%b: %b\r\n" % header for header in identity_headers])
    if block.count(b"\n") != len(identity_headers) or block.count(b"\r") != len(identity_headers):
        raise ValueError("an identity header must not hold a line break")
    return block
