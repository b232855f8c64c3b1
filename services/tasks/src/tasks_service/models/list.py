"""The table of lists."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Text, text
from sqlmodel import Field

from tasks_service.models.base import Table, utc_time
from tasks_service.models.column_types import UtcDateTime


class TaskList(Table, table=True):
    """What a user sorts tasks into; `position` orders them, bytewise."""

    __tablename__ = "list"
    __table_args__ = (
        CheckConstraint("char_length(name) BETWEEN 1 AND 100", name="name_length"),
        CheckConstraint("colour ~ '^#[0-9a-f]{6}$'", name="colour_form"),
        CheckConstraint("char_length(position) BETWEEN 10 AND 200", name="position_length"),
        # Serves a user's lists in order, and the neighbours of one.
        Index(
            "ix_list_user_id_position",
            "user_id",
            "position",
            "id",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        # Serves the lists in the trash, deleted last first.
        Index(
            "ix_list_user_id_deleted_at",
            "user_id",
            "deleted_at",
            "id",
            postgresql_where=text("deleted_at IS NOT NULL"),
        ),
        # Serves the removal of what has been in the trash for long, of all users.
        Index(
            "ix_list_deleted_at",
            utc_time("deleted_at"),
            postgresql_where=text("deleted_at IS NOT NULL"),
        ),
    )

    user_id: str = Field(
        primary_key=True, max_length=255, foreign_key="account.user_id", ondelete="CASCADE"
    )
    id: UUID = Field(primary_key=True)
    name: str = Field(sa_type=Text)
    colour: str | None = Field(sa_type=Text)
    position: str = Field(sa_column=Column(Text(collation="C"), nullable=False))
    archived: bool
    version: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
    deleted_at: datetime | None = Field(sa_type=UtcDateTime)
