"""Commands typed in a PRIVMSG (MSG-4, MSG-5, NOTICE-6): moderation by the broadcaster, `/disconnect`.

A ban, a timeout or its end is written to the store before it is appended (rule R2). Acts of one
channel are checked and written one after the other, in the order in which they came.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

import structlog

from godwit.errors import StoreUnavailable
from godwit.store.base import Sanction
from godwit.tmi.events import CommandSent
from godwit.values import Account, Act, is_login

if TYPE_CHECKING:
    from godwit.edge.room import Room
    from godwit.edge.session import Session

log = structlog.get_logger()

DEFAULT_TIMEOUT = 600
"""Seconds of a timeout that names none."""

LONGEST_TIMEOUT = 14 * 86_400
"""Seconds: two weeks."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "": 1}
_DURATION = re.compile(r"(?:[0-9]{1,9}[smhdw]?)+")
_PART = re.compile(r"([0-9]+)([smhdw]?)")


def command_sent(session: Session, event: CommandSent) -> None:
    """Do what was typed, or say that there is no such command: at once if the store need not be asked (MSG-10)."""
    if event.name == "disconnect":
        session.close("asked to disconnect")
    elif event.name == "me":
        session.notice(event.channel, "usage_me")
    elif event.name not in _COMMANDS or session.node.quiet:
        session.notice(event.channel, "unrecognized_cmd", command=event.name)
    elif not session.owns(event.channel):
        session.notice(event.channel, "no_permission")
    else:
        room = session.node.room(event.channel)
        session.node.tasks.start(
            _in_order(session, room, event),
            f"/{event.name}",
            failed=lambda error: session.notice(event.channel, "godwit_unavailable"),
        )


async def tell_timeout(session: Session, room: Room) -> None:
    """Tell somebody for how long they are timed out (NOTICE-1)."""
    try:
        standing = await _standing(room, session, session.account)
    except StoreUnavailable as error:
        log.warning("timeout_unknown", channel=room.name, error=str(error))
        standing = None
    seconds = _seconds_left(standing, session.node.clock.now()) if standing else 0
    session.notice(room.name, "msg_timedout", channel=room.name, seconds=max(seconds, 1))


async def _in_order(session: Session, room: Room, event: CommandSent) -> None:
    async with room.moderating:
        try:
            await _COMMANDS[event.name](session, room, event.args.split())
        except StoreUnavailable as error:
            log.warning("act_failed", channel=room.name, act=event.name, error=str(error))
            session.notice(room.name, "godwit_unavailable")


# the commands ---------------------------------------------------------------------------------------


async def _ban(session: Session, room: Room, words: Sequence[str]) -> None:
    target = await _target(session, room, words, usage="usage_ban")
    if target is None:
        return
    standing = await _standing(room, session, target.user_id)
    if target.login == session.nick:
        session.notice(room.name, "bad_ban_self")
    elif standing and standing.kind == "ban":
        session.notice(room.name, "already_banned", user=target.login)
    else:
        await _sanction(session, room, "ban", target, reason=" ".join(words[1:]))


async def _timeout(session: Session, room: Room, words: Sequence[str]) -> None:
    target = await _target(session, room, words, usage="usage_timeout")
    if target is None:
        return
    seconds = seconds_of(words[1]) if len(words) > 1 else DEFAULT_TIMEOUT
    if not seconds:
        session.notice(room.name, "usage_timeout")
    elif seconds > LONGEST_TIMEOUT:
        session.notice(room.name, "bad_timeout_duration", duration="2 weeks")
    elif target.login == session.nick:
        session.notice(room.name, "bad_timeout_self")
    else:
        await _sanction(session, room, "timeout", target, reason=" ".join(words[2:]), seconds=seconds)


async def _unban(session: Session, room: Room, words: Sequence[str]) -> None:
    target = await _target(session, room, words, usage="usage_unban")
    if target is None:
        return
    if await _standing(room, session, target.user_id) is None:
        session.notice(room.name, "bad_unban_no_ban", user=target.login)
    else:
        await _sanction(session, room, "lift", target, reason="unban")


