"""Indexes by age, over all users: what housekeeping looks for.

They are of an expression, because the planner would use one of the instants for the rows of a
single user as well, and read those of everybody.

Safe beside the release before, which has no use for them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0009"

_TRASH = sa.text("deleted_at IS NOT NULL")


def upgrade() -> None:
    for table in ("task", "list"):
        op.create_index(
            f"ix_{table}_deleted_at", table, [_utc("deleted_at")], postgresql_where=_TRASH
        )
    op.create_index("ix_idempotency_key_created_at", "idempotency_key", [_utc("created_at")])


def downgrade() -> None:
    op.drop_index("ix_idempotency_key_created_at", "idempotency_key")
    for table in ("list", "task"):
        op.drop_index(f"ix_{table}_deleted_at", table)


def _utc(column: str) -> sa.TextClause:
    return sa.text(f"({column} AT TIME ZONE 'UTC'::text)")
