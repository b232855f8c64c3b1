"""Base64url and JSON read strictly: one text for one value, and nothing repaired."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, NoReturn

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


def decode_base64url(text: str) -> bytes:
    """Decode non-empty, unpadded, canonical base64url (RFC 7515 §2).

    Raises `ValueError` for anything else.
    """
    if not _BASE64URL.fullmatch(text):
        raise ValueError("not base64url")
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # The last character can carry bits that belong to no byte: a second text for the same value.
    if urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise ValueError("not canonical base64url")
    return data


def load_json_object(data: bytes) -> dict[str, Any]:
    """Read a JSON object in UTF-8 (RFC 8259), its names unique at every depth.

    Raises `ValueError` for anything else, NaN and Infinity included.
    """
    try:
        value = json.loads(
            data.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - the text is wrong, not the caller.
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of two members with one name readers take either: what we check must be what others see.
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name appears twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
