"""The table of tasks."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlmodel import Field

from tasks_service.models.base import Table, utc_time
from tasks_service.models.column_types import PriorityRank, UtcDateTime
from tasks_service.priority import Priority

_DUE = "(due_on)::timestamp without time zone AT TIME ZONE 'UTC'::text"


def _due_or(otherwise: str) -> Computed:
    # Spelled as PostgreSQL gives it back, so that Alembic sees no difference.
    return Computed(
        f"COALESCE(due_at, ({_DUE}), '{otherwise}'::timestamp with time zone)", persisted=True
    )


def _live(column: str) -> Index:
    # Of live tasks alone, so that a full trash costs nobody a longer scan.
    return Index(
        f"ix_task_user_id_{column}",
        "user_id",
        column,
        "id",
        postgresql_where=text("deleted_at IS NULL"),
    )


class Task(Table, table=True):
    """One thing a user wants to get done.

    `due_ascending`, `due_descending` and `title_key` are what lists sort by: no due time comes
    last either way, and upper and lower case together. `tag_keys` are the tags, case folded.
    What was deleted together has the same `deleted_at`. `field_versions` has the version that
    wrote each field that changed, and under `id` the first one. `recurrence_local` and
    `recurrence_number` are what a recurring task's due cannot tell (migration 0009).
    """

    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "list_id"], ["list.user_id", "list.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["user_id", "parent_id"], ["task.user_id", "task.id"], ondelete="CASCADE"
        ),
        CheckConstraint("char_length(title) BETWEEN 1 AND 200", name="title_length"),
        CheckConstraint("char_length(description) <= 10000", name="description_length"),
        CheckConstraint("priority BETWEEN 0 AND 4", name="priority_known"),
        CheckConstraint("num_nonnulls(due_on, due_at) <= 1", name="due_once"),
        CheckConstraint("time_zone IS NULL OR due_at IS NOT NULL", name="time_zone_of_instant"),
        CheckConstraint(
            "cardinality(tags) <= 20 AND cardinality(tag_keys) = cardinality(tags)",
            name="tag_count",
        ),
        CheckConstraint("cardinality(reminders) <= 10", name="reminder_count"),
        CheckConstraint("recurrence_from IN ('due', 'completion')", name="recurrence_from_known"),
        CheckConstraint(
            "recurrence IS NULL OR due_on IS NOT NULL AND recurrence NOT LIKE '%UNTIL=%Z'"
            " OR time_zone IS NOT NULL AND recurrence NOT LIKE '%UNTIL=________'",
            name="recurrence_of_due",
        ),
        CheckConstraint("parent_id <> id", name="parent_other"),
        CheckConstraint("char_length(position) BETWEEN 10 AND 200", name="position_length"),
        # Each serves one sort of the list, read forwards or backwards: a user's tasks, in order.
        _live("created_at"),
        _live("updated_at"),
        _live("due_ascending"),
        _live("due_descending"),
        _live("priority"),
        _live("title_key"),
        _live("position"),
        # Serve the sync: what changed, in the order of the versions, live and in the trash.
        _live("version"),
        Index(
            "ix_task_user_id_trashed_version",
            "user_id",
            "version",
            "id",
            postgresql_where=text("deleted_at IS NOT NULL"),
        ),
        # Serves the search; each word in it begins with its user (migration 0007).
        Index(
            "ix_task_search",
            "search",
            postgresql_using="gin",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        # Serves the tasks of one list in their order, and the neighbours of one.
        Index(
            "ix_task_user_id_list_id_position",
            "user_id",
            "list_id",
            "position",
            "id",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        # Serves the number of tasks completed on each of the last days.
        Index(
            "ix_task_user_id_completed_at",
            "user_id",
            "completed_at",
            postgresql_where=text("completed_at IS NOT NULL AND deleted_at IS NULL"),
        ),
        # Serves the views, which are of open tasks that are due, and their numbers.
        Index(
            "ix_task_user_id_open_due",
            "user_id",
            "due_ascending",
            "id",
            postgresql_include=["due_on", "due_at"],
            postgresql_where=text(
                "(due_on IS NOT NULL OR due_at IS NOT NULL) AND completed_at IS NULL"
                " AND deleted_at IS NULL"
            ),
        ),
        # Serves the subtasks of a task, in the trash too, and the foreign key.
        Index(
            "ix_task_user_id_parent_id",
            "user_id",
            "parent_id",
            postgresql_where=text("parent_id IS NOT NULL"),
        ),
        # Serves the trash, deleted last first.
        Index(
            "ix_task_user_id_deleted_at",
            "user_id",
            "deleted_at",
            "id",
            postgresql_where=text("deleted_at IS NOT NULL"),
        ),
        # Serves the removal of what has been in the trash for long, of all users.
        Index(
            "ix_task_deleted_at",
            utc_time("deleted_at"),
            postgresql_where=text("deleted_at IS NOT NULL"),
        ),
        # Serves the tasks of one list, in the trash too, and the foreign key.
        Index(
            "ix_task_user_id_list_id",
            "user_id",
            "list_id",
            postgresql_where=text("list_id IS NOT NULL"),
        ),
    )

    user_id: str = Field(
        primary_key=True, max_length=255, foreign_key="account.user_id", ondelete="CASCADE"
    )
    id: UUID = Field(primary_key=True)
    title: str = Field(sa_type=Text)
    description: str | None = Field(sa_type=Text)
    completed_at: datetime | None = Field(sa_type=UtcDateTime)
    priority: Priority = Field(sa_type=PriorityRank)
    due_on: date | None
    due_at: datetime | None = Field(sa_type=UtcDateTime)
    time_zone: str | None = Field(sa_type=Text)
    start_at: datetime | None = Field(sa_type=UtcDateTime)
    # The server's defaults are for the release before, which does not write these.
    reminders: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False, server_default="{}"))
    recurrence: str | None = Field(sa_type=Text)
    recurrence_from: str = Field(sa_column=Column(Text, nullable=False, server_default="due"))
    recurrence_local: datetime | None = Field(sa_type=DateTime)
    recurrence_number: int = Field(sa_column=Column(Integer, nullable=False, server_default="1"))
    tags: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    tag_keys: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    list_id: UUID | None
    parent_id: UUID | None
    position: str = Field(
        sa_column=Column(Text(collation="C"), nullable=False, server_default="8000000000")
    )
    version: int = Field(sa_type=BigInteger)
    field_versions: dict[str, int] = Field(
        sa_column=Column(JSONB, nullable=False, server_default="{}")
    )
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
    deleted_at: datetime | None = Field(sa_type=UtcDateTime)
    due_ascending: datetime = Field(
        sa_column=Column(UtcDateTime, _due_or("infinity"), nullable=False)
    )
    due_descending: datetime = Field(
        sa_column=Column(UtcDateTime, _due_or("-infinity"), nullable=False)
    )
    title_key: str = Field(
        sa_column=Column(
            Text(collation="C"), Computed("lower(title)", persisted=True), nullable=False
        )
    )
    search: str = Field(
        sa_column=Column(
            TSVECTOR,
            Computed("user_words((user_id)::text, title, description)", persisted=True),
            nullable=False,
        )
    )
