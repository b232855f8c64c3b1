"""Tags as `/api/v1` takes and answers them."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tasks_service.schemas.body import Example, RequestBody
from tasks_service.schemas.fields import Tag


class TagRead(BaseModel):
    """A tag, and how many tasks have it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    task_count: int = Field(description="The trash left out.")
    version: int
    created_at: datetime
    updated_at: datetime


class TagPage(BaseModel):
    """Some tags, and where the next ones begin."""

    items: list[TagRead]
    next_cursor: str | None = Field(description="Null on the last page.")


class TagPatch(RequestBody):
    """The tag's new name."""

    example: ClassVar[Example] = {"name": "garden"}

    name: Tag
