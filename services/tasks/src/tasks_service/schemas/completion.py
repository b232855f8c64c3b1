"""Completions of recurring tasks as `/api/v1` answers them."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class CompletionRead(BaseModel):
    """That a recurring task was done once."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    due_on: date | None = Field(description="The due it was for, if that was a date.")
    due_at: datetime | None = Field(description="The due it was for, if that was an instant.")
    completed_at: datetime
    version: int = Field(description="Of the task, as completing it made it.")


class CompletionPage(BaseModel):
    """Some completions, and where the next ones begin."""

    items: list[CompletionRead]
    next_cursor: str | None = Field(description="Null on the last page.")
