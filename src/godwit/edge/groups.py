"""Group rooms on the cluster of group chat: who gets in, and what their members are told (GROUP-4, GROUP-6).

Only members get in, so the store is asked before anything is done in a room for somebody: anew at each JOIN, else when
a minute has passed or something has happened. What one account wants in one room is done in its order. What happens to
rooms the store numbers; every edge of group chat looks for new numbers once a second.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import structlog

from godwit.clock import Clock
from godwit.edge.batches import Batches
from godwit.edge.tasks import Tasks
from godwit.errors import StoreUnavailable
from godwit.store.base import Sanction, Store, in_force
from godwit.store.group_base import NewsKind, RoomNews
from godwit.tmi import render, render_group
from godwit.tmi.render_group import RoomWord
from godwit.values import FAMILIES, Act

if TYPE_CHECKING:
    from godwit.edge.room import Room
    from godwit.edge.session import Session

log = structlog.get_logger()

LOOK = 1.0
"""Seconds between two looks at what happened to rooms."""

FRESH = 60.0
"""Seconds for which it is known that somebody is a member."""

PATIENCE = 5.0
"""Seconds that the store is given for an answer."""

KEPT = 50_000
"""Members in rooms that are known at once: those that were used last."""

_WORDS: dict[NewsKind, RoomWord] = {
    "invited": "ROOMINVITE",
    "changed": "ROOMCHANGED",
    "left": "ROOMCHANGED",
    "deleted": "ROOMDELETED",
}

_Key = tuple[str, str]
"""Room and user id."""


class _Wish(msgspec.Struct):
    """Something to be done; `otherwise` is done if it may not be, else the connection is told."""

    session: Session
    call: Callable[[], None]
    otherwise: Callable[[], None] | None = None


class _Asked(msgspec.Struct):
    """What waits for an answer; `anew` if something has happened since it was asked for."""

    wishes: list[_Wish]
    anew: bool = False


class Groups:
    """Who is a member of which room, as one edge knows it.

    Args:
        of: gives the connections of an account to this edge.
        now: the loop's time in seconds.
        soon: calls something in a turn of its own.
        tasks: owner of the work.
        most: what one account may have waiting in one room.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        of: Callable[[str], Iterable[Session]],
        now: Callable[[], float],
        soon: Callable[[Callable[[], None]], object],
        tasks: Tasks,
        most: int,
    ) -> None:
        self._store = store
        self._clock = clock
        self._of = of
        self._now = now
        self._soon = soon
        self._tasks = tasks
        self._most = most
        self._members: OrderedDict[_Key, float] = OrderedDict()
        self._asked: dict[_Key, _Asked] = {}
        self._questions: Batches[_Key, bool] = Batches(self._ask, PATIENCE, tasks, "members")
        self._last: int | None = None

    # getting in -------------------------------------------------------------------------------

    def admit(self, session: Session, room: str, call: Callable[[], None], *, anew: bool = False) -> None:
        """Do something for a connection in a room if its account is a member, else tell it that there is none.

        Args:
            anew: whatever is known, the store is asked.
        """
        key = room, session.account
        if not session.account:
            session.notice(room, "msg_room_not_found")
        elif asked := self._asked.get(key):
            if len(asked.wishes) < self._most:
                asked.wishes.append(_Wish(session, call))
            else:
                session.notice(room, "msg_ratelimit")
        elif not anew and self._members.get(key, 0.0) > self._now():
            call()
        else:
            self._asked[key] = _Asked([_Wish(session, call)])
            self._tasks.start(self._find_out(key, session.producer), f"member of {room}")

    def afterwards(self, session: Session, room: str, call: Callable[[], None]) -> None:
        """Do something that everybody may, behind what the account wants in the room already.

        Who has wanted far too much at once is not heard.
        """
        asked = self._asked.get((room, session.account))
        if asked is None:
            call()
        elif len(asked.wishes) < 2 * self._most:
            asked.wishes.append(_Wish(session, call, call))

    async def _find_out(self, key: _Key, who: str) -> None:
        asked = self._asked[key]
        member: bool | None = None
        try:
            while member is None or asked.anew:
                asked.anew = False
                member = await self._questions.answer(key, who)
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("members_unknown", room=key[0], error=repr(error))
            member = None
        except Exception:
            # Whatever the store died of, those who wait must learn that no answer comes.
            log.exception("members_unknown", room=key[0])
            member = None
        del self._asked[key]
        if member:
            self._members[key] = self._now() + FRESH
            self._members.move_to_end(key)
            if len(self._members) > KEPT:
                self._members.popitem(last=False)
        else:
            self._members.pop(key, None)
        refusal = "godwit_unavailable" if member is None else "msg_room_not_found"
        for wish in asked.wishes:
            if not wish.session.protocol.closing:
                refuse = wish.otherwise or partial(wish.session.notice, key[0], refusal)
                wish.session.guard(wish.call if member else refuse)

    async def _ask(self, keys: Sequence[_Key]) -> list[bool]:
        found = await self._store.memberships_among(keys)
        found_rows = await self._store.sanctions_among(list({room for room, _ in keys}))
        rows = {room: in_force(all_rows, self._clock.now()) for room, all_rows in found_rows.items()}
        return [
            membership is not None and membership.confirmed and not is_banned(rows.get(room, ()), user_id)
            for (room, user_id), membership in zip(keys, found, strict=True)
        ]

    # what happens -----------------------------------------------------------------------------

    async def look(self) -> None:
        """Look for what happened to rooms, and tell those whom it concerns (once every `LOOK` seconds)."""
        try:
            if self._last is None:
                self._last = await self._store.last_room_news()
            while found := await self._store.room_news(self._last):
                self._last = found[-1].number
                for news in found:
                    self._told(news)
        except StoreUnavailable as error:
            log.warning("room_news_unknown", error=str(error))

    def _told(self, news: RoomNews) -> None:
        by = news.by if news.kind == "invited" else ""
        for user_id in news.users:
            self._upset((news.room, user_id))
            for session in list(self._of(user_id)):
                session.write(render_group.room_news(session.nick, _WORDS[news.kind], news.room, by))
                if news.kind in ("left", "deleted"):
                    session.guard(partial(_put_out, session, news.room))

    def banned(self, room: Room, act: Act) -> None:
        """Somebody was banned from a room: out, and told so, behind what the room is shown of it."""
        self._upset((room.name, act.target))
        for session in list(self._of(act.target)):
            self._soon(partial(session.guard, partial(_ban, session, room.name)))

    def _upset(self, key: _Key) -> None:
        """What was known of somebody in a room may not be so any more."""
        self._members.pop(key, None)
        if asked := self._asked.get(key):
            asked.anew = True


def is_banned(rows: Iterable[Sanction], user_id: str) -> bool:
    """Say whether a room's rows that are in force keep an account out."""
    kinds = [row.kind for row in rows if row.target == user_id and FAMILIES[row.kind] == "sanction"]
    return kinds[-1:] == ["ban"]


def _ban(session: Session, room: str) -> None:
    session.write(render_group.room_news(session.nick, "ROOMBAN", room))
    _put_out(session, room)


def _put_out(session: Session, name: str) -> None:
    room = session.rooms.pop(name, None)
    if room is not None:
        room.leave(session)
        session.write(render.part(session.nick, name))
