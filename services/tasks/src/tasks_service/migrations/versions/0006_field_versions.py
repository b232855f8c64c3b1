"""Which version wrote each field of a task.

Safe beside the release before: what it writes is missing from the fields a 412 names, no more.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column(
        "task",
        sa.Column("field_versions", postgresql.JSONB(), server_default="{}", nullable=False),
    )


def downgrade() -> None:
    op.drop_column("task", "field_versions")
