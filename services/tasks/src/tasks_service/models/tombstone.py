"""The table of what is gone for good."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Text
from sqlmodel import Field

from tasks_service.models.base import Table
from tasks_service.models.column_types import UtcDateTime


class Tombstone(Table, table=True):
    """That something of a user's was removed, by `kind` (its table), for those who still have it.

    Triggers (migration 0010) write it, at the version at which clients are to learn of it: the
    one that put it into the trash, or else the one that removed it.
    """

    __table_args__ = (
        CheckConstraint("kind IN ('task', 'list', 'tag')", name="kind_known"),
        # Serves the removal of those that are old enough, of all users.
        Index("ix_tombstone_created_at", "created_at"),
    )

    # In this order it also serves the sync: a user's tombstones by version.
    user_id: str = Field(
        primary_key=True, max_length=255, foreign_key="account.user_id", ondelete="CASCADE"
    )
    version: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    kind: str = Field(sa_column=Column(Text(collation="C"), primary_key=True))
    id: UUID = Field(primary_key=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
