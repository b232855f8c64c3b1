"""What the head of a request must be like, whatever it asks for."""

import re
from collections.abc import Sequence
from typing import TypeAlias

from service_kit.edge_errors import (
    HeadersTooLargeError,
    MalformedRequestError,
    TargetTooLongError,
)
from service_kit.errors import ServiceError

Fields: TypeAlias = Sequence[tuple[bytes, bytes]]

MAX_HEAD_BYTES = 32 * 1024
MAX_TARGET_BYTES = 8 * 1024
MAX_FIELDS = 100
_VERSIONS = frozenset(("1.0", "1.1"))
_FORMS = (b"/", b"http://", b"https://")
# What RFC 3986 §3.2 has in a host and a port, in any order.
_HOST = re.compile(rb"[A-Za-z0-9\-._~%!$&'()*+,;=:\[\]]*")


def fault(target: bytes, fields: Fields, version: str, *, upgrades: bool) -> ServiceError | None:
    """Return why a head is refused, or None: nothing in it is left to be guessed at.

    The names of `fields` are in lower case; `version` is that of HTTP.
    """
    names = [name for name, _ in fields]
    if len(target) > MAX_TARGET_BYTES:
        return TargetTooLongError()
    if len(names) > MAX_FIELDS:
        return HeadersTooLargeError()
    hosts = [value for name, value in fields if name == b"host"]
    sound = (
        version in _VERSIONS
        and (len(hosts) == 1 or (not hosts and version == "1.0"))
        and all(map(_HOST.fullmatch, hosts))
        and target.startswith(_FORMS)
        and (target.startswith(b"/") or b"@" not in target.split(b"/", 3)[2])
        and b"#" not in target
        and (b"transfer-encoding" not in names or _is_chunked(fields, version))
        and not (upgrades and has_body(fields))
    )
    return None if sound else MalformedRequestError()


def size(method: bytes, target: bytes, fields: Fields) -> int:
    """Return how many bytes a head has, at least."""
    lines = sum(len(name) + len(value) + len(b": \r\n") for name, value in fields)
    return len(method) + len(target) + len(b"  HTTP/1.1\r\n") + lines + len(b"\r\n")


def has_body(fields: Fields) -> bool:
    """Tell whether a body follows."""
    for name, value in fields:
        if name == b"transfer-encoding" or (name == b"content-length" and int(value)):
            return True
    return False


def _is_chunked(fields: Fields, version: str) -> bool:
    codings = [value for name, value in fields if name == b"transfer-encoding"]
    return version == "1.1" and [coding.strip().lower() for coding in codings] == [b"chunked"]
