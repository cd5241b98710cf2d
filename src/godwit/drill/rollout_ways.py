"""One way of a rollout drill, forward or back: who is to be told of it and to follow, and who was and did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from godwit.drill.rollout_api import Home
from godwit.drill.talkers import Client, Room


class Due(msgspec.Struct):
    """A client that is to be told of a channel's way, and to follow if it follows.

    Attributes:
        before: how often it had been told on the cluster that was left.
    """

    client: Client
    channel: str
    room: Room
    source: str
    target: str
    before: int

    @property
    def told(self) -> bool:
        """It was told where the channel was."""
        return self.room.changes[self.source] > self.before

    @property
    def done(self) -> bool:
        """It was told, and is where it ought to be."""
        if self.client.part.role == "legacy":
            return self.told
        return self.told and self.room.listening == self.target and self.room.joined == {self.target}

    @property
    def fault(self) -> str:
        """What is not done, in words."""
        what = "has not followed" if self.told else "was not told of"
        return f"{self.client.part.name} {what} #{self.channel} to {self.target}"


class Way:
    """Begins with who is on which channel's home, and how often each has been told there.

    Args:
        homes: where the channels are now.
    """

    def __init__(self, clients: Iterable[Client], homes: Mapping[str, Home]) -> None:
        self._homes = homes
        self._there = [
            (client, channel, room, room.changes[homes[channel].cluster])
            for client in clients
            for channel, room in client.rooms.items()
            if homes[channel].cluster in room.joined
        ]

    def end(self, homes: Mapping[str, Home]) -> tuple[set[str], list[Due]]:
        """Which channels have moved, and who is to be told of that, or was told already.

        Args:
            homes: where the channels are at the end.
        """
        moved = {channel for channel, home in self._homes.items() if home.cluster != homes[channel].cluster}
        return moved, [
            Due(client, channel, room, self._homes[channel].cluster, homes[channel].cluster, before)
            for client, channel, room, before in self._there
            if channel in moved
        ]
