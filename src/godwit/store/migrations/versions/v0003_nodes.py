"""The table of processes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "nodes",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("session", TEXT, nullable=False),
        sa.Column("started", sa.Double(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.Column("cluster", TEXT, nullable=False),
        sa.Column("url", TEXT, nullable=False),
        sa.Column("addresses", sa.JSON(), nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_nodes"),
    )
