"""The tables (SQLAlchemy Core), for SQLite and PostgreSQL alike.

The migrations make them; a test compares what they make with what stands here. Booleans, JSON and
64-bit numbers are the portable kinds. Times are seconds since the Unix epoch.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    false,
    text,
)

TEXT = String().with_variant(String(collation="C"), "postgresql")
"""Text that PostgreSQL compares letter by letter too, whatever the language of the database: names are in the order in
which Python has them."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""All tables. The names of constraints are fixed, so that migrations can speak of them."""

clusters = Table(
    "clusters",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("addresses", JSON, nullable=False),
    Column("position", Integer, nullable=False),
)
"""The network's clusters with their public addresses, in order."""

default_placement = Table(
    "default_placement",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("cluster", TEXT, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("stream", TEXT, nullable=False),
    Column("unclean", Boolean, nullable=False),
    Column("hold_until", Double, nullable=False),
)
"""Where channels without a row are: one row. A table of its own, since no channel may have its name."""

placements = Table(
    "placements",
    metadata,
    Column("channel", TEXT, primary_key=True),
    Column("cluster", TEXT, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("stream", TEXT, nullable=False),
    Column("unclean", Boolean, nullable=False),
    Column("phase", TEXT, nullable=False),
    Column("drain_until", Double, nullable=False),
    Index(None, "cluster"),
)
"""The newest segment of each channel that has a row."""

segments = Table(
    "segments",
    metadata,
    Column("channel", TEXT, primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("cluster", TEXT, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("stream", TEXT, nullable=False),
    Column("unclean", Boolean, nullable=False),
    Column("drain_until", Double, nullable=False),
    Column("committed", Double),
    Column("reached", BigInteger),
)
"""The chains: rows are added and never changed, but for `reached`: how far readers came that left by force.

`drain_until` is the deadline of the cluster that was left, `committed` when the switch was written
(empty where a chain begins and where a log was opened anew).
"""

live = Table(
    "live",
    metadata,
    Column("channel", TEXT, primary_key=True),
    Column("live", Boolean, nullable=False),
    Column("since", Double, nullable=False),
)
"""Whether a channel's stream runs."""

moves = Table(
    "moves",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", TEXT, nullable=False, unique=True),
    Column("channel", TEXT, nullable=False, index=True),
    Column("finished", Boolean, nullable=False),
    Column("moving", Boolean, nullable=False),
    Column("target", TEXT, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("source", JSON(none_as_null=True)),
    Column("epoch", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("stream", TEXT, nullable=False),
    Column("forced", Boolean, nullable=False),
    Column("evacuate", Boolean, nullable=False),
    Column("by", TEXT, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("error", TEXT, nullable=False),
    Column("unshown", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("history", JSON, nullable=False),
    Column("rollout", TEXT, nullable=False, server_default=text("''")),
    Column("cold", Boolean, nullable=False, server_default=false()),
    Index(
        "uq_moves_moving",
        "channel",
        unique=True,
        sqlite_where=text("moving"),
        postgresql_where=text("moving"),
    ),
    Index(
        "ix_moves_unfinished",
        "number",
        sqlite_where=text("finished = 0"),
        postgresql_where=text("NOT finished"),
    ),
)
"""The journal of moves; `number` is the order in which they began."""

accounts = Table(
    "accounts",
    metadata,
    Column("user_id", TEXT, primary_key=True),
    Column("login", TEXT, nullable=False, unique=True),
    Column("display_name", TEXT, nullable=False),
    Column("color", TEXT, nullable=False),
    Column("user_type", TEXT, nullable=False),
    Column("bot", TEXT, nullable=False),
    Column("badges", JSON),
    Column("suspended", Boolean, nullable=False, server_default=false()),
    Column("channel_suspended", Boolean, nullable=False, server_default=false()),
)
"""Who may log in; `badges` is empty in rows that are older than the column."""

relations = Table(
    "relations",
    metadata,
    Column("channel", TEXT, primary_key=True),
    Column("user_id", TEXT, primary_key=True, index=True),
    Column("follows_since", Double, nullable=False),
    Column("subscriber", Boolean, nullable=False),
    Column("months", Integer, nullable=False),
    Column("tier", TEXT, nullable=False),
)
"""What ties accounts to channels."""

emotes = Table(
    "emotes",
    metadata,
    Column("channel", TEXT, primary_key=True),
    Column("code", TEXT, primary_key=True),
    Column("id", TEXT, nullable=False),
)
"""Words that are shown as pictures; those without a channel are everybody's."""

counters = Table(
    "counters",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""Numbers that only grow: the highest `user_id` that any account ever had, the last number of the `feed`, the last that
was forgotten (`feed floor`), how far each webhook has come (`webhook NAME`), how often facts of `people` have changed,
and the last number of the `endings`."""

tokens = Table(
    "tokens",
    metadata,
    Column("hash", TEXT, primary_key=True),
    Column("id", TEXT, nullable=False, unique=True),
    Column("login", TEXT, ForeignKey("accounts.login", ondelete="CASCADE"), nullable=False, index=True),
    Column("scopes", JSON, nullable=False),
    Column("created", Double, nullable=False),
    Column("revoked", Boolean, nullable=False),
)
"""Tokens by their SHA-256 (`tokens.py` says why a fast hash is right); the token itself is nowhere."""

endings = Table(
    "endings",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("user_id", TEXT, nullable=False, index=True),
    Column("token", TEXT, nullable=False),
    Column("time", Double, nullable=False),
)
"""Whose connections are to end: of an account, or of one of its tokens alone."""

sanctions = Table(
    "sanctions",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", TEXT, nullable=False, unique=True),
    Column("channel", TEXT, nullable=False, index=True),
    Column("kind", TEXT, nullable=False),
    Column("target", TEXT, nullable=False),
    Column("target_login", TEXT, nullable=False),
    Column("by", TEXT, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("seconds", Integer, nullable=False),
    Column("epoch", BigInteger),
    Column("sequence", BigInteger),
    Column("time", Double, nullable=False),
    Index(
        "ix_sanctions_hosts", "target_login", sqlite_where=text("kind = 'host'"), postgresql_where=text("kind = 'host'")
    ),
)
"""Moderation acts; `epoch` and `sequence` are empty until the act's record has been read."""

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("time", Double, nullable=False),
    Column("actor", TEXT, nullable=False, index=True),
    Column("action", TEXT, nullable=False),
    Column("subject", TEXT, nullable=False, index=True),
    Column("reason", TEXT, nullable=False),
    Column("details", TEXT, nullable=False),
)
"""Who did what, when and why."""

leases = Table(
    "leases",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("holder", TEXT, nullable=False),
    Column("term", BigInteger, nullable=False),
    Column("until", Double, nullable=False),
)
"""Who leads; the term grows with each new holder."""

wishes = Table(
    "wishes",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", TEXT, nullable=False, unique=True),
    Column("rollout", TEXT, nullable=False, index=True),
    Column("verb", TEXT, nullable=False),
    Column("by", TEXT, nullable=False),
    Column("time", Double, nullable=False),
    Column("args", JSON, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("state", TEXT, nullable=False, index=True),
    Column("answer", TEXT, nullable=False),
)
"""What operators want, in the order in which it was recorded."""

rollouts = Table(
    "rollouts",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", TEXT, nullable=False, unique=True),
    Column("version", Integer, nullable=False),
    Column("body", JSON, nullable=False),
)
"""Rollouts in the order in which they were started; `body` is all that nobody searches for."""

items = Table(
    "items",
    metadata,
    Column("rollout", TEXT, primary_key=True),
    Column("channel", TEXT, primary_key=True, index=True),
    Column("wave", Integer, nullable=False),
    Column("origin", TEXT, nullable=False),
    Column("goal", TEXT, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("cold", Boolean, nullable=False),
    Column("move", TEXT, nullable=False, index=True),
    Column("tries", Integer, nullable=False),
    Column("fails", Integer, nullable=False, server_default=text("0")),
    Column("force", Boolean, nullable=False, server_default=false()),
    Column("error", TEXT, nullable=False),
    Column("noticed", Double, nullable=False),
    Column("before", Integer, nullable=False),
    Column("followed", Integer, nullable=False),
    Column("stayed", JSON, nullable=False),
    Column("verified", TEXT, nullable=False),
    Column("since", Double, nullable=False),
    Column("members", BigInteger, nullable=False),
    Index("ix_items_turn", "rollout", "state", "wave", "members", "channel", "goal"),
)
"""The channels of rollouts. `members` is copied from `facts`, so that an index has them in the order of their turn."""

issues = Table(
    "issues",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", TEXT, nullable=False, unique=True),
    Column("rollout", TEXT, nullable=False, index=True),
    Column("wave", Integer, nullable=False),
    Column("text", TEXT, nullable=False),
    Column("by", TEXT, nullable=False),
    Column("time", Double, nullable=False),
    Column("resolved", Double, nullable=False),
    Column("resolved_by", TEXT, nullable=False),
    Column("resolution", TEXT, nullable=False),
)
"""What was found wrong, in the order in which it was recorded."""

facts = Table(
    "facts",
    metadata,
    Column("channel", TEXT, primary_key=True),
    Column("tier", TEXT, nullable=False),
    Column("opt", TEXT, nullable=False),
    Column("members", BigInteger, nullable=False),
    Column("rate", Double, nullable=False),
    Column("starts_at", Double, nullable=False),
)
"""What operators know of channels."""

holds = Table(
    "holds",
    metadata,
    Column("channel", TEXT, primary_key=True),
    Column("by", TEXT, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("time", Double, nullable=False),
)
"""Channels that are to stay where they are."""

retired = Table(
    "retired",
    metadata,
    Column("cluster", TEXT, primary_key=True),
    Column("into", TEXT, nullable=False),
    Column("time", Double, nullable=False),
)
"""Clusters whose addresses serve another one."""

feed = Table(
    "feed",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", TEXT, nullable=False),
    Column("public", Boolean, nullable=False),
    Column("time", Double, nullable=False),
    Column("channel", TEXT, nullable=False),
    Column("rollout", TEXT, nullable=False),
    Column("details", JSON, nullable=False),
    Index(None, "rollout", "number"),
)
"""What happened. The number comes from `counters` within the transaction, so it grows in the order of the commits."""

nodes = Table(
    "nodes",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("role", TEXT, nullable=False),
    Column("session", TEXT, nullable=False),
    Column("started", Double, nullable=False),
    Column("until", Double, nullable=False),
    Column("cluster", TEXT, nullable=False),
    Column("url", TEXT, nullable=False),
    Column("addresses", JSON, nullable=False),
    Column("version", TEXT, nullable=False),
)
"""The processes that run, or did lately."""

group_rooms = Table(
    "group_rooms",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("owner", TEXT, nullable=False, index=True),
    Column("display_name", TEXT, nullable=False),
    Column("public_invites", Boolean, nullable=False),
    Column("created", Double, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("stream", TEXT, nullable=False),
    Column("unclean", Boolean, nullable=False),
)
"""Group rooms, each with its segment on the cluster of group chat; the epoch is 0 before there is one."""

room_members = Table(
    "room_members",
    metadata,
    Column("room", TEXT, primary_key=True),
    Column("user_id", TEXT, primary_key=True, index=True),
    Column("confirmed", Boolean, nullable=False),
    Column("inviter", TEXT, nullable=False),
    Column("created", Double, nullable=False),
)
"""Who is in group rooms, or invited."""

room_news = Table(
    "room_news",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", TEXT, nullable=False),
    Column("room", TEXT, nullable=False),
    Column("users", JSON, nullable=False),
    Column("by", TEXT, nullable=False),
)
"""What happened to rooms and memberships; the number comes from `counters`."""

whispers = Table(
    "whispers",
    metadata,
    Column("thread", TEXT, primary_key=True),
    Column("count", BigInteger, nullable=False),
)
"""How many whispers there were between two accounts; what they said is nowhere."""
