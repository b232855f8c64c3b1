"""Where a client stands in the order of its user's changes."""

import re
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from tasks_service.errors import InvalidCursorError, ResyncRequiredError
from tasks_service.schemas.sync import Kind

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# Without an epoch it is from the release that had none.
_CURSOR = re.compile(
    r"(?:(?P<epoch>[0-9a-f]{8})\.)?(?P<version>\d{1,18})"
    rf"(?:\.(?P<kind>task|list|tag)\.(?P<id>{_UUID})\.(?P<since>\d{{1,18}}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class SyncCursor:
    """Everything up to `version` is known, or with `kind` and `id` up to that change of it.

    Versions are those of one `epoch`: None is no account's. What was gone at `since` the client
    never had.
    """

    epoch: str | None
    version: int
    since: int
    kind: Kind | None = None
    id: UUID | None = None

    @classmethod
    def at(cls, epoch: str | None, version: int) -> Self:
        """Return the cursor of who knows everything up to a version."""
        return cls(epoch, version, version)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` made. Raises `InvalidCursorError`."""
        found = _CURSOR.fullmatch(text)
        if found is None:
            raise InvalidCursorError("this is none that a sync answered")
        epoch, version = found["epoch"], int(found["version"])
        if found["kind"] is None:
            return cls.at(epoch, version)
        return cls(epoch, version, int(found["since"]), _KINDS[found["kind"]], UUID(found["id"]))

    def __str__(self) -> str:
        if self.epoch is None:
            return "0"
        if self.kind is None:
            return f"{self.epoch}.{self.version}"
        return f"{self.epoch}.{self.version}.{self.kind}.{self.id}.{self.since}"

    def require_known(self, last: "SyncCursor") -> None:
        """Return if a user whose writes stand at `last` may have been given this.

        Raises `ResyncRequiredError` for one of another epoch, and `InvalidCursorError` for one
        that no write has come to.
        """
        # Who knows nothing misses nothing.
        if self.version and (self.epoch is None or self.epoch != last.epoch):
            raise ResyncRequiredError
        if max(self.version, self.since) > last.version:
            raise InvalidCursorError("no write of yours has come to this one")


NOTHING = SyncCursor.at(None, 0)
_KINDS: dict[str, Kind] = {"task": "task", "list": "list", "tag": "tag"}
