"""Ray clusters that wait for a job"""

import sqlalchemy as sa
from alembic import op

from trainyard_api.store.models import UtcDateTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "warm_clusters",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("team", sa.String(length=63), nullable=False),
        sa.Column("recipe", sa.String(length=64), nullable=False),
        sa.Column("image", sa.String(length=512), nullable=True),
        sa.Column("resources", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("handle", sa.JSON(), nullable=True),
        sa.Column("ready_at", UtcDateTime(), nullable=True),
        sa.Column("dropped_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_warm_clusters")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("warm_clusters")
