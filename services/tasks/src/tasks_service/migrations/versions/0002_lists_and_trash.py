"""Lists, and the trash for them and for tasks.

Safe beside the release before: its inserts leave the new columns null. What it deletes is gone
at once, and it shows what is in the trash.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_INSTANT = sa.DateTime(timezone=True)
_SORTS = ("created_at", "updated_at", "due_ascending", "due_descending", "priority", "title_key")
_LIVE = sa.text("deleted_at IS NULL")
_DELETED = sa.text("deleted_at IS NOT NULL")


def upgrade() -> None:
    _create_list()
    op.add_column("task", sa.Column("list_id", sa.Uuid(), nullable=True))
    op.add_column("task", sa.Column("deleted_at", _INSTANT, nullable=True))
    op.create_foreign_key(
        "fk_task_user_id_list",
        "task",
        "list",
        ["user_id", "list_id"],
        ["user_id", "id"],
        ondelete="CASCADE",
    )
    for column in _SORTS:
        op.drop_index(f"ix_task_user_id_{column}", "task")
        _index_task(column, _LIVE)
    _index_task("deleted_at", _DELETED)
    op.create_index(
        "ix_task_user_id_list_id",
        "task",
        ["user_id", "list_id"],
        postgresql_where=sa.text("list_id IS NOT NULL"),
    )


def downgrade() -> None:
    # What was deleted must not come back.
    op.execute("DELETE FROM task WHERE deleted_at IS NOT NULL")
    op.drop_index("ix_task_user_id_list_id", "task")
    op.drop_index("ix_task_user_id_deleted_at", "task")
    for column in _SORTS:
        op.drop_index(f"ix_task_user_id_{column}", "task")
        _index_task(column, None)
    op.drop_constraint("fk_task_user_id_list", "task")
    op.drop_column("task", "deleted_at")
    op.drop_column("task", "list_id")
    op.drop_table("list")


def _create_list() -> None:
    op.create_table(
        "list",
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("colour", sa.Text(), nullable=True),
        sa.Column("position", sa.Text(collation="C"), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.Column("deleted_at", _INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("user_id", "id", name="pk_list"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["account.user_id"], name="fk_list_user_id_account", ondelete="CASCADE"
        ),
        _check("name_length", "char_length(name) BETWEEN 1 AND 100"),
        _check("colour_form", "colour ~ '^#[0-9a-f]{6}$'"),
        _check("position_length", "char_length(position) BETWEEN 10 AND 200"),
    )
    for column, rows in (("position", _LIVE), ("deleted_at", _DELETED)):
        op.create_index(
            f"ix_list_user_id_{column}", "list", ["user_id", column, "id"], postgresql_where=rows
        )


def _index_task(column: str, rows: sa.TextClause | None) -> None:
    op.create_index(
        f"ix_task_user_id_{column}", "task", ["user_id", column, "id"], postgresql_where=rows
    )


def _check(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_list_{name}"))
