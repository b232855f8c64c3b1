"""Where a client stands in the order of its user's changes."""

import re
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from tasks_service.errors import InvalidCursorError
from tasks_service.schemas.sync import Kind

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_CURSOR = re.compile(
    rf"(?P<version>\d{{1,18}})(?:\.(?P<kind>task|list|tag)\.(?P<id>{_UUID})\.(?P<since>\d{{1,18}}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class SyncCursor:
    """Everything up to `version` is known, or with `kind` and `id` up to that change of it.

    What was gone at `since` the client never had.
    """

    version: int
    since: int
    kind: Kind | None = None
    id: UUID | None = None

    @classmethod
    def at(cls, version: int) -> Self:
        """Return the cursor of who knows everything up to a version."""
        return cls(version, version)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` made. Raises `InvalidCursorError`."""
        found = _CURSOR.fullmatch(text)
        if found is None:
            raise InvalidCursorError("this is none that a sync answered")
        version = int(found["version"])
        if found["kind"] is None:
            return cls.at(version)
        return cls(version, int(found["since"]), _KINDS[found["kind"]], UUID(found["id"]))

    def __str__(self) -> str:
        if self.kind is None:
            return str(self.version)
        return f"{self.version}.{self.kind}.{self.id}.{self.since}"


_KINDS: dict[str, Kind] = {"task": "task", "list": "list", "tag": "tag"}
