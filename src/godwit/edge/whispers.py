"""Whispers: from one account to all connections of another, on whatever edge they are (GROUP-1 to GROUP-3).

They go by hearsay: no log has them, they come once or not at all, and nobody says so to the sender. Only how many
there were between two accounts is in the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from godwit.chat.authors import author as author_of
from godwit.chatlog.hearsay import Hearsay
from godwit.edge.quota import may_whisper
from godwit.store.base import Store
from godwit.tmi import render_group
from godwit.tmi.capabilities import Caps
from godwit.tmi.emotes import emote_ranges
from godwit.tmi.text import cut
from godwit.values import Account, Author

if TYPE_CHECKING:
    from godwit.edge.commands.typed import Typed
    from godwit.edge.session import Session

TOPIC = "whispers"
"""What all edges hear."""

REMEMBERED = 10_000
"""Whispers that are known again when they come once more."""


class Whisper(msgspec.Struct, frozen=True, array_like=True):
    """A whisper on its way.

    Attributes:
        to: user id of the one to whom it goes.
        target: the login.
        number: its number in the thread.
    """

    to: str
    target: str
    author: Author
    text: str
    emotes: str
    thread: str
    number: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Whisper).decode


def thread_of(one: str, other: str) -> str:
    """The thread between two accounts, named by their user ids: the smaller first, as numbers where they are some."""
    return "_".join(sorted((one, other), key=lambda user_id: (user_id.zfill(40), user_id)))


class Whispers:
    """Whispers from and to the clients of one edge.

    Args:
        emotes: gives the emotes that everybody may use.
    """

    def __init__(self, store: Store, hearsay: Hearsay, emotes: Callable[[], Mapping[str, str]]) -> None:
        self._store = store
        self._hearsay = hearsay
        self._emotes = emotes
        self._here: dict[str, list[Session]] = {}
        self._turns: dict[Session, asyncio.Lock] = {}
        self._known: dict[tuple[str, int], None] = {}
        self._hearing = hearsay.hear(TOPIC, self._heard)

    def stop(self) -> None:
        """Hear nothing any more."""
        self._hearing.close()

    # who is here ------------------------------------------------------------------------------

    def came(self, session: Session) -> None:
        """Take note that a connection has logged in."""
        if session.account:
            self._here.setdefault(session.account, []).append(session)

    def went(self, session: Session) -> None:
        """Take note that a connection has gone, logged in or not."""
        self._turns.pop(session, None)
        here = self._here.get(session.account)
        if here is not None and session in here:
            here.remove(session)
            if not here:
                del self._here[session.account]

    def of(self, account: str) -> list[Session]:
        """The connections of an account to this edge."""
        return list(self._here.get(account, ()))

    # sending ----------------------------------------------------------------------------------

    def turn(self, session: Session) -> asyncio.Lock:
        """Held while a whisper of a connection is seen to, so that they go out in their order."""
        return self._turns.setdefault(session, asyncio.Lock())

    async def send(self, typed: Typed, target: Account, text: str) -> None:
        """Send a whisper on its way, or tell the sender why not (LIMIT-10).

        Raises:
            StoreUnavailable: nothing was sent.
        """
        account = typed.session.identity
        if account is None or not may_whisper(typed.session, target.user_id, typed.told_in):
            return
        text, thread = cut(text), thread_of(account.user_id, target.user_id)
        whisper = Whisper(
            target.user_id,
            target.login,
            author_of(account, owner=False, role="", relation=None),
            text,
            emote_ranges(text, self._emotes()),
            thread,
            await self._store.next_whisper(thread),
        )
        self._hearsay.tell(TOPIC, _encode(whisper))

    # hearing ----------------------------------------------------------------------------------

    def _heard(self, payload: bytes) -> None:
        whisper = _decode(payload)
        sessions = self._here.get(whisper.to)
        key = whisper.thread, whisper.number
        if not sessions or key in self._known:
            return
        self._known[key] = None
        if len(self._known) > REMEMBERED:
            self._known = dict.fromkeys(list(self._known)[REMEMBERED // 2 :])
        lines: dict[Caps, bytes] = {}
        for session in list(sessions):
            caps = session.caps
            if caps not in lines:
                lines[caps] = render_group.whisper(
                    caps,
                    whisper.target,
                    whisper.author,
                    whisper.text,
                    number=whisper.number,
                    thread=whisper.thread,
                    emotes=whisper.emotes,
                )
            session.write(lines[caps])
