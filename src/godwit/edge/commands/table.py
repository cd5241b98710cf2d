"""The commands as a table: who may use one, what it needs. The dispatcher checks that, handlers don't.

A command about a channel waits until this edge knows the channel's state, and those of one channel are carried out
one after the other, in the order in which they came. A row of the store is written before its record is appended
(rule R2).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import structlog

from godwit.edge.commands import hosting, modes, own, roles, sanctions, stream
from godwit.edge.commands.typed import Typed, login_of
from godwit.edge.quota import may_command, may_wait
from godwit.errors import StoreUnavailable
from godwit.tmi.events import CommandSent
from godwit.values import is_room

if TYPE_CHECKING:
    from godwit.edge.session import Session

log = structlog.get_logger()


class Who(Enum):
    """Who may use a command."""

    ANYBODY = "anybody"
    MODERATOR = "moderators, the broadcaster, and staff, admins and global moderators anywhere"
    OWNER = "the broadcaster, and staff and admins anywhere"


class Command(NamedTuple):
    """One row.

    Attributes:
        usage: id of the NOTICE that explains the command; sent to who types it wrong.
        least: how many words it needs; what is beyond what it takes is ignored.
        bare: it takes no words.
        scoped: it is about the channel; others are taken in any channel, existing or not (MSG-5).
        stream: it is about a stream, which group rooms don't have.
        trouble: id of the NOTICE that it cannot be done now.
        suspended: id of the NOTICE to an account that is suspended.
    """

    who: Who
    usage: str
    run: Callable[[Typed], Awaitable[None]]
    least: int = 0
    bare: bool = False
    scoped: bool = True
    stream: bool = False
    trouble: str = "godwit_unavailable"
    suspended: str = "msg_suspended"


def _switch(setting: str, value: int, usage: str) -> Command:
    return Command(Who.MODERATOR, usage, modes.switch(setting, value), bare=True)


def _announce(color: str) -> Command:
    return Command(Who.MODERATOR, "usage_announce", stream.announce(color), least=1)


async def _help(typed: Typed) -> None:
    """List the commands that the sender may use here, or explain one (CMD-help)."""
    if not typed.words:
        names = [f"/{name}" for name, row in COMMANDS.items() if _may(typed, row.who)]
        typed.notice("cmds_available", commands=" ".join(names))
        return
    row = COMMANDS.get(typed.words[0].lstrip("/.").lower())
    if row is None:
        typed.notice("no_help")
    else:
        typed.explain(row.usage)


COMMANDS: dict[str, Command] = {
    "ban": Command(Who.MODERATOR, "usage_ban", sanctions.ban, least=1),
    "unban": Command(Who.MODERATOR, "usage_unban", sanctions.unban, least=1),
    "timeout": Command(Who.MODERATOR, "usage_timeout", sanctions.timeout, least=1),
    "untimeout": Command(Who.MODERATOR, "usage_untimeout", sanctions.untimeout, least=1),
    "clear": Command(Who.MODERATOR, "usage_clear", sanctions.clear, bare=True),
    "delete": Command(Who.MODERATOR, "usage_delete", sanctions.delete, least=1),
    "slow": Command(Who.MODERATOR, "usage_slow_on", modes.slow),
    "slowoff": Command(Who.MODERATOR, "usage_slow_off", modes.slowoff, bare=True),
    "followers": Command(Who.MODERATOR, "usage_followers_on", modes.followers),
    "followersoff": Command(Who.MODERATOR, "usage_followers_off", modes.followersoff, bare=True),
    "subscribers": _switch("subs-only", 1, "usage_subs_on"),
    "subscribersoff": _switch("subs-only", 0, "usage_subs_off"),
    "emoteonly": _switch("emote-only", 1, "usage_emote_only_on"),
    "emoteonlyoff": _switch("emote-only", 0, "usage_emote_only_off"),
    "uniquechat": _switch("r9k", 1, "usage_r9k_on"),
    "uniquechatoff": _switch("r9k", 0, "usage_r9k_off"),
    "r9kbeta": _switch("r9k", 1, "usage_r9k_on"),
    "r9kbetaoff": _switch("r9k", 0, "usage_r9k_off"),
    "mod": Command(Who.OWNER, "usage_mod", roles.mod, least=1),
    "unmod": Command(Who.OWNER, "usage_unmod", roles.unmod, least=1),
    "mods": Command(Who.ANYBODY, "usage_mods", roles.listing("mod", "room_mods", "no_mods"), bare=True),
    "vip": Command(Who.OWNER, "usage_vip", roles.vip, least=1),
    "unvip": Command(Who.OWNER, "usage_unvip", roles.unvip, least=1),
    "vips": Command(Who.ANYBODY, "usage_vips", roles.listing("vip", "vips_success", "no_vips"), bare=True),
    "host": Command(Who.OWNER, "usage_host", hosting.host, least=1, stream=True, trouble="bad_host_error"),
    "unhost": Command(Who.OWNER, "usage_unhost", hosting.unhost, bare=True, stream=True, trouble="bad_unhost_error"),
    "raid": Command(Who.OWNER, "usage_raid", hosting.raid, least=1, stream=True, trouble="raid_error_unexpected"),
    "unraid": Command(
        Who.OWNER, "usage_unraid", hosting.unraid, bare=True, stream=True, trouble="unraid_error_unexpected"
    ),
    "announce": _announce("PRIMARY"),
    "announceblue": _announce("BLUE"),
    "announcegreen": _announce("GREEN"),
    "announceorange": _announce("ORANGE"),
    "announcepurple": _announce("PURPLE"),
    "marker": Command(Who.OWNER, "usage_marker", stream.marker, stream=True),
    "commercial": Command(
        Who.OWNER, "usage_commercial", stream.commercial, stream=True, trouble="bad_commercial_error"
    ),
    "help": Command(Who.ANYBODY, "usage_help", _help),
    "color": Command(Who.ANYBODY, "usage_color", own.color, least=1, scoped=False),
    "me": Command(Who.ANYBODY, "usage_me", own.me, scoped=False),
    "w": Command(Who.ANYBODY, "usage_w", own.whisper, scoped=False, suspended="whisper_banned"),
    "disconnect": Command(Who.ANYBODY, "usage_disconnect", own.disconnect, bare=True, scoped=False),
}
"""Name, in lower case and without its slash -> row."""


def command_sent(session: Session, event: CommandSent) -> None:
    """Do what was typed, or say why not: at once if all is known that decides it (MSG-4, MSG-10)."""
    row = COMMANDS.get(event.name)
    node = session.node
    if row is None or (row.scoped and not node.serves(event.channel)):
        _refuse(session, event, "msg_room_not_found" if is_room(event.channel) else "unrecognized_cmd")
        return
    typed = Typed(session, event, row.usage)
    if not row.scoped:
        _begin(typed, row)
    elif node.groups is None:
        _take(typed, row)
    elif row.stream:
        _refuse(session, event, "unsupported_chatrooms_cmd")
    else:
        node.groups.admit(session, event.channel, partial(_take, typed, row))


def _take(typed: Typed, row: Command) -> None:
    """Do it once all is known that decides whether it may be done."""
    session = typed.session
    if not may_wait(session, typed.channel):
        return
    if not typed.room.when_known(session, partial(_begin, typed, row), partial(_trouble, typed, row)):
        typed.notice("msg_ratelimit")


def _refuse(session: Session, event: CommandSent, msg_id: str) -> None:
    if may_command(session, event.channel, event.name, session.exempt(event.channel)):
        session.notice(event.channel, msg_id, command=event.name)


def _begin(typed: Typed, row: Command) -> None:
    session = typed.session
    if not may_command(session, typed.channel, typed.name, session.exempt(typed.channel)):
        return
    if session.identity is not None and session.identity.suspended and row is not COMMANDS["disconnect"]:
        typed.notice(row.suspended)
    elif row.scoped and session.node.relations.closed(typed.channel):
        typed.notice("msg_channel_suspended")
    elif row.scoped and not _may(typed, row.who):
        typed.notice("no_permission")
    elif len(typed.words) < row.least or (typed.words and row.bare):
        typed.explain()
    else:
        session.node.tasks.start(_run(typed, row), f"/{typed.name}", failed=lambda error: _trouble(typed, row))


def _may(typed: Typed, who: Who) -> bool:
    if who is Who.ANYBODY:
        return True
    return typed.moderator if who is Who.MODERATOR else typed.owner


async def _run(typed: Typed, row: Command) -> None:
    if not row.scoped:
        await _try(typed, row)
        return
    room = typed.room
    async with room.moderating:
        if typed.room is not room:
            _trouble(typed, row)  # it was given up meanwhile, and of the new one nothing is known
        elif not _may(typed, row.who):
            typed.notice("no_permission")  # by what was done while this waited
        else:
            await _try(typed, row)


async def _try(typed: Typed, row: Command) -> None:
    try:
        await row.run(typed)
    except StoreUnavailable as error:
        log.warning("command_failed", channel=typed.channel, command=typed.name, error=str(error))
        _trouble(typed, row)


def _trouble(typed: Typed, row: Command) -> None:
    typed.notice(row.trouble, channel=login_of(typed.words[0])[:80] if typed.words else "")


__all__ = ["COMMANDS", "Command", "Who", "command_sent"]
