"""${message}."""

# The previous release serves beside this one: only add here what it can do without knowing, and take
# away what it uses in the release after (expand, then contract). A lock is waited for 5 s (env.py).
import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
