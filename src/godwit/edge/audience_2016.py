"""What those see who speak the dialect of 2016, as far as it is more than other words for the same (OLD-7)."""

from __future__ import annotations

from collections.abc import Sequence

from godwit.edge.audience import RoomAudience
from godwit.edge.fanout import Reader
from godwit.edge.ports import Shown
from godwit.tmi import render_2016
from godwit.tmi.capabilities import DESCRIBED, NONE, Caps
from godwit.values import Act, Position


class RoomAudience2016(RoomAudience):
    """Shows what happens in one channel of a cluster that speaks the dialect of 2016."""

    __slots__ = ()

    def shown(self, shown: Shown) -> None:
        """Show a message; old clients are first told who says it."""
        message = shown.message
        self._describe(render_2016.about(message.author), but=self._sessions.get(message.producer))
        super().shown(shown)

    def acted(self, act: Act, position: Position, time: float) -> None:
        """Show what an act does; old clients that don't know CLEARCHAT and HOSTTARGET are told in their way."""
        super().acted(act, position, time)
        self._describe(render_2016.about_act(act), without=Caps.COMMANDS)

    def _describe(self, texts: Sequence[str], *, but: Reader | None = None, without: Caps = NONE) -> None:
        """Tell old clients something.

        Args:
            but: who is not told.
            without: capabilities of which those have none that are told.
        """
        room, fanout = self._room, self._room.fanout
        if not texts or not (fanout.listens(Caps.DESCRIBED_TO_USER) or fanout.listens(Caps.DESCRIBED_IN_ROOM)):
            return
        for reader in list(fanout):
            if not reader.caps & DESCRIBED or reader.caps & without or reader is but:
                continue
            target = f"#{room.name}" if Caps.DESCRIBED_IN_ROOM in reader.caps else reader.nick
            for text in texts:
                fanout.only(reader, render_2016.described(target, text))
