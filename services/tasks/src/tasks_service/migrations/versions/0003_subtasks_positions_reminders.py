"""Subtasks, the order of tasks in a list, start times and reminders.

Safe beside the release before: what it inserts takes the defaults. It deletes a task with its
subtasks, for good, and leaves those of a completed or changed one alone, as this release does.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

_LIVE = sa.text("deleted_at IS NULL")
# The tasks there are stand in the order they were made, before all that will be.
_POSITIONS = """
UPDATE task SET position = lpad(to_hex(549755813888 + numbered.place), 10, '0')
FROM (
  SELECT user_id, id, row_number() OVER (PARTITION BY user_id ORDER BY created_at, id) AS place
  FROM task
) numbered
WHERE task.user_id = numbered.user_id AND task.id = numbered.id
"""


def upgrade() -> None:
    op.add_column("task", sa.Column("start_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "task",
        sa.Column("reminders", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
    )
    op.add_column("task", sa.Column("parent_id", sa.Uuid(), nullable=True))
    op.add_column(
        "task",
        sa.Column("position", sa.Text(collation="C"), server_default="8000000000", nullable=False),
    )
    op.execute(_POSITIONS)
    op.create_foreign_key(
        "fk_task_user_id_task",
        "task",
        "task",
        ["user_id", "parent_id"],
        ["user_id", "id"],
        ondelete="CASCADE",
    )
    _check("reminder_count", "cardinality(reminders) <= 10")
    _check("parent_other", "parent_id <> id")
    _check("position_length", "char_length(position) BETWEEN 10 AND 200")
    _index("position", ["position", "id"], _LIVE)
    _index("list_id_position", ["list_id", "position", "id"], _LIVE)
    _index("parent_id", ["parent_id"], sa.text("parent_id IS NOT NULL"))
    # A list has one user. Not knowing that, the planner takes a long list for a row or two, and
    # would rather sort it than read it in its order.
    op.execute("CREATE STATISTICS st_task_list (dependencies) ON user_id, list_id FROM task")


def downgrade() -> None:
    op.execute("DROP STATISTICS st_task_list")
    for name in ("parent_id", "list_id_position", "position"):
        op.drop_index(f"ix_task_user_id_{name}", "task")
    op.drop_constraint("fk_task_user_id_task", "task")
    for column in ("position", "parent_id", "reminders", "start_at"):
        op.drop_column("task", column)


def _check(name: str, condition: str) -> None:
    op.create_check_constraint(op.f(f"ck_task_{name}"), "task", condition)


def _index(name: str, columns: list[str], rows: sa.TextClause) -> None:
    op.create_index(f"ix_task_user_id_{name}", "task", ["user_id", *columns], postgresql_where=rows)
