"""An index of what was completed lately. Safe beside the release before, which keeps it too."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_index(
        "ix_task_user_id_completed_at",
        "task",
        ["user_id", "completed_at"],
        postgresql_where=sa.text("completed_at IS NOT NULL AND deleted_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_task_user_id_completed_at", "task")
