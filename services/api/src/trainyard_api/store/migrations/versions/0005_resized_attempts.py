"""attempts that end so that an elastic job can go on with more workers"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Apply. No attempt so far was stopped for this."""
    op.add_column("attempts", sa.Column("resize_to", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("attempts", "resize_to")
