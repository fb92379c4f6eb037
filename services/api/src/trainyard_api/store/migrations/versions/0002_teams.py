"""teams, and when an attempt was admitted"""

import sqlalchemy as sa
from alembic import op

from trainyard_api.store.models import UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Apply. Every job so far is of the default team, and every attempt was admitted when it was made."""
    op.add_column("jobs", sa.Column("team", sa.String(length=63), nullable=False, server_default="default"))
    op.create_index("ix_jobs_team_created_at_id", "jobs", ["team", "created_at", "id"])
    op.add_column("attempts", sa.Column("admitted_at", UtcDateTime(timezone=True), nullable=True))
    op.execute("UPDATE attempts SET admitted_at = created_at")


def downgrade() -> None:
    """Undo."""
    op.drop_column("attempts", "admitted_at")
    op.drop_index("ix_jobs_team_created_at_id", "jobs")
    op.drop_column("jobs", "team")
