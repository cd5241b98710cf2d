"""Group rooms with their members, and how many whispers there were; who hosts a channel is found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add tables and an index."""
    op.create_table(
        "group_rooms",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("display_name", TEXT, nullable=False),
        sa.Column("public_invites", sa.Boolean(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("stream", TEXT, nullable=False),
        sa.Column("unclean", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_group_rooms"),
    )
    op.create_index("ix_group_rooms_owner", "group_rooms", ["owner"])
    op.create_table(
        "room_members",
        sa.Column("room", TEXT, nullable=False),
        sa.Column("user_id", TEXT, nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("inviter", TEXT, nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("room", "user_id", name="pk_room_members"),
    )
    op.create_index("ix_room_members_user_id", "room_members", ["user_id"])
    op.create_table(
        "room_news",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("room", TEXT, nullable=False),
        sa.Column("users", sa.JSON(), nullable=False),
        sa.Column("by", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_room_news"),
    )
    op.create_table(
        "whispers",
        sa.Column("thread", TEXT, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("thread", name="pk_whispers"),
    )
    hosts = sa.text("kind = 'host'")
    op.create_index("ix_sanctions_hosts", "sanctions", ["target_login"], sqlite_where=hosts, postgresql_where=hosts)
