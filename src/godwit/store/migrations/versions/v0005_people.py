"""Facts of accounts, relations to channels, emotes; the audit is searched by who acted, too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add columns, tables and an index."""
    op.add_column("accounts", sa.Column("badges", sa.JSON()))
    op.add_column("accounts", sa.Column("suspended", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("accounts", sa.Column("channel_suspended", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "relations",
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("user_id", TEXT, nullable=False),
        sa.Column("follows_since", sa.Double(), nullable=False),
        sa.Column("subscriber", sa.Boolean(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("tier", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("channel", "user_id", name="pk_relations"),
    )
    op.create_index("ix_relations_user_id", "relations", ["user_id"])
    op.create_table(
        "emotes",
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("code", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("channel", "code", name="pk_emotes"),
    )
    op.create_index("ix_audit_actor", "audit", ["actor"])