async def _untimeout(session: Session, room: Room, words: Sequence[str]) -> None:
    target = await _target(session, room, words, usage="usage_untimeout")
    if target is None:
        return
    standing = await _standing(room, session, target.user_id)
    if standing is None:
        session.notice(room.name, "timeout_no_timeout", user=target.login)
    elif standing.kind == "ban":
        session.notice(room.name, "untimeout_banned", user=target.login)
    else:
        await _sanction(session, room, "lift", target, reason="untimeout")


async def _clear(session: Session, room: Room, words: Sequence[str]) -> None:
    _submit(session, room, _act(session, room, "clear"))


async def _delete(session: Session, room: Room, words: Sequence[str]) -> None:
    if not words:
        session.notice(room.name, "usage_delete")
        return
    said = room.message(words[0])
    if said is None:
        session.notice(room.name, "bad_delete_message_error")
        return
    target = Account(said.author.user_id, said.author.login)
    _submit(session, room, _act(session, room, "delete", target, deletes=said.id))


_COMMANDS: dict[str, Callable[[Session, Room, Sequence[str]], Awaitable[None]]] = {
    "ban": _ban,
    "clear": _clear,
    "delete": _delete,
    "timeout": _timeout,
    "unban": _unban,
    "untimeout": _untimeout,
}


# what they share --------------------------------------------------------------------------------------


def seconds_of(text: str) -> int:
    """Read a duration such as `600`, `10m` or `1d2h`; 0 if it is none."""
    if not _DURATION.fullmatch(text):
        return 0
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))


async def _target(session: Session, room: Room, words: Sequence[str], *, usage: str) -> Account | None:
    """The account that the first word names; None if there is none, which the sender was told."""
    if not words:
        session.notice(room.name, usage)
        return None
    login = words[0].removeprefix("@").lower()
    account = await session.node.store.account(login) if is_login(login) else None
    if account is None:
        session.notice(room.name, "invalid_user", user=login[:80])
    return account


async def _standing(room: Room, session: Session, user_id: str) -> Sanction | None:
    """The ban or timeout that stands against an account, as the store has it."""
    rows = [row for row in await session.node.store.sanctions(room.name) if row.target == user_id]
    if not rows or rows[-1].kind == "lift":
        return None
    last = rows[-1]
    return None if last.kind == "timeout" and not _seconds_left(last, session.node.clock.now()) else last


def _seconds_left(sanction: Sanction, now: float) -> int:
    """Seconds until a timeout ends; all of it if its record has not been read yet (rule R4)."""
    passed = max(now - sanction.time, 0.0) if sanction.position else 0.0
    return max(round(sanction.seconds - passed), 0)


async def _sanction(
    session: Session,
    room: Room,
    kind: Literal["ban", "timeout", "lift"],
    target: Account,
    *,
    reason: str,
    seconds: int = 0,
) -> None:
    act = _act(session, room, kind, target, reason=reason, seconds=seconds)
    await session.node.store.add_sanction(
        Sanction(
            act.id,
            room.name,
            kind,
            target=target.user_id,
            target_login=target.login,
            by=session.nick,
            reason=reason,
            seconds=seconds,
            time=session.node.clock.now(),  # readers wait for a young row only: its record may be on its way (R3)
        )
    )
    _submit(session, room, act)


def _act(
    session: Session,
    room: Room,
    kind: Literal["ban", "timeout", "lift", "clear", "delete"],
    target: Account | None = None,
    *,
    reason: str = "",
    seconds: int = 0,
    deletes: str = "",
) -> Act:
    return Act(
        id=str(uuid4()),
        epoch=0,
        producer=session.producer,
        number=0,
        kind=kind,
        by=session.author(room.name),
        target=target.user_id if target else "",
        target_login=target.login if target else "",
        seconds=seconds,
        reason=reason,
        deletes=deletes,
    )


def _submit(session: Session, room: Room, act: Act) -> None:
    # Not `room`: it may have been given up while the store was asked, and then another has its name.
    if not session.node.room(room.name).submit(act):
        session.notice(room.name, "msg_ratelimit")
