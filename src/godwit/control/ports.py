"""What the controller asks of the edges and of those who watch gates, as two ports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from godwit.rollout.values import Gate, Rollout, Sample
from godwit.values import Segment


class Presence(msgspec.Struct, frozen=True):
    """Who is in a channel, all edges of all clusters together.

    Attributes:
        members: connections in the channel, early joiners too.
        told: members that would have to be told of a move and would notice it: neither early joiners nor connections
            that sit in many channels.
        last_message: log time of its last message, 0 if no edge has seen one.
    """

    channel: str
    members: int = 0
    told: int = 0
    last_message: float = 0.0


class Crowd(Protocol):
    """What edges know of their channels. All methods raise `EdgeUnavailable` when one does not answer."""

    async def presence(self, channels: Sequence[str]) -> list[Presence]:
        """Who is there, in the order asked for."""
        ...

    async def left_behind(self, channel: str, cluster: str) -> list[str]:
        """Logins of the members that are still in the channel on `cluster`, each once per connection."""
        ...

    async def views(self, channels: Sequence[str]) -> dict[str, list[tuple[str, Segment]]]:
        """For each channel that edges serve: `(edge's name, the segment that it stands in)`."""
        ...


class Gatekeeper(Protocol):
    """Samples the gates that need the outside world: all kinds but `approval`, `soak` and `issues`."""

    def watch(self, rollout: Rollout, wave: int, gates: Sequence[Gate]) -> None:
        """Sample these gates of this wave from now on, and no others of this rollout; does not wait."""
        ...

    def samples(self, rollout: str, wave: int, gate: str) -> Sequence[Sample]:
        """What was sampled since `watch` first named the gate, oldest first, at most `gate.samples`."""
        ...
