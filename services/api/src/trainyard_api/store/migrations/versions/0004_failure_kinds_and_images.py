"""why an attempt failed, and the image of a job"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Apply. Of what failed so far nobody knows the kind, and every job runs in the platform's image."""
    op.add_column("attempts", sa.Column("failure_kind", sa.String(length=16), nullable=True))
    op.add_column("jobs", sa.Column("image", sa.String(length=512), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("jobs", "image")
    op.drop_column("attempts", "failure_kind")
