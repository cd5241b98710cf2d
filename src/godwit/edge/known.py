"""What an edge knows of a room, for those who decide what may be done there and those who show it."""

from __future__ import annotations

from godwit.chat.room import Role, RoomState, Ruling


class KnownRoom:
    """What holds in a room, as far as its records have been read; nothing before the first of them."""

    def __init__(self) -> None:
        self._room: RoomState | None = None

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
