"""Cursors: where a page ended, sealed so that only the same user and query can go on from it."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from uuid import UUID

from tasks_service.errors import InvalidCursorError

_PURPOSE = b"taskgate list cursor"


class CursorSealer:
    """Makes and opens cursors of the form `<position>.<MAC>`, both base64url.

    The first key seals; a cursor sealed with any of the others still opens.
    """

    def __init__(self, identity_keys: Sequence[bytes]) -> None:
        # A key of its own, so that a cursor can never pass for an identity.
        self._keys = [hmac.digest(key, _PURPOSE, "sha256") for key in identity_keys]

    def seal(self, user_id: str, query: str, sort_key: str, task_id: UUID) -> str:
        """Return the cursor of the place after this task, for one user and query."""
        position = _encode(json.dumps([sort_key, str(task_id)]).encode())
        return f"{position}.{_mac(self._keys[0], user_id, query, position)}"

    def open(self, user_id: str, query: str, cursor: str) -> tuple[str, UUID]:
        """Return the sort key and id in a cursor.

        Raises `InvalidCursorError` if it was not sealed for this user and query.
        """
        position, _, mac = cursor.partition(".")
        # As text, not decoded: base64 has several spellings of the same bytes.
        given = mac.encode(errors="replace")
        if not any(
            hmac.compare_digest(_mac(key, user_id, query, position).encode(), given)
            for key in self._keys
        ):
            raise InvalidCursorError
        sort_key, task_id = json.loads(urlsafe_b64decode(position + "=" * (-len(position) % 4)))
        return sort_key, UUID(task_id)


def _mac(key: bytes, user_id: str, query: str, position: str) -> str:
    message = json.dumps([user_id, query, position]).encode()
    return _encode(hmac.digest(key, message, "sha256"))


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
