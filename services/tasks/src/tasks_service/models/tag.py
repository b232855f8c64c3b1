"""The tables of tags, and of which task has which."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, Text, UniqueConstraint
from sqlmodel import Field

from tasks_service.models.base import Table
from tasks_service.models.column_types import UtcDateTime


class Tag(Table, table=True):
    """A tag of a user; `key` is its name, case folded.

    A trigger on `task` (migration 0004) adds what tasks are tagged with; others (migration 0015)
    keep `task_count`, the number of live tasks that have it.
    """

    __table_args__ = (
        # Serves a user's tags in order, and finds one by its name.
        UniqueConstraint("user_id", "key", name="uq_tag_user_id_key"),
        # Serves the sync: what changed, in the order of the versions.
        Index("ix_tag_user_id_version", "user_id", "version", "id"),
    )

    user_id: str = Field(
        primary_key=True, max_length=255, foreign_key="account.user_id", ondelete="CASCADE"
    )
    id: UUID = Field(primary_key=True)
    key: str = Field(sa_column=Column(Text(collation="C"), nullable=False))
    name: str = Field(sa_type=Text)
    # The server's default is for tags that triggers and the release before make.
    task_count: int = Field(
        default=0, sa_column=Column(BigInteger, nullable=False, server_default="0")
    )
    version: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)


class TaskTag(Table, table=True):
    """That a task has a tag: an index of `task.tag_keys`, kept by the same trigger."""

    __tablename__ = "task_tag"
    __table_args__ = (
        ForeignKeyConstraint(["user_id", "tag_id"], ["tag.user_id", "tag.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(
            ["user_id", "task_id"], ["task.user_id", "task.id"], ondelete="CASCADE"
        ),
        # Serves the tags of one task, and the foreign key.
        Index("ix_task_tag_user_id_task_id", "user_id", "task_id"),
    )

    user_id: str = Field(primary_key=True, max_length=255)
    tag_id: UUID = Field(primary_key=True)
    task_id: UUID = Field(primary_key=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
