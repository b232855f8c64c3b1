"""What `/api/v1/import` takes and answers: rows as an export has them, or with less in them.

What is stamped anew is taken and left aside, so that an export may be sent as it is.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field, StrictBool, StringConstraints

from tasks_service.schemas.body import RequestBody
from tasks_service.schemas.fields import Tag
from tasks_service.schemas.instant import DateText, InstantText, parse_local
from tasks_service.schemas.list import ListWrite
from tasks_service.schemas.query import QueryParameters
from tasks_service.schemas.task import TaskWrite

ImportIds = Literal["keep", "new"]
# Ten digits before the point, in the middle half: new rows find room on either side.
Position = Annotated[
    str, StringConstraints(pattern="^[4-9ab][0-9a-f]{9}([0-9a-f]{0,117}[1-9a-f])?$")
]
LocalText = Annotated[datetime, BeforeValidator(parse_local)]


class ImportFile(NamedTuple):
    """A file as it was sent, CSV or else JSON."""

    is_csv: bool
    content: bytes


class ImportQuery(QueryParameters):
    """How to take what the file holds."""

    ids: ImportIds = Field(
        default="keep", description="`new` gives everything an id of its own, to make copies."
    )


class ImportResult(BaseModel):
    """How many of each were made."""

    lists: int
    tags: int
    tasks: int
    completions: int


class ListRow(ListWrite):
    """A list."""

    id: UUID
    position: Position | None = None
    created_at: InstantText | None = None
    deleted_at: InstantText | None = None
    version: Any = Field(default=None, exclude=True)
    updated_at: Any = Field(default=None, exclude=True)


class TagRow(RequestBody):
    """A tag."""

    id: UUID | None = None
    name: Tag
    created_at: InstantText | None = None
    version: Any = Field(default=None, exclude=True)
    updated_at: Any = Field(default=None, exclude=True)


class TaskRow(TaskWrite):
    """A task; without an id it gets one."""

    id: UUID | None = None
    completed: StrictBool | None = None  # type: ignore[assignment]  # absent where completed_at says it
    completed_at: InstantText | None = None
    position: Position | None = None
    recurrence_local: LocalText | None = None
    recurrence_number: Annotated[int, Field(strict=True, ge=1, le=1000)] = 1
    created_at: InstantText | None = None
    deleted_at: InstantText | None = None
    version: Any = Field(default=None, exclude=True)
    updated_at: Any = Field(default=None, exclude=True)


class CompletionRow(RequestBody):
    """That a recurring task was done once."""

    id: UUID | None = None
    task_id: UUID
    due_on: DateText | None = None
    due_at: InstantText | None = None
    completed_at: InstantText
    version: Any = Field(default=None, exclude=True)
