"""If-Match, held against what stands."""

from typing import Any, Protocol

from tasks_service.errors import PreconditionFailedError
from tasks_service.schemas.entity_tags import EntityTags


class Versioned(Protocol):
    """A schema of what has a version, which is also its ETag."""

    version: int

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """Return it as JSON has it."""


def require_match(current: Versioned, if_match: EntityTags | None) -> None:
    """Return if the condition holds or there is none. Raises `PreconditionFailedError`."""
    if if_match is not None and not if_match.match(current.version):
        raise PreconditionFailedError(current.model_dump(mode="json"))
