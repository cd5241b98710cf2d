"""What holds in a room right now, for those who decide what somebody may do.

The records decide (rule R1); what this edge has submitted and not read back yet is taken for done, so that two
commands typed one after the other are decided one after the other.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Literal

from godwit.tmi.render import SETTINGS
from godwit.values import FAMILIES, Act, Change, Family

if TYPE_CHECKING:
    from godwit.edge.room import Room


class Standing:
    """What holds in one channel, on this edge."""

    __slots__ = ("_pending", "_room")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._pending: dict[str, Act | Change] = {}

    @property
    def blank(self) -> bool:
        """Whether nothing is on its way."""
        return not self._pending

    def submitted(self, record: Act | Change) -> None:
        """A record is on its way that will change something."""
        self._pending[record.id] = record

    def settled(self, record_id: str) -> None:
        """It was read back, or will not come."""
        self._pending.pop(record_id, None)

    def sanction(self, user_id: str, now: float) -> Literal["", "ban", "timeout"]:
        """What stands against an account; `now` is in seconds since the Unix epoch."""
        if act := self._coming("sanction", user_id):
            return "ban" if act.kind == "ban" else "timeout" if act.kind == "timeout" else ""
        if self.seconds_left(user_id, now):
            return "timeout"
        ruling = self._room.channel.sanction(user_id)
        return "ban" if ruling is not None and ruling.kind == "ban" else ""

    def seconds_left(self, user_id: str, now: float) -> int:
        """Seconds until the timeout of an account ends; 0 if there is none (rule R4)."""
        ruling = self._room.channel.sanction(user_id)
        if ruling is None or ruling.kind != "timeout":
            return 0
        return max(ceil(ruling.seconds - max(now - ruling.since, 0.0)), 0)

    def role(self, user_id: str) -> Literal["", "mod", "vip"]:
        """What an account is, beside the owner."""
        if act := self._coming("role", user_id):
            return "mod" if act.kind == "mod" else "vip" if act.kind == "vip" else ""
        return self._room.channel.role(user_id)

    def roles(self, role: Literal["mod", "vip"]) -> list[str]:
        """The logins of all who have a role, sorted."""
        logins = set(self._room.channel.roles(role))
        for record in self._pending.values():
            if isinstance(record, Act) and FAMILIES.get(record.kind) == "role":
                (logins.add if record.kind == role else logins.discard)(record.target_login)
        return sorted(logins)

    def setting(self, name: str) -> int:
        """The value of a room setting."""
        for record in reversed(self._pending.values()):
            if isinstance(record, Change) and name in record.settings:
                return record.settings[name]
        return self._room.channel.settings.get(name, SETTINGS[name])

    @property
    def hosting(self) -> str:
        """The channel that is hosted, '' for none."""
        if act := self._coming("host", ""):
            return act.target_login if act.kind == "host" else ""
        return self._room.channel.hosting

    def _coming(self, family: Family, target: str) -> Act | None:
        for record in reversed(self._pending.values()):
            if isinstance(record, Act) and FAMILIES.get(record.kind) == family and target in ("", record.target):
                return record
        return None
