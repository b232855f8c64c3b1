"""The table of completions."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index
from sqlmodel import Field

from tasks_service.models.base import Table
from tasks_service.models.column_types import UtcDateTime


class Completion(Table, table=True):
    """That a recurring task was done once: the due it was for, and the version that made it."""

    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "task_id"], ["task.user_id", "task.id"], ondelete="CASCADE"
        ),
        CheckConstraint("num_nonnulls(due_on, due_at) = 1", name="due_once"),
        # Serves the completions of one task, the latest first, and the foreign key.
        Index(
            "ix_completion_user_id_task_id_completed_at",
            "user_id",
            "task_id",
            "completed_at",
            "id",
        ),
        # Serves the number of completions on each of the last days.
        Index("ix_completion_user_id_completed_at", "user_id", "completed_at", "task_id"),
    )

    user_id: str = Field(primary_key=True, max_length=255)
    id: UUID = Field(primary_key=True)
    task_id: UUID
    due_on: date | None
    due_at: datetime | None = Field(sa_type=UtcDateTime)
    completed_at: datetime = Field(sa_type=UtcDateTime)
    version: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
