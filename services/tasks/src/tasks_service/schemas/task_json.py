"""Tasks as they are read: what `TaskRead` documents, put together and written without checks.

The database holds nothing that was not checked on its way in, and Pydantic takes twenty times as
long for the same bytes.
"""

from datetime import date, datetime
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from tasks_service.priority import Priority


class TaskJson(Struct):
    """A task, its fields in the order in which they are read."""

    id: UUID
    title: str
    description: str | None
    completed: bool
    completed_at: datetime | None
    priority: Priority
    due_on: date | None
    due_at: datetime | None
    time_zone: str | None
    start_at: datetime | None
    reminders: list[str]
    recurrence: str | None
    recurrence_from: str
    tags: list[str]
    list_id: UUID | None
    parent_id: UUID | None
    position: str
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class TaskPageJson(Struct):
    """A `TaskPage`, or with `changes_at` a `TaskView`; what is not set is left out."""

    items: list[TaskJson]
    next_cursor: str | None
    count: int | UnsetType = UNSET
    count_exact: bool | UnsetType = UNSET
    changes_at: datetime | UnsetType = UNSET
