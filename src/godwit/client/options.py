"""How a client behaves, as plain values."""

from __future__ import annotations

from typing import Literal

import msgspec

from godwit.client.pace import Backoff, Rate

Transport = Literal["tcp", "tls", "ws", "wss"]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a client behaves; the defaults keep to an ordinary account's limits.

    Attributes:
        joins: JOINs of this client, on all of its connections together; a little slower than servers
            allow, since lines take now more and now less time to get there.
        messages: messages of this client, on all of its connections together, since servers
            count by account.
        backoff: waits between attempts to connect.
        connect_timeout: seconds that connecting and logging in may take.
        join_timeout: seconds after which an unanswered JOIN is tried again.
        join_attempts: a channel that could not be joined in so many attempts is given up; one that
            has been joined before is never given up.
        ack_timeout: seconds after which an unacknowledged message counts as unknown. A server
            may hold a message for as long as its chat log is away, so this is not short.
        settle: seconds for which a message whose connection was lost is looked for in what the
            server shows when the channel is resumed.
        linger: seconds for which a connection without channels is kept.
        ping_interval: seconds of silence after which the server is asked for a sign of life.
        pong_timeout: seconds after which a silent server counts as gone.
        queue: events that may wait for the user.
    """

    joins: Rate = Rate(20, 10.5)
    messages: Rate = Rate(20, 30.0)
    backoff: Backoff = Backoff()
    connect_timeout: float = 15.0
    join_timeout: float = 10.0
    join_attempts: int = 3
    ack_timeout: float = 60.0
    settle: float = 10.0
    linger: float = 10.0
    ping_interval: float = 240.0
    pong_timeout: float = 15.0
    queue: int = 10_000
