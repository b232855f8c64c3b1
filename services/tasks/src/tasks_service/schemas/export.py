"""What `/api/v1/export` takes and answers."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from tasks_service.schemas.completion import CompletionRead
from tasks_service.schemas.list import ListRead
from tasks_service.schemas.query import QueryParameters
from tasks_service.schemas.task import TaskRead

ExportFormat = Literal["json", "csv", "ics"]
# Whoever changes what a document means gives it another number.
DOCUMENT_VERSION = 1
# No `date-time`, which has an offset (RFC 3339).
LocalTime = Annotated[datetime, WithJsonSchema({"type": "string"})]


class ExportQuery(QueryParameters):
    """Which kind of file."""

    format: ExportFormat = Field(
        default="json",
        description="`json` holds everything and `csv` the tasks, to be imported again; `ics` the"
        " tasks outside the trash, for calendars.",
    )


class ExportedTag(BaseModel):
    """A tag."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    version: int
    created_at: datetime
    updated_at: datetime


class ExportedTask(TaskRead):
    """A task, with what a recurring one's due cannot tell."""

    recurrence_local: LocalTime | None = Field(
        description="What calendar and clock were meant to show when it is due, like"
        " `2026-06-01T18:00:00`."
    )
    recurrence_number: int = Field(description="How many `COUNT` has counted with this due.")


class ExportedCompletion(CompletionRead):
    """That a recurring task was done once."""

    task_id: UUID


class ExportDocument(BaseModel):
    """Everything a user has, the trash included."""

    taskgate: Literal[1] = Field(description="The version of this form.")
    exported_at: datetime
    lists: list[ListRead]
    tags: list[ExportedTag]
    tasks: list[ExportedTask]
    completions: list[ExportedCompletion]
