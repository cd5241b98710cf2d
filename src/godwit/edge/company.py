"""Who is in a channel, as its members with MEMBERSHIP are told: NAMES, JOIN and PART, MODE (JOIN-4, JOIN-8, MODE-1).

What is told is told in batches. Of a channel of too many members only the operators are: its owner, its moderators,
and staff, admins and global moderators, these last as far as they are on this edge.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from godwit.chat.authors import EVERYWHERE
from godwit.edge.presence import MOST_NAMED, named
from godwit.tmi import render, render_room
from godwit.tmi.capabilities import Caps
from godwit.values import owner_of

if TYPE_CHECKING:
    from godwit.edge.room import Room
    from godwit.edge.session import Session


class Company:
    """Who is in one channel, and what of it was told."""

    __slots__ = ("_news", "_operators", "_present", "_room", "_told")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._news = False
        self._told: set[str] | None = None
        """Of whom was told that they are here; None if nobody listens, or they are too many."""
        self._operators: set[str] | None = None
        """Of whom was told that they are operators; None if nobody listens."""
        self._present: set[str] | None = None
        """Operators on this edge; None if that must be looked up."""

    @property
    def blank(self) -> bool:
        """Whether nobody listens, so that nothing was told."""
        return self._told is None and self._operators is None

    def rests(self) -> bool:
        """Say whether there is nothing to tell, now or later."""
        if self._news and not self._room.fanout.listens(Caps.MEMBERSHIP):
            self.announce()
        self._present = None
        return not self._news

    # what happens -----------------------------------------------------------------------------

    def came(self, session: Session) -> None:
        """A connection was let in."""
        if self._present is not None and self._is_operator(session):
            self._present.add(session.nick)
        self._touch(session)

    def went(self, session: Session) -> None:
        """A connection is out."""
        if self._present is not None and session.nick in self._present:
            self._present = None  # it may be here once more
        self._touch(session)

    def roles_changed(self) -> None:
        """Somebody became or is no more a moderator."""
        self._present = None
        self.has_news()
        if len(self._room.members) > MOST_NAMED:
            self._room.neighbours.upset(self._room.name)  # else they know the names, and the roles themselves

    def has_news(self) -> None:
        """Take note that somebody may have come or gone."""
        self._news = True
        self._room.has_news()

    def _touch(self, session: Session) -> None:
        self.has_news()
        self._room.neighbours.touch(self._room.name, session.nick)

    # what is told -----------------------------------------------------------------------------

    def mind(self) -> None:
        """Begin to follow who is in the channel, if a reader has MEMBERSHIP now and none had before."""
        if self._operators is None and self._room.fanout.listens(Caps.MEMBERSHIP):
            self._told, self._operators = self._everybody(), self.operators()
            self._room.neighbours.mind(self._room.name)

    def names(self) -> list[str]:
        """Who is in the channel, on any edge, for NAMES; only the operators if they are too many (JOIN-4)."""
        everybody = self._everybody()
        return sorted(self.operators() if everybody is None else everybody)

    def modes(self) -> bytes:
        """What somebody who joins is told of the operators (MODE-1)."""
        return b"".join(render_room.mode(self._room.name, nick, "+o") for nick in sorted(self._operators or ()))

    def announce(self) -> None:
        """Tell those with MEMBERSHIP who has come and gone since the last time (CAP-6, JOIN-8, MODE-1)."""
        if not self._news:
            return
        self._news = False
        (before, self._told), (were, self._operators) = (self._told, None), (self._operators, None)
        name, fanout = self._room.name, self._room.fanout
        if not fanout.listens(Caps.MEMBERSHIP):
            self._room.neighbours.forget(name)
            return
        now = self._told = self._everybody()
        are = self._operators = self.operators()
        came: dict[str, bytes] = {}
        rest = b""
        if before is not None and now is not None:
            came = {nick: render.join(nick, name) for nick in sorted(now - before)}
            rest = b"".join(render.part(nick, name) for nick in sorted(before - now))
        if were is not None:
            rest += b"".join(render_room.mode(name, nick, "-o") for nick in sorted(were - are))
            rest += b"".join(render_room.mode(name, nick, "+o") for nick in sorted(are - were))
        if not (came or rest):
            return
        whole = b"".join(came.values()) + rest
        for reader in list(fanout):
            if Caps.MEMBERSHIP in reader.caps:
                mine = came.get(reader.nick)
                data = whole.replace(mine, b"", 1) if mine else whole
                if data:
                    fanout.only(reader, data)

    # who is here ------------------------------------------------------------------------------

    def viewers(self) -> int:
        """How many are in the channel, as far as is known; those of other edges only while they are followed."""
        here = named(self._room)
        elsewhere = self._room.neighbours.seen(self._room.name)
        count = here if isinstance(here, int) else len(here | elsewhere)
        if isinstance(here, int):
            count += len(elsewhere)
        return count + sum(crowd.count for crowd in self._room.neighbours.crowds(self._room.name))

    def operators(self) -> set[str]:
        """The logins of all operators who are in the channel, on any edge, as far as is known."""
        neighbours, name = self._room.neighbours, self._room.name
        found = set(self.operators_here())
        if elsewhere := neighbours.seen(name):
            found |= elsewhere.intersection([owner_of(name), *self._room.channel.roles("mod")])
        return found.union(*(crowd.operators for crowd in neighbours.crowds(name)))

    def operators_here(self) -> Collection[str]:
        """Those on this edge."""
        if self._present is None:
            sessions = [self._room.session(member) for member in self._room.members]
            self._present = {session.nick for session in sessions if session is not None and self._is_operator(session)}
        return self._present

    def _is_operator(self, session: Session) -> bool:
        if session.owns(self._room.name) or self._room.channel.role(session.account) == "mod":
            return True
        return session.identity is not None and session.identity.user_type in EVERYWHERE

    def _everybody(self) -> set[str] | None:
        """The logins of all members that are known, on this edge and on others; None if they are too many."""
        here, elsewhere = named(self._room), self._room.neighbours.elsewhere(self._room.name)
        if isinstance(here, int) or elsewhere is None:
            return None
        here |= elsewhere
        return here if len(here) <= MOST_NAMED else None
