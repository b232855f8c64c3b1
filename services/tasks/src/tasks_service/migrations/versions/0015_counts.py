"""Numbers of tasks, kept as tasks are written: of each tag, and of each list and priority.

Safe beside the release before: triggers count what it writes, cascades included, and it reads
none of it. Nobody writes, nor reads tags, while the tasks there are are counted: about ten seconds
a million.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_INSTANT = sa.DateTime(timezone=True)
# Each delta is written by its key: joined to the tables, one plan would have to do for one task
# and for thousands. What is gone for good may be so with its list or account, whose numbers go
# too: so only what is added is inserted.
_COUNT = """
CREATE FUNCTION count_{name}_tasks() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE delta record;
BEGIN
  FOR delta IN
    SELECT user_id, list_id, priority, sum(n) FILTER (WHERE completed_at IS NULL) AS open,
      sum(n) FILTER (WHERE completed_at IS NOT NULL) AS completed
    FROM ({tasks}) AS task WHERE deleted_at IS NULL
    GROUP BY user_id, list_id, priority
  LOOP
    CONTINUE WHEN coalesce(delta.open, 0) = 0 AND coalesce(delta.completed, 0) = 0;
    {write}
  END LOOP;
  FOR delta IN
    SELECT user_id, key, sum(n) AS number FROM ({tasks}) AS task, unnest(tag_keys) AS given (key)
    WHERE deleted_at IS NULL GROUP BY user_id, key HAVING sum(n) <> 0
  LOOP
    UPDATE tag SET task_count = task_count + delta.number
    WHERE user_id = delta.user_id AND key = delta.key;
  END LOOP;
  RETURN NULL;
END $$
"""
_ADD = """INSERT INTO task_count AS count
      (user_id, id, list_id, priority, open, completed, created_at, updated_at)
    VALUES (delta.user_id, gen_random_uuid(), delta.list_id, delta.priority,
      coalesce(delta.open, 0), coalesce(delta.completed, 0), now(), now())
    ON CONFLICT (user_id, list_id, priority) DO UPDATE SET open = count.open + excluded.open,
      completed = count.completed + excluded.completed, updated_at = now();"""
_TAKE = """UPDATE task_count SET open = open + coalesce(delta.open, 0),
      completed = completed + coalesce(delta.completed, 0), updated_at = now()
    WHERE user_id = delta.user_id AND priority = delta.priority
      AND (list_id = delta.list_id OR list_id IS NULL AND delta.list_id IS NULL);"""
_COLUMNS = "user_id, list_id, priority, completed_at, deleted_at, tag_keys"
_AFTER = f"SELECT {_COLUMNS}, 1 AS n FROM after"  # noqa: S608 - put together from constants
_BEFORE = f"SELECT {_COLUMNS}, -1 AS n FROM before"  # noqa: S608 - as above
_TRIGGERS = {
    "new": ("INSERT", "NEW TABLE AS after", _AFTER, _ADD),
    "changed": (
        "UPDATE",
        "OLD TABLE AS before NEW TABLE AS after",
        f"{_AFTER} UNION ALL {_BEFORE}",
        _ADD,
    ),
    "gone": ("DELETE", "OLD TABLE AS before", _BEFORE, _TAKE),
}
_TRIGGER = """
CREATE TRIGGER count_{name}_tasks AFTER {event} ON task REFERENCING {tables}
  FOR EACH STATEMENT EXECUTE FUNCTION count_{name}_tasks()
"""
# A tag's number is that of the tasks with its key: with another's, it takes that one's over, and
# the tasks that get the key are counted as they are written.
_RENAME = """
CREATE FUNCTION count_renamed_tag() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  SELECT count(*) INTO NEW.task_count FROM task_tag, task
  WHERE task_tag.user_id = NEW.user_id AND task_tag.tag_id = NEW.id
    AND task.user_id = NEW.user_id AND task.id = task_tag.task_id
    AND task.deleted_at IS NULL AND NEW.key = ANY (task.tag_keys);
  RETURN NEW;
END $$
"""
_RENAMED = """
CREATE TRIGGER count_renamed_tag BEFORE UPDATE OF key ON tag
  FOR EACH ROW WHEN (OLD.key <> NEW.key) EXECUTE FUNCTION count_renamed_tag()
"""
_TASKS = """
INSERT INTO task_count
SELECT user_id, gen_random_uuid(), list_id, priority, count(*) FILTER (WHERE completed_at IS NULL),
  count(completed_at), now(), now()
FROM task WHERE deleted_at IS NULL GROUP BY user_id, list_id, priority
"""
_TAGS = """
UPDATE tag SET task_count = tagged.number
FROM (
  SELECT user_id, key, count(*) AS number FROM task, unnest(tag_keys) AS given (key)
  WHERE deleted_at IS NULL GROUP BY user_id, key
) AS tagged
WHERE tag.user_id = tagged.user_id AND tag.key = tagged.key
"""


# Every write begins there. With the tables locked in any other order one that has begun and we
# might wait for each other.
_WAIT_FOR_WRITES = "LOCK TABLE account IN EXCLUSIVE MODE"


def upgrade() -> None:
    op.execute(_WAIT_FOR_WRITES)
    _create_table()
    op.add_column(
        "tag", sa.Column("task_count", sa.BigInteger(), server_default="0", nullable=False)
    )
    for name, (event, tables, tasks, write) in _TRIGGERS.items():
        op.execute(_COUNT.format(name=name, tasks=tasks, write=write))
        op.execute(_TRIGGER.format(name=name, event=event, tables=tables))
    op.execute(_RENAME)
    op.execute(_RENAMED)
    op.execute(_TASKS)
    op.execute(_TAGS)
    op.create_index(
        "ix_task_user_id_open_due",
        "task",
        ["user_id", "due_ascending", "id"],
        postgresql_include=["due_on", "due_at"],
        postgresql_where=sa.text(
            "(due_on IS NOT NULL OR due_at IS NOT NULL) AND completed_at IS NULL"
            " AND deleted_at IS NULL"
        ),
    )
    op.create_index(
        "ix_completion_user_id_completed_at", "completion", ["user_id", "completed_at", "task_id"]
    )


def downgrade() -> None:
    op.execute(_WAIT_FOR_WRITES)
    op.drop_index("ix_completion_user_id_completed_at", "completion")
    op.drop_index("ix_task_user_id_open_due", "task")
    op.execute("DROP TRIGGER count_renamed_tag ON tag")
    op.execute("DROP FUNCTION count_renamed_tag()")
    for name in _TRIGGERS:
        op.execute(f"DROP TRIGGER count_{name}_tasks ON task")
        op.execute(f"DROP FUNCTION count_{name}_tasks()")
    op.drop_column("tag", "task_count")
    op.drop_table("task_count")


def _create_table() -> None:
    op.create_table(
        "task_count",
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("list_id", sa.Uuid(), nullable=True),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("open", sa.BigInteger(), nullable=False),
        sa.Column("completed", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "id", name="pk_task_count"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["account.user_id"],
            name="fk_task_count_user_id_account",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id", "list_id"],
            ["list.user_id", "list.id"],
            name="fk_task_count_user_id_list",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint(
            "user_id",
            "list_id",
            "priority",
            name="uq_task_count_user_id_list_id_priority",
            postgresql_nulls_not_distinct=True,
        ),
    )
