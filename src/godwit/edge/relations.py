"""What a node knows of accounts in channels: relations, facts of the account, closed channels, emotes.

The store says it, and the node keeps what is in use. It is asked for before a JOIN or a PRIVMSG is acted on, together
with what others ask for (`batches.py`), and again after a minute of use (USER-1). While nobody has ever brought any
facts, nothing is asked. When the store is silent, chat goes on with what is known.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import structlog

from godwit.edge.batches import Batches
from godwit.edge.tasks import Tasks
from godwit.errors import StoreUnavailable
from godwit.store.base import Store
from godwit.tmi.emotes import GLOBAL
from godwit.values import Account, Emote, Relation

if TYPE_CHECKING:
    from godwit.edge.session import Session

log = structlog.get_logger()

REFRESH = 60.0
"""Seconds after which what is in use is asked for again, and between two looks at whether anything has changed."""

RETRY = 5.0
"""Seconds after which the store is asked again that did not answer."""

PATIENCE = 2.0
"""Seconds that a JOIN or a message waits for the store's answer, its turn not counted."""

KEPT = 50_000
"""Accounts in channels, and channels, of which something is kept: those that were used last."""


class _Question(msgspec.Struct, frozen=True):
    channel: str
    user_id: str
    login: str


class _Answer(msgspec.Struct, frozen=True):
    account: Account | None
    relation: Relation
    closed: bool
    emotes: dict[str, str]


class _Tie(msgspec.Struct):
    """What is known of an account in a channel, and the loop time from which on it is old."""

    relation: Relation
    old: float


class _Place(msgspec.Struct, frozen=True):
    """What is known of a channel; `emotes` are None if it has none of its own."""

    closed: bool
    emotes: Mapping[str, str] | None


class Relations:
    """What a node knows of accounts in channels.

    Args:
        now: the loop's time in seconds.
        tasks: owner of the work.
        on_roles: called when operators have brought roles: the channels are to ask anew. It may raise
            `StoreUnavailable` or `TimeoutError`, and is called again at the next look.
    """

    def __init__(
        self, store: Store, now: Callable[[], float], tasks: Tasks, on_roles: Callable[[], Awaitable[None]]
    ) -> None:
        self._store = store
        self._now = now
        self._tasks = tasks
        self._on_roles = on_roles
        self._version = 0
        self._roles: int | None = None
        self._emotes: Mapping[str, str] = GLOBAL
        self._ties: OrderedDict[tuple[str, str], _Tie] = OrderedDict()
        self._places: OrderedDict[str, _Place] = OrderedDict()
        self._asking: dict[tuple[str, str], list[Callable[[], None]]] = {}
        self._questions: Batches[_Question, _Answer] = Batches(self._ask, PATIENCE, tasks, "relations")

    # what is known ----------------------------------------------------------------------------

    def ready(self, session: Session, channel: str, again: Callable[[], None] | None = None) -> bool:
        """Say whether enough is known of a connection's account in a channel; if not, it is asked for.

        Args:
            again: called once, when it is known, or when the store has not answered in time; if it was known already
                it is not called.
        """
        if not self._version:
            return True
        key = (channel, session.account)
        tie = self._ties.get(key)
        if tie is not None:
            self._ties.move_to_end(key)
            if self._now() >= tie.old and key not in self._asking:
                self._start(key, session)
            return True
        if key not in self._asking:
            self._start(key, session)
        if again is not None:
            self._asking[key].append(partial(session.guard, again))
        return False

    def relation(self, channel: str, user_id: str) -> Relation | None:
        """What ties an account to a channel, as far as it is known; None until it was `ready`."""
        tie = self._ties.get((channel, user_id))
        return tie.relation if tie is not None else None

    def place(self, channel: str) -> tuple[Mapping[str, str], bool]:
        """The emotes of a channel, everybody's among them (word -> id), and whether it is known to be suspended."""
        place = self._places.get(channel)
        if place is None:
            return self._emotes, False
        return self._emotes if place.emotes is None else place.emotes, place.closed

    def closed(self, channel: str) -> bool:
        """Say whether a channel is known to be suspended."""
        return self.place(channel)[1]

    def emotes(self, channel: str) -> Mapping[str, str]:
        """The emotes of a channel, everybody's among them: word -> id."""
        return self.place(channel)[0]

    def emote_sets(self, channel: str, room_id: str) -> str:
        """The tag `emote-sets` in a channel: everybody's set, and the channel's if it has one (EMOTE-4)."""
        place = self._places.get(channel)
        return "0" if place is None or place.emotes is None else f"0,{room_id}"

    # asking -----------------------------------------------------------------------------------

    async def check(self) -> None:
        """Look whether anything has changed (once every `REFRESH` seconds); everybody's emotes are then read anew."""
        try:
            version = await self._store.people_version()
            if version != self._version:
                self._emotes = {**GLOBAL, **_words(await self._store.emotes_of([""]))}
                self._version = version
            roles = await self._store.roles_version()
            if self._roles not in (None, roles):
                await self._on_roles()
            self._roles = roles
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("people_unknown", error=repr(error))

    def _start(self, key: tuple[str, str], session: Session) -> None:
        self._asking[key] = []
        self._tasks.start(self._load(key, session), f"relation {key[0]}")

    async def _load(self, key: tuple[str, str], session: Session) -> None:
        answer: _Answer | None = None
        identity = session.identity
        try:
            answer = await self._questions.answer(_Question(*key, session.nick), session.producer)
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("relation_unknown", channel=key[0], error=repr(error))
        except Exception:
            # Whatever the store died of, those who wait must go on.
            log.exception("relation_unknown", channel=key[0])
        if answer is None:
            known = self._ties.get(key)
            self._keep(key, known.relation if known else Relation(*key), self._now() + RETRY)
        else:
            self._keep(key, answer.relation, self._now() + REFRESH)
            emotes = {**self._emotes, **answer.emotes} if answer.emotes else None
            self._places[key[0]] = _Place(answer.closed, emotes)
            self._places.move_to_end(key[0])
            if len(self._places) > KEPT:
                self._places.popitem(last=False)
            changed = session.identity is not identity  # by a command, and what was read is older than that
            if answer.account is not None and session.account == answer.account.user_id and not changed:
                session.identity = answer.account
        for again in self._asking.pop(key):
            again()

    def _keep(self, key: tuple[str, str], relation: Relation, old: float) -> None:
        self._ties[key] = _Tie(relation, old)
        self._ties.move_to_end(key)
        if len(self._ties) > KEPT:
            self._ties.popitem(last=False)

    async def _ask(self, questions: Sequence[_Question]) -> list[_Answer]:
        """Ask the store for many accounts in channels."""
        channels = dict.fromkeys(question.channel for question in questions)
        logins = list(dict.fromkeys([*channels, *(question.login for question in questions if question.user_id)]))
        accounts = dict(zip(logins, await self._store.owners(logins), strict=True))
        relations = await self._store.relations([(question.channel, question.user_id) for question in questions])
        emotes: dict[str, list[Emote]] = {}
        for emote in await self._store.emotes_of(channels):
            emotes.setdefault(emote.channel, []).append(emote)
        answers = []
        for question, relation in zip(questions, relations, strict=True):
            owner = accounts[question.channel]
            answers.append(
                _Answer(
                    accounts[question.login] if question.user_id else None,
                    relation,
                    owner is not None and owner.channel_suspended,
                    _words(emotes.get(question.channel, ())),
                )
            )
        return answers


def _words(emotes: Sequence[Emote]) -> dict[str, str]:
    return {emote.code: emote.id for emote in emotes}
