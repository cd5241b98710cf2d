"""Force belongs to a channel of a rollout; how often it failed is apart from how often it was tried."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("items", sa.Column("fails", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("items", sa.Column("force", sa.Boolean(), server_default=sa.false(), nullable=False))
