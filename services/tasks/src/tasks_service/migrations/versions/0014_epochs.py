"""Epochs: which numbering of a user's writes a cursor belongs to.

Safe beside the release before: its accounts get theirs by the default. Those that are there share
one, so that no row is written; it is another one in each database that comes here.
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0011"


def upgrade() -> None:
    epoch = sa.Column("epoch", sa.Text(), server_default=secrets.token_hex(4), nullable=False)
    op.add_column("account", epoch)
    op.alter_column(
        "account", "epoch", server_default=sa.text("substr((gen_random_uuid())::text, 1, 8)")
    )


def downgrade() -> None:
    op.drop_column("account", "epoch")
