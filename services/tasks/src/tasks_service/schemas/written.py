"""What was written, to be answered again."""

from typing import NamedTuple
from uuid import UUID


class Written(NamedTuple):
    """A task or list, or many, as they were answered when written, even by the release before."""

    id: UUID
    version: int
    json: str
