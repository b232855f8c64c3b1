"""Tags as tables, kept in step with the tags of tasks by a trigger.

Safe beside the release before: it writes tasks as ever, and the trigger does the rest.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_INSTANT = sa.DateTime(timezone=True)
# The first spelling of a tag is its name. What was renamed or merged already has its rows here,
# so that writing the tasks finds nothing left to do.
_LINK = """
CREATE FUNCTION link_task_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM task_tag USING tag
  WHERE task_tag.user_id = NEW.user_id AND task_tag.task_id = NEW.id
    AND tag.user_id = NEW.user_id AND tag.id = task_tag.tag_id AND tag.key <> ALL (NEW.tag_keys);
  INSERT INTO tag (user_id, id, key, name, version, created_at, updated_at)
  SELECT NEW.user_id, gen_random_uuid(), given.key, given.name, NEW.version, NEW.updated_at,
    NEW.updated_at
  FROM unnest(NEW.tag_keys, NEW.tags) AS given (key, name)
  ON CONFLICT (user_id, key) DO NOTHING;
  INSERT INTO task_tag (user_id, tag_id, task_id, created_at, updated_at)
  SELECT NEW.user_id, tag.id, NEW.id, NEW.updated_at, NEW.updated_at
  FROM tag WHERE tag.user_id = NEW.user_id AND tag.key = ANY (NEW.tag_keys)
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$
"""
_TRIGGERS = """
CREATE TRIGGER link_new_task_tags AFTER INSERT ON task
  FOR EACH ROW WHEN (NEW.tag_keys <> '{}') EXECUTE FUNCTION link_task_tags();
CREATE TRIGGER link_task_tags AFTER UPDATE OF tag_keys ON task
  FOR EACH ROW WHEN (OLD.tag_keys <> NEW.tag_keys) EXECUTE FUNCTION link_task_tags()
"""
_TAGS = """
INSERT INTO tag (user_id, id, key, name, version, created_at, updated_at)
SELECT DISTINCT ON (user_id, given.key)
  user_id, gen_random_uuid(), given.key, given.name, version, created_at, created_at
FROM task, unnest(tag_keys, tags) AS given (key, name)
ORDER BY user_id, given.key, created_at, id
"""
_TASK_TAGS = """
INSERT INTO task_tag (user_id, tag_id, task_id, created_at, updated_at)
SELECT task.user_id, tag.id, task.id, task.created_at, task.created_at
FROM task, unnest(tag_keys) AS given (key), tag
WHERE tag.user_id = task.user_id AND tag.key = given.key
"""


def upgrade() -> None:
    _create_tables()
    op.execute(_LINK)
    # From here on no task is written until all is done: creating a trigger locks the table.
    for trigger in _TRIGGERS.split(";"):
        op.execute(trigger)
    op.execute(_TAGS)
    op.execute(_TASK_TAGS)


def downgrade() -> None:
    op.execute("DROP TRIGGER link_new_task_tags ON task")
    op.execute("DROP TRIGGER link_task_tags ON task")
    op.execute("DROP FUNCTION link_task_tags()")
    op.drop_table("task_tag")
    op.drop_table("tag")


def _create_tables() -> None:
    op.create_table(
        "tag",
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "id", name="pk_tag"),
        sa.UniqueConstraint("user_id", "key", name="uq_tag_user_id_key"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["account.user_id"], name="fk_tag_user_id_account", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "task_tag",
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("tag_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "tag_id", "task_id", name="pk_task_tag"),
        _foreign_key("tag"),
        _foreign_key("task"),
    )
    op.create_index("ix_task_tag_user_id_task_id", "task_tag", ["user_id", "task_id"])


def _foreign_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["user_id", f"{table}_id"],
        [f"{table}.user_id", f"{table}.id"],
        name=f"fk_task_tag_user_id_{table}",
        ondelete="CASCADE",
    )
