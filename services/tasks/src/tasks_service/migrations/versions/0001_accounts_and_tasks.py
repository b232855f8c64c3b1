"""Accounts with their version counter, and tasks."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

_INSTANT = sa.DateTime(timezone=True)
_DUE = "(due_on)::timestamp without time zone AT TIME ZONE 'UTC'::text"
_SORTS = ("created_at", "updated_at", "due_ascending", "due_descending", "priority", "title_key")


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("last_version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_account"),
    )
    op.create_table("task", *_task_columns(), *_task_constraints())
    for column in _SORTS:
        op.create_index(f"ix_task_user_id_{column}", "task", ["user_id", column, "id"])


def downgrade() -> None:
    op.drop_table("task")
    op.drop_table("account")


def _task_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("completed_at", _INSTANT, nullable=True),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("due_at", _INSTANT, nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("tag_keys", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        _generated("due_ascending", _INSTANT, _due_or("infinity")),
        _generated("due_descending", _INSTANT, _due_or("-infinity")),
        _generated("title_key", sa.Text(collation="C"), "lower(title)"),
    ]


def _task_constraints() -> list[sa.Constraint]:
    return [
        sa.PrimaryKeyConstraint("user_id", "id", name="pk_task"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["account.user_id"], name="fk_task_user_id_account", ondelete="CASCADE"
        ),
        _check("title_length", "char_length(title) BETWEEN 1 AND 200"),
        _check("description_length", "char_length(description) <= 10000"),
        _check("priority_known", "priority BETWEEN 0 AND 4"),
        _check("due_once", "num_nonnulls(due_on, due_at) <= 1"),
        _check("time_zone_of_instant", "time_zone IS NULL OR due_at IS NOT NULL"),
        _check(
            "tag_count", "cardinality(tags) <= 20 AND cardinality(tag_keys) = cardinality(tags)"
        ),
    ]


def _generated(name: str, kind: sa.types.TypeEngine[Any], expression: str) -> sa.Column[Any]:
    return sa.Column(name, kind, sa.Computed(expression, persisted=True), nullable=False)


def _due_or(otherwise: str) -> str:
    return f"COALESCE(due_at, ({_DUE}), '{otherwise}'::timestamp with time zone)"


def _check(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_task_{name}"))
