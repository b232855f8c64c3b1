"""The table of how many tasks there are."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, UniqueConstraint
from sqlmodel import Field

from tasks_service.models.base import Table
from tasks_service.models.column_types import PriorityRank, UtcDateTime
from tasks_service.priority import Priority


class TaskCount(Table, table=True):
    """How many live tasks of a priority a list has, or no list.

    Triggers on `task` (migration 0015) keep it, and `task_count` of tags. A row whose tasks are
    gone stays, with nothing in it, until its list goes.
    """

    __tablename__ = "task_count"
    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "list_id"], ["list.user_id", "list.id"], ondelete="CASCADE"
        ),
        # Serves the numbers of a user, the triggers, and the foreign key. No list is one place.
        UniqueConstraint(
            "user_id",
            "list_id",
            "priority",
            name="uq_task_count_user_id_list_id_priority",
            postgresql_nulls_not_distinct=True,
        ),
    )

    user_id: str = Field(
        primary_key=True, max_length=255, foreign_key="account.user_id", ondelete="CASCADE"
    )
    id: UUID = Field(primary_key=True)
    list_id: UUID | None
    priority: Priority = Field(sa_type=PriorityRank)
    open: int = Field(sa_type=BigInteger)
    completed: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
