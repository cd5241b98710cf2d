"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "accounts",
        sa.Column("user_id", TEXT, nullable=False),
        sa.Column("login", TEXT, nullable=False),
        sa.Column("display_name", TEXT, nullable=False),
        sa.Column("color", TEXT, nullable=False),
        sa.Column("user_type", TEXT, nullable=False),
        sa.Column("bot", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_accounts"),
        sa.UniqueConstraint("login", name="uq_accounts_login"),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("details", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit"),
    )
    op.create_index("ix_audit_subject", "audit", ["subject"], unique=False)
    op.create_table(
        "clusters",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("addresses", sa.JSON(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_clusters"),
    )
    op.create_table(
        "counters",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
    )
    op.create_table(
        "default_placement",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("cluster", TEXT, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("stream", TEXT, nullable=False),
        sa.Column("unclean", sa.Boolean(), nullable=False),
        sa.Column("hold_until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_default_placement"),
    )
    op.create_table(
        "live",
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name="pk_live"),
    )
    op.create_table(
        "moves",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.Column("moving", sa.Boolean(), nullable=False),
        sa.Column("target", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("source", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("stream", TEXT, nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("evacuate", sa.Boolean(), nullable=False),
        sa.Column("by", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("error", TEXT, nullable=False),
        sa.Column("unshown", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("history", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_moves"),
        sa.UniqueConstraint("id", name="uq_moves_id"),
    )
    op.create_index("ix_moves_channel", "moves", ["channel"], unique=False)
    op.create_index(
        "uq_moves_moving",
        "moves",
        ["channel"],
        unique=True,
        sqlite_where=sa.text("moving"),
        postgresql_where=sa.text("moving"),
    )
    op.create_table(
        "placements",
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("cluster", TEXT, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("stream", TEXT, nullable=False),
        sa.Column("unclean", sa.Boolean(), nullable=False),
        sa.Column("phase", TEXT, nullable=False),
        sa.Column("drain_until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name="pk_placements"),
    )
    op.create_index("ix_placements_cluster", "placements", ["cluster"], unique=False)
    op.create_table(
        "sanctions",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("target", TEXT, nullable=False),
        sa.Column("target_login", TEXT, nullable=False),
        sa.Column("by", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("time", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_sanctions"),
        sa.UniqueConstraint("id", name="uq_sanctions_id"),
    )
    op.create_index("ix_sanctions_channel", "sanctions", ["channel"], unique=False)
    op.create_table(
        "segments",
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cluster", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("stream", TEXT, nullable=False),
        sa.Column("unclean", sa.Boolean(), nullable=False),
        sa.Column("drain_until", sa.Double(), nullable=False),
        sa.Column("committed", sa.Double(), nullable=True),
        sa.Column("reached", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("channel", "epoch", name="pk_segments"),
    )
    op.create_table(
        "tokens",
        sa.Column("hash", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("login", TEXT, nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["login"], ["accounts.login"], name="fk_tokens_login", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hash", name="pk_tokens"),
        sa.UniqueConstraint("id", name="uq_tokens_id"),
    )
    op.create_index("ix_tokens_login", "tokens", ["login"], unique=False)
