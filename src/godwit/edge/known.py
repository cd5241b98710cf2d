"""What an edge knows of a room, for those who decide what may be done there and those who show it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from godwit.chat.modes import Modes, Refusal, Speaker, banned
from godwit.chat.room import Role, RoomState, Ruling
from godwit.edge.attendance import Attendance
from godwit.edge.history import Recall
from godwit.edge.ports import Member, Shown
from godwit.edge.whereabouts import Whereabouts
from godwit.values import Position, Segment


class KnownRoom:
    """What holds in a room, as far as its records have been read; nothing before the first of them."""

    __slots__ = ("_attendance", "_modes", "_recall", "_room", "_where")

    _attendance: Attendance
    _modes: Modes
    _recall: Recall

    def __init__(self) -> None:
        self._room: RoomState | None = None
        self._where = Whereabouts()

    # what was said in it ----------------------------------------------------------------------

    @property
    def settings(self) -> dict[str, int]:
        """The room's settings, of those that were ever set."""
        return self._room.settings if self._room else {}

    @property
    def hosting(self) -> str:
        """Login of the channel that is hosted, '' for none."""
        return self._room.hosting if self._room else ""

    def role(self, user_id: str) -> Role:
        """What an account is here, beside the owner: `mod`, `vip` or ''."""
        return self._room.role(user_id) if self._room else ""

    def roles(self, role: Role) -> list[str]:
        """The logins of all who have a role here, sorted."""
        rulings = self._room.rulings("role") if self._room else []
        return sorted(ruling.login for ruling in rulings if ruling.kind == role)

    def sanction(self, user_id: str) -> Ruling | None:
        """The ban or timeout that was last laid on an account and not lifted; the timeout may be over."""
        ruling = self._room.ruling("sanction", user_id) if self._room else None
        return None if ruling is None or ruling.kind == "lift" else ruling

    def refusal(
        self, speaker: Speaker, text: str, now: float, *, action: bool, only_emotes: Callable[[], bool]
    ) -> Refusal | None:
        """Why somebody may not say something, as far as is known here; None if nothing speaks against it (rule R1).

        Args:
            action: said with `/me`.
            only_emotes: whether the text is nothing but emotes; asked if it matters.
        """
        room = self._room
        if room is not None and (refusal := banned(room.ruling("sanction", speaker.user_id), now)):
            return refusal
        settings = room.settings if room is not None else {}
        return self._modes.refusal(speaker, text, settings, now, action=action, only_emotes=only_emotes)

    @property
    def recent(self) -> Sequence[Shown]:
        """The newest lines, oldest first."""
        return self._recall.lines

    @property
    def recent_since(self) -> Position:
        """`recent` is complete after this position."""
        return self._recall.since

    # who is in it -----------------------------------------------------------------------------

    @property
    def members(self) -> dict[Member, bool]:
        """Who is let in, and whether they are served (False: early, silent)."""
        return self._attendance.members

    @property
    def served(self) -> list[Member]:
        """Members that are shown lines."""
        return [member for member, served in self.members.items() if served]

    # where it is ------------------------------------------------------------------------------

    @property
    def segment(self) -> Segment | None:
        """The segment that is read."""
        return self._room.segment if self._room else None

    @property
    def home(self) -> str:
        """The cluster of the segment that is read; '' before the first placement."""
        return self._room.segment.cluster if self._room else ""

    @property
    def previous(self) -> tuple[str, ...]:
        """Clusters that were the channel's home before, newest first."""
        return self._where.previous

    @property
    def drains(self) -> dict[str, float]:
        """For each of these, when its own drain ends."""
        return self._where.drains

    @property
    def rowless(self) -> bool:
        """Whether the channel is where the default placement says (rule C10)."""
        return self._where.rowless
