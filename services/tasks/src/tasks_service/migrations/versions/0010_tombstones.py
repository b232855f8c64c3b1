"""Tombstones, and what reads changes in the order of their versions.

Safe beside the release before: triggers bury what it removes, cascades included. Of what was
removed earlier nothing tells, so no cursor from before this migration counts.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_INSTANT = sa.DateTime(timezone=True)
_NOW = "account.last_version"
# Out of the trash it goes where clients learned that it was deleted: they need no second notice.
_THEN = f"CASE WHEN gone.deleted_at IS NULL THEN {_NOW} ELSE gone.version END"
_VERSIONS = {"task": _THEN, "list": _THEN, "tag": _NOW}
# With the account itself gone there is nobody left to tell.
_BURY = """
CREATE FUNCTION bury_{kind}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO tombstone (user_id, version, kind, id, created_at, updated_at)
  SELECT gone.user_id, {version}, '{kind}', gone.id, now(), now()
  FROM gone JOIN account ON account.user_id = gone.user_id
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$
"""
_TRIGGER = """
CREATE TRIGGER bury_{kind} AFTER DELETE ON {kind} REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION bury_{kind}()
"""
_LIVE, _TRASHED = "deleted_at IS NULL", "deleted_at IS NOT NULL"
_ORDER = ["user_id", "version", "id"]


def upgrade() -> None:
    op.create_table(
        "tombstone",
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "version", "kind", "id", name="pk_tombstone"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["account.user_id"],
            name="fk_tombstone_user_id_account",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("kind IN ('task', 'list', 'tag')", name=op.f("ck_tombstone_kind_known")),
    )
    op.create_index("ix_tombstone_created_at", "tombstone", ["created_at"])
    op.add_column(
        "account", sa.Column("oldest_cursor", sa.BigInteger(), server_default="0", nullable=False)
    )
    for kind, version in _VERSIONS.items():
        op.execute(_BURY.format(kind=kind, version=version))
        # From here on nothing is removed until all is done: creating a trigger locks the table.
        op.execute(_TRIGGER.format(kind=kind))
    op.execute("UPDATE account SET oldest_cursor = last_version")
    for table in ("task", "list"):
        _index(table, "version", _LIVE)
        _index(table, "trashed_version", _TRASHED)
    op.create_index("ix_tag_user_id_version", "tag", _ORDER)


def downgrade() -> None:
    op.drop_index("ix_tag_user_id_version", "tag")
    for table in ("task", "list"):
        op.drop_index(f"ix_{table}_user_id_trashed_version", table)
        op.drop_index(f"ix_{table}_user_id_version", table)
    for kind in _VERSIONS:
        op.execute(f"DROP TRIGGER bury_{kind} ON {kind}")
        op.execute(f"DROP FUNCTION bury_{kind}()")
    op.drop_column("account", "oldest_cursor")
    op.drop_table("tombstone")


def _index(table: str, name: str, where: str) -> None:
    op.create_index(f"ix_{table}_user_id_{name}", table, _ORDER, postgresql_where=sa.text(where))
