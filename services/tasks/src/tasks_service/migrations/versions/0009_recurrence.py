"""Recurring tasks, and the record of their completions.

Safe beside the release before: what it inserts takes the defaults, and it leaves the new columns
alone. Where it moves a due, a trigger starts the recurrence anew, or clears a rule that does not
go with the new due. What it completes is completed for good.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_INSTANT = sa.DateTime(timezone=True)
_OF_DUE = """{row}recurrence IS NULL
  OR {row}due_on IS NOT NULL AND {row}recurrence NOT LIKE '%UNTIL=%Z'
  OR {row}time_zone IS NOT NULL AND {row}recurrence NOT LIKE '%UNTIL=________'"""
# Where clocks skip the time that was meant, the due alone does not tell it: so it is kept.
_START = f"""
CREATE FUNCTION start_recurrence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.recurrence_local := NULL;
  NEW.recurrence_number := 1;
  IF NOT ({_OF_DUE.format(row="NEW.")}) THEN
    NEW.recurrence := NULL;
  END IF;
  RETURN NEW;
END $$
"""
# Whoever goes on with a recurrence writes a new number beside the new due.
_TRIGGER = """
CREATE TRIGGER start_recurrence BEFORE UPDATE OF due_on, due_at, time_zone ON task
  FOR EACH ROW WHEN (
    NEW.recurrence IS NOT DISTINCT FROM OLD.recurrence AND NEW.recurrence IS NOT NULL
    AND (NEW.recurrence_local, NEW.recurrence_number)
      IS NOT DISTINCT FROM (OLD.recurrence_local, OLD.recurrence_number)
    AND (NEW.due_on, NEW.due_at, NEW.time_zone)
      IS DISTINCT FROM (OLD.due_on, OLD.due_at, OLD.time_zone)
  ) EXECUTE FUNCTION start_recurrence()
"""


def upgrade() -> None:
    op.add_column("task", sa.Column("recurrence", sa.Text(), nullable=True))
    op.add_column(
        "task", sa.Column("recurrence_from", sa.Text(), server_default="due", nullable=False)
    )
    op.add_column("task", sa.Column("recurrence_local", sa.DateTime(), nullable=True))
    op.add_column(
        "task", sa.Column("recurrence_number", sa.Integer(), server_default="1", nullable=False)
    )
    _check("recurrence_from_known", "recurrence_from IN ('due', 'completion')")
    _check("recurrence_of_due", _OF_DUE.format(row=""))
    # Not op.execute, which would read := as a parameter.
    op.get_bind().exec_driver_sql(_START)
    op.execute(_TRIGGER)
    op.create_table(
        "completion",
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("due_at", _INSTANT, nullable=True),
        sa.Column("completed_at", _INSTANT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "id", name="pk_completion"),
        sa.ForeignKeyConstraint(
            ["user_id", "task_id"],
            ["task.user_id", "task.id"],
            name="fk_completion_user_id_task",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("num_nonnulls(due_on, due_at) = 1", name=op.f("ck_completion_due_once")),
    )
    op.create_index(
        "ix_completion_user_id_task_id_completed_at",
        "completion",
        ["user_id", "task_id", "completed_at", "id"],
    )


def downgrade() -> None:
    op.drop_table("completion")
    op.execute("DROP TRIGGER start_recurrence ON task")
    op.execute("DROP FUNCTION start_recurrence()")
    for name in ("recurrence_of_due", "recurrence_from_known"):
        op.drop_constraint(op.f(f"ck_task_{name}"), "task")
    for column in ("number", "local", "from"):
        op.drop_column("task", f"recurrence_{column}")
    op.drop_column("task", "recurrence")


def _check(name: str, condition: str) -> None:
    op.create_check_constraint(op.f(f"ck_task_{name}"), "task", condition)
