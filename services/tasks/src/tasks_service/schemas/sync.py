"""Changes as `/api/v1` tells them."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tasks_service.schemas.list import ListRead
from tasks_service.schemas.query import QueryParameters
from tasks_service.schemas.task import TaskRead

Kind = Literal["task", "list", "tag"]
Op = Literal["upsert", "delete"]
_OBJECT = "As it is now; null if it is gone."


class SyncedTag(BaseModel):
    """A tag; how many tasks have it, the client's own tasks tell."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    version: int
    created_at: datetime
    updated_at: datetime


class Change(BaseModel):
    """That something is new, different or gone since the version before."""

    kind: Kind
    op: Op
    id: UUID
    version: int = Field(description="The write that changed it last.")


class TaskChange(Change):
    """A change of a task; in the trash it is gone."""

    kind: Literal["task"]
    object: TaskRead | None = Field(description=_OBJECT)


class ListChange(Change):
    """A change of a list; in the trash it is gone."""

    kind: Literal["list"]
    object: ListRead | None = Field(description=_OBJECT)


class TagChange(Change):
    """A change of a tag."""

    kind: Literal["tag"]
    object: SyncedTag | None = Field(description=_OBJECT)


AnyChange = Annotated[TaskChange | ListChange | TagChange, Field(discriminator="kind")]


class ChangeEvent(BaseModel):
    """The data of an event `change`."""

    change: AnyChange
    client_id: str | None = Field(description="`X-Client-Id` of who wrote it, if that is known.")


class SyncPage(BaseModel):
    """Some changes, oldest first, and from where to ask for the next ones."""

    changes: list[AnyChange]
    cursor: str
    has_more: bool


class EventsQuery(QueryParameters):
    """From where."""

    cursor: str | None = Field(
        default=None,
        description="`cursor` of a sync; `Last-Event-ID` goes before it. By default from now.",
    )


class SyncQuery(QueryParameters):
    """From where, and how many."""

    limit: Annotated[int, Field(ge=1, le=500)] = 200
    cursor: str | None = Field(
        default=None, description="`cursor` of the page before, or an `X-Sync-Cursor`."
    )
