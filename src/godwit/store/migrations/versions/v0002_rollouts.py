"""Tables of rollouts, and rows for channels that are live."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")

_LIVE_WITHOUT_ROW = """
FROM live CROSS JOIN default_placement
WHERE live.live AND NOT EXISTS (SELECT 1 FROM placements WHERE placements.channel = live.channel)
"""


def upgrade() -> None:
    """Make the tables, and give a row to each channel that is live: a change of the default must not move it."""
    _moves()
    _wishes()
    _rollouts()
    _channels()
    _feed()
    # The segments come first: afterwards the channels have rows.
    op.execute(
        "INSERT INTO segments (channel, epoch, cluster, at, stream, unclean, drain_until) "
        "SELECT live.channel, epoch, cluster, at, stream, unclean, 0.0" + _LIVE_WITHOUT_ROW
    )
    op.execute(
        "INSERT INTO placements (channel, cluster, epoch, at, stream, unclean, phase, drain_until) "
        "SELECT live.channel, cluster, epoch, at, stream, unclean, 'settled', 0.0" + _LIVE_WITHOUT_ROW
    )


def _moves() -> None:
    op.add_column("moves", sa.Column("rollout", TEXT, server_default=sa.text("''"), nullable=False))
    op.add_column("moves", sa.Column("cold", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index(
        "ix_moves_unfinished",
        "moves",
        ["number"],
        unique=False,
        sqlite_where=sa.text("finished = 0"),
        postgresql_where=sa.text("NOT finished"),
    )


def _wishes() -> None:
    op.create_table(
        "leases",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "wishes",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("rollout", TEXT, nullable=False),
        sa.Column("verb", TEXT, nullable=False),
        sa.Column("by", TEXT, nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("args", sa.JSON(), nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("answer", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_wishes"),
        sa.UniqueConstraint("id", name="uq_wishes_id"),
    )
    op.create_index("ix_wishes_rollout", "wishes", ["rollout"], unique=False)
    op.create_index("ix_wishes_state", "wishes", ["state"], unique=False)


def _rollouts() -> None:
    op.create_table(
        "rollouts",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_rollouts"),
        sa.UniqueConstraint("id", name="uq_rollouts_id"),
    )
    op.create_table(
        "items",
        sa.Column("rollout", TEXT, nullable=False),
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("origin", TEXT, nullable=False),
        sa.Column("goal", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("cold", sa.Boolean(), nullable=False),
        sa.Column("move", TEXT, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", TEXT, nullable=False),
        sa.Column("noticed", sa.Double(), nullable=False),
        sa.Column("before", sa.Integer(), nullable=False),
        sa.Column("followed", sa.Integer(), nullable=False),
        sa.Column("stayed", sa.JSON(), nullable=False),
        sa.Column("verified", TEXT, nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("members", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rollout", "channel", name="pk_items"),
    )
    op.create_index("ix_items_channel", "items", ["channel"], unique=False)
    op.create_index("ix_items_move", "items", ["move"], unique=False)
    op.create_index("ix_items_turn", "items", ["rollout", "state", "wave", "members", "channel", "goal"], unique=False)
    op.create_table(
        "issues",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("rollout", TEXT, nullable=False),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("by", TEXT, nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("resolved", sa.Double(), nullable=False),
        sa.Column("resolved_by", TEXT, nullable=False),
        sa.Column("resolution", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_issues"),
        sa.UniqueConstraint("id", name="uq_issues_id"),
    )
    op.create_index("ix_issues_rollout", "issues", ["rollout"], unique=False)


def _channels() -> None:
    op.create_table(
        "facts",
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("tier", TEXT, nullable=False),
        sa.Column("opt", TEXT, nullable=False),
        sa.Column("members", sa.BigInteger(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=False),
        sa.Column("starts_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name="pk_facts"),
    )
    op.create_table(
        "holds",
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("by", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name="pk_holds"),
    )
    op.create_table(
        "retired",
        sa.Column("cluster", TEXT, nullable=False),
        sa.Column("into", TEXT, nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("cluster", name="pk_retired"),
    )


def _feed() -> None:
    op.create_table(
        "feed",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("rollout", TEXT, nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_feed"),
    )
    op.create_index("ix_feed_rollout", "feed", ["rollout", "number"], unique=False)
