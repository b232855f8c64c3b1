"""Requests that may be repeated.

Safe beside the release before, which knows nothing of it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "idempotency_key",
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("task_version", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "route", "key", name="pk_idempotency_key"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["account.user_id"],
            name="fk_idempotency_key_user_id_account",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "char_length(key) BETWEEN 1 AND 255", name=op.f("ck_idempotency_key_key_length")
        ),
    )
    op.create_index(
        "ix_idempotency_key_user_id_created_at", "idempotency_key", ["user_id", "created_at"]
    )


def downgrade() -> None:
    op.drop_table("idempotency_key")
