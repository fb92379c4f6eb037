"""which checkpoints of a job stay, which one it starts from, and where code was fetched from"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply. Every job so far starts from nothing and keeps the newest two; all code was uploaded."""
    op.add_column("jobs", sa.Column("resume_job", sa.String(length=32), nullable=True))
    op.add_column("jobs", sa.Column("resume_step", sa.BigInteger(), nullable=True))
    op.add_column("jobs", sa.Column("checkpoints", sa.JSON(), nullable=True))
    op.add_column("uploads", sa.Column("source", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("uploads", "source")
    op.drop_column("jobs", "checkpoints")
    op.drop_column("jobs", "resume_step")
    op.drop_column("jobs", "resume_job")
