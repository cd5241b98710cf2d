"""Hosting and raiding another channel (HOST-1, CMD-raid)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

from godwit.edge import notices
from godwit.edge.commands.typed import Typed, login_of, submit
from godwit.values import Act, Tell, UserNotice

if TYPE_CHECKING:
    from godwit.edge.audience import RoomAudience
    from godwit.edge.room import Room
    from godwit.edge.session import Session

MOST_HOSTS = 3
"""How often a channel may begin to host another one in half an hour."""

HALF_HOUR = 1800.0
"""Seconds."""

PATIENCE = 5.0
"""Seconds for which the other channel is waited for: other commands of this one wait as long."""


class Hosting:
    """What one channel has hosted lately, and whom it is about to raid, as far as this edge has read.

    Attributes:
        raid: the newest raid that was not called off.
    """

    __slots__ = ("_began", "_hosts", "raid")

    def __init__(self) -> None:
        self.raid: Act | None = None
        self._began = 0.0
        self._hosts: tuple[float, ...] = ()

    @property
    def blank(self) -> bool:
        """Whether there was nothing of the kind."""
        return self.raid is None and not self._hosts

    def acted(self, act: Act, time: float) -> None:
        """An act took effect, at log time `time`."""
        if act.kind == "host":
            self._hosts = (*self._hosts, time)[-MOST_HOSTS:]
        elif act.kind == "raid":
            self.raid, self._began = act, time
        elif act.kind == "unraid":
            self.raid = None

    def left(self, now: float) -> int:
        """How often the channel may still begin to host in this half hour."""
        return MOST_HOSTS - sum(now - time < HALF_HOUR for time in self._hosts)

    def raiding(self, now: float, delay: float) -> bool:
        """Whether a raid has been ordered that has not gone yet; it goes after `delay` seconds."""
        return self.raid is not None and now - self._began < delay


async def host(typed: Typed) -> None:
    """Show another channel's stream in one's own (CMD-host)."""
    name = login_of(typed.words[0])
    if name == typed.channel:
        typed.notice("bad_host_self")
        return
    if name == typed.standing.hosting:
        typed.notice("bad_host_hosting", channel=name)
        return
    if typed.room.audience.hosting.left(typed.now) <= 0:
        typed.notice("bad_host_rate_exceeded", number=MOST_HOSTS)
        return
    target = await typed.account(name)
    there = await _known(typed.session, name) if target else None
    if target is None or there is None:
        typed.notice("bad_host_error", channel=name[:80])
    elif target.channel_suspended or there.audience.standing.sanction(typed.session.account, typed.now):
        typed.notice("bad_host_rejected")
    else:
        await typed.act("host", target, viewers=typed.room.audience.company.viewers())


async def unhost(typed: Typed) -> None:
    """Stop that (CMD-unhost)."""
    if typed.standing.hosting:
        await typed.act("unhost")
    else:
        typed.notice("not_hosting")


def hosted(session: Session, room: Room, act: Act) -> None:
    """A channel hosts another one now: tell the one who did it what is left, and the other channel's owner."""
    session.notice(room.name, "hosts_remaining", number=room.audience.hosting.left(session.node.clock.now()))
    msg_id = "host_success_viewers" if act.viewers else "host_success"
    tell = Tell(
        id=str(uuid4()),
        epoch=0,
        producer=session.producer,
        number=0,
        text=notices.text(msg_id, user=act.by.display_name or act.by.login, number=act.viewers),
        msg_id=msg_id,
    )
    session.node.room(act.target_login).submit(tell)


async def raid(typed: Typed) -> None:
    """Send one's viewers to another channel, in a while (CMD-raid)."""
    name = login_of(typed.words[0])
    if name == typed.channel:
        typed.notice("raid_error_self")
        return
    if _raiding(typed):
        typed.notice("raid_error_already_raiding")
        return
    target = await typed.account(name)
    there = await _known(typed.session, name) if target else None
    if target is None or there is None:
        typed.notice("raid_error_unexpected", channel=name[:80])
    elif target.channel_suspended or there.audience.standing.sanction(typed.session.account, typed.now):
        typed.notice("raid_error_forbidden")
    else:
        typed.session.node.neighbours.mind(typed.channel)  # by the time the raid goes the others have been counted
        await typed.act("raid", target)


async def unraid(typed: Typed) -> None:
    """Call that off (CMD-unraid)."""
    if _raiding(typed):
        await typed.act("unraid")
    else:
        typed.notice("unraid_error_no_active_raid")


def begun(session: Session, room: Room, act: Act) -> None:
    """A raid will go: tell the one who ordered it, and see to it that it goes in time."""
    delay = session.node.settings.edge.raid_delay
    session.notice(room.name, "godwit_raid", channel=act.target_login, seconds=round(delay))
    standing = session.node.room(act.target_login).audience.standing
    if standing.setting("followers-only") >= 0 or standing.setting("subs-only"):
        session.notice(room.name, "raid_notice_restricted_chat")
    raid = Raid(session, room.audience, act)
    if delay:
        session.node.wheel.set(raid, session.node.loop.time() + delay)
    else:
        raid.go()


class Raid:
    """A raid that has been ordered and will go when its time has come.

    Attributes:
        slot: the deadline wheel's note.
    """

    __slots__ = ("_act", "_audience", "_session", "slot")

    def __init__(self, session: Session, audience: RoomAudience, act: Act) -> None:
        self._session = session
        self._audience = audience
        self._act = act
        self.slot = 0

    def due(self, now: float) -> None:
        """Go, unless it was called off."""
        if self._audience.hosting.raid is self._act:
            self.go()

    def go(self) -> None:
        """Show the raid in the channel that is raided (UN-1)."""
        session, act = self._session, self._act
        name, viewers = act.by.display_name or act.by.login, self._audience.company.viewers()
        record = UserNotice(
            id=str(uuid4()),
            epoch=0,
            producer=session.producer,
            number=0,
            kind="raid",
            author=session.author(act.target_login),
            system_msg=f"{viewers} raiders from {name} have joined!",
            params={"displayName": name, "login": act.by.login, "viewerCount": str(viewers)},
        )
        submit(session, session.node.room(act.target_login), record)


def _raiding(typed: Typed) -> bool:
    return typed.room.raiding


async def _known(session: Session, channel: str) -> Room | None:
    """Another channel, once its state is known; None if it cannot be had."""
    room, known = session.node.room(channel), asyncio.Event()
    found: list[bool] = []

    def answer(*, yes: bool) -> None:
        found.append(yes)
        known.set()

    if not room.when_known(session, lambda: answer(yes=True), lambda: answer(yes=False)):
        return None
    try:
        async with asyncio.timeout(PATIENCE):
            await known.wait()
    except TimeoutError:
        return None
    return room if found[0] else None
