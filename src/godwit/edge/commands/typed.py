"""A command as somebody typed it, and what all commands share: who is meant, what is written, what is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

from godwit.chat.authors import EVERYWHERE
from godwit.edge.quota import WHISPERS
from godwit.edge.standing import Standing
from godwit.store.base import AuditEntry, Sanction
from godwit.tmi.events import CommandSent
from godwit.tmi.login import is_anonymous
from godwit.values import FAMILIES, Account, Act, ActKind, Change, Produced, UserNotice, is_login

if TYPE_CHECKING:
    from godwit.edge.room import Room
    from godwit.edge.session import Session
    from godwit.store.base import Store

OWNERS = frozenset({"staff", "admin"})
"""Kinds of users that may do everywhere what the broadcaster may."""

BANNED = "banned"
"""Reason of the act that takes its role from an account, because it is banned; nobody is told of it."""


class Typed:
    """A command with the channel it was typed in.

    Attributes:
        name: the command, in lower case and without its slash.
        usage: id of the NOTICE that explains it.
        args: all that followed it.
        words: the same, word by word.
        channel: the channel's name.
        told_in: the channel in which the sender is told.
    """

    __slots__ = ("args", "channel", "name", "session", "told_in", "usage", "words")

    def __init__(self, session: Session, event: CommandSent, usage: str) -> None:
        self.session = session
        self.name = event.name
        self.usage = usage
        self.args = event.args
        self.words: Sequence[str] = event.args.split()
        self.channel = event.channel
        self.told_in = WHISPERS if event.name == "w" and session.node.quiet else event.channel

    # what there is ----------------------------------------------------------------------------

    @property
    def room(self) -> Room:
        """The channel; it may be given up while the store is asked, and then another has its name."""
        return self.session.node.room(self.channel)

    @property
    def standing(self) -> Standing:
        """What holds in the channel."""
        return self.room.audience.standing

    @property
    def store(self) -> Store:
        """The store."""
        return self.session.node.store

    @property
    def now(self) -> float:
        """The time, in seconds since the Unix epoch."""
        return self.session.node.clock.now()

    @property
    def owner(self) -> bool:
        """Whether the sender may do what the broadcaster may."""
        return self.session.owns(self.channel) or self._user_type in OWNERS

    @property
    def moderator(self) -> bool:
        """Whether the sender may do what moderators may."""
        return self.owner or self._user_type in EVERYWHERE or self.standing.role(self.session.account) == "mod"

    def sanctioned(self, user_id: str) -> Literal["", "ban", "timeout"]:
        """What stands against an account in the channel."""
        return self.standing.sanction(user_id, self.now)

    @property
    def _user_type(self) -> str:
        return self.session.identity.user_type if self.session.identity else ""

    # what is told -----------------------------------------------------------------------------

    def notice(self, msg_id: str, /, **values: object) -> None:
        """Tell the sender something (NOTICE-1, GROUP-2)."""
        self.session.notice(self.told_in, msg_id, **values)

    def explain(self, usage: str = "") -> None:
        """Tell the sender how the command is used, or another one."""
        self.notice(usage or self.usage, number=DEFAULT_SLOW)

    async def target(self) -> Account | None:
        """The account that the first word names; None if there is none, which the sender was told."""
        login = login_of(self.words[0])
        account = await self.account(login)
        if account is None:
            self.notice("invalid_user", user=login[:80])
        return account

    async def account(self, login: str) -> Account | None:
        """The account of a login, if there can be one."""
        return await self.store.account(login) if is_login(login) and not is_anonymous(login) else None

    # what is done -----------------------------------------------------------------------------

    async def act(
        self,
        kind: ActKind,
        target: Account | None = None,
        *,
        reason: str = "",
        seconds: int = 0,
        deletes: str = "",
        viewers: int = 0,
    ) -> bool:
        """Write an act to the store, to the audit, and have it appended (rule R2); False if the sender was told no."""
        act = Act(
            id=str(uuid4()),
            epoch=0,
            producer=self.session.producer,
            number=0,
            kind=kind,
            by=self.session.author(self.channel),
            target=target.user_id if target else "",
            target_login=target.login if target else "",
            seconds=seconds,
            reason=reason,
            deletes=deletes,
            viewers=viewers,
        )
        if family := FAMILIES.get(kind):
            await self._write(act.id, kind, "" if family == "host" else act.target, act.target_login, reason, seconds)
        details = " ".join(word for word in (act.target_login, str(seconds or ""), deletes) if word)
        await self.audit(kind, reason=reason, details=details)
        return self.submit(act)

    async def change(self, setting: str, value: int) -> bool:
        """Change a setting of the room, in the same way."""
        change = Change(
            id=str(uuid4()),
            epoch=0,
            producer=self.session.producer,
            number=0,
            by=self.session.author(self.channel),
            settings={setting: value},
        )
        await self._write(change.id, "set", setting, "", "", value)
        await self.audit("set", details=f"{setting} {value}")
        return self.submit(change)

    async def audit(self, action: str, *, reason: str = "", details: str = "") -> None:
        """Note in the audit who did what."""
        entry = AuditEntry(self.now, self.session.nick, action, self.channel, reason, details)
        await self.store.audit(entry)

    def submit(self, record: Act | Change | UserNotice) -> bool:
        """Have a record appended; False if too much of the sender's waits already, which it was told."""
        return submit(self.session, self.room, record)

    async def _write(self, id: str, kind: str, target: str, login: str, reason: str, seconds: int) -> None:
        row = Sanction(
            id=id,
            channel=self.channel,
            kind=kind,  # type: ignore[arg-type]  # the kinds of rows are those of `FAMILIES`
            target=target,
            target_login=login,
            by=self.session.nick,
            reason=reason,
            seconds=seconds,
            time=self.now,  # readers wait for a young row only: its record may be on its way (R3)
        )
        await self.store.add_sanction(row)


def submit(session: Session, room: Room, record: Produced) -> bool:
    """Have a record of a connection appended; False if too much of it waits already, which it was told."""
    if not room.submit(record):
        session.notice(room.name, "msg_ratelimit")
        return False
    if isinstance(record, Act | Change):
        room.audience.standing.submitted(record)
    return True


def login_of(word: str) -> str:
    """The login that a word names, as people type it."""
    return word.removeprefix("@").removeprefix("#").lower()


DEFAULT_SLOW = 30
"""Seconds of slow mode if none are named (CMD-slow)."""
