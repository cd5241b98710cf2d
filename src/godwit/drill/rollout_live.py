"""Which streams ran when, and which channels were moved meanwhile."""

from __future__ import annotations

import msgspec


class _Stream(msgspec.Struct):
    """A stream.

    Attributes:
        epoch: of its channel when it began: nothing was under way there.
        since, until: when it had surely begun, and when it had surely not ended.
    """

    epoch: int
    since: float
    until: float = float("inf")


class LiveBook:
    """Counts moves of live channels; times are those of the server's clock."""

    def __init__(self) -> None:
        self._streams: dict[str, list[_Stream]] = {}
        self._moves: dict[tuple[str, int], float] = {}

    @property
    def moves(self) -> int:
        """How many moves were seen."""
        return len(self._moves)

    @property
    def live(self) -> set[str]:
        """The channels whose streams run."""
        return {channel for channel, streams in self._streams.items() if streams[-1].until == float("inf")}

    def began(self, channel: str, epoch: int, at: float) -> None:
        """A stream runs, and the channel is not under way."""
        self._streams.setdefault(channel, []).append(_Stream(epoch, at))

    def ended(self, channel: str, epoch: int, at: float) -> None:
        """A stream is about to end, and its channel has come to `epoch`."""
        stream = self._streams[channel][-1]
        stream.until = at
        if epoch > stream.epoch:
            self._moves.setdefault((channel, epoch), at)

    def moved(self, channel: str, epoch: int, at: float) -> None:
        """A channel was moved, as the change feed says."""
        self._moves[channel, epoch] = at

    def moved_live(self) -> list[str]:
        """The moves of live channels, as `#channel (epoch)`."""
        return [
            f"#{channel} (epoch {epoch})"
            for (channel, epoch), at in self._moves.items()
            for stream in self._streams.get(channel, ())
            if stream.since <= at <= stream.until and epoch > stream.epoch
        ]
