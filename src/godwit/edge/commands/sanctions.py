"""Bans, timeouts, their ends, and lines that are removed (CLEAR-1, CLEAR-2)."""

from __future__ import annotations

from godwit.edge.commands.durations import in_words, seconds_of
from godwit.edge.commands.typed import BANNED, Typed, login_of
from godwit.tmi.login import is_anonymous
from godwit.values import LONGEST_TIMEOUT, Account, owner_of

DEFAULT_TIMEOUT = 600
"""Seconds of a timeout that names none."""


async def ban(typed: Typed) -> None:
    """Ban somebody for good, and take their role (CMD-ban)."""
    target = await _culprit(typed, "ban")
    if target is None:
        return
    if typed.sanctioned(target.user_id) == "ban":
        typed.notice("already_banned", user=target.login)
        return
    if role := typed.standing.role(target.user_id):
        await typed.act("unmod" if role == "mod" else "unvip", target, reason=BANNED)
    await typed.act("ban", target, reason=" ".join(typed.words[1:]))


async def timeout(typed: Typed) -> None:
    """Silence somebody for a while (CMD-timeout)."""
    seconds = seconds_of(typed.words[1]) if len(typed.words) > 1 else DEFAULT_TIMEOUT
    if not seconds:
        typed.explain()
        return
    if seconds > LONGEST_TIMEOUT:
        typed.notice("bad_timeout_duration", duration=in_words(LONGEST_TIMEOUT))
        return
    target = await _culprit(typed, "timeout")
    if target is None:
        return
    if typed.sanctioned(target.user_id) == "ban":
        typed.notice("already_banned", user=target.login)
    else:
        await typed.act("timeout", target, reason=" ".join(typed.words[2:]), seconds=seconds)


async def unban(typed: Typed) -> None:
    """End a ban, or a timeout as well (CMD-unban)."""
    target = await typed.target()
    if target is None:
        return
    standing = typed.sanctioned(target.user_id)
    if standing:
        await typed.act("lift", target, reason="unban" if standing == "ban" else "untimeout")
    else:
        typed.notice("bad_unban_no_ban", user=target.login)


async def untimeout(typed: Typed) -> None:
    """End a timeout (CMD-untimeout)."""
    target = await typed.target()
    if target is None:
        return
    standing = typed.sanctioned(target.user_id)
    if standing == "timeout":
        await typed.act("lift", target, reason="untimeout")
    else:
        typed.notice("untimeout_banned" if standing else "timeout_no_timeout", user=target.login)


async def clear(typed: Typed) -> None:
    """Clear the room (CMD-clear)."""
    await typed.act("clear")


async def delete(typed: Typed) -> None:
    """Remove one message (CMD-delete)."""
    said = typed.room.message(typed.words[0])
    if said is None:
        typed.notice("bad_delete_message_error")
        return
    author = said.author
    mine = author.user_id == typed.session.account
    if author.login == owner_of(typed.channel) and not mine:
        typed.notice("bad_delete_message_broadcaster")
    elif typed.standing.role(author.user_id) == "mod" and not mine and not typed.owner:
        typed.notice("bad_delete_message_mod", user=author.login)
    else:
        await typed.act("delete", Account(author.user_id, author.login), deletes=said.id)


async def _culprit(typed: Typed, deed: str) -> Account | None:
    """Who is to be sanctioned; None if nobody, or nobody may be, which the sender was told.

    Args:
        deed: part of the NOTICE's id: `ban` or `timeout`.
    """
    if is_anonymous(login_of(typed.words[0])):
        typed.notice(f"bad_{deed}_anon")
        return None
    target = await typed.target()
    if target is None:
        return None
    if target.user_id == typed.session.account:
        typed.notice(f"bad_{deed}_self")
    elif target.login == owner_of(typed.channel):
        typed.notice(f"bad_{deed}_broadcaster")
    elif target.user_type in ("staff", "admin", "global_mod"):
        typed.notice(f"bad_{deed}_{target.user_type}", user=target.login)
    elif typed.standing.role(target.user_id) == "mod" and not typed.owner:
        typed.notice(f"bad_{deed}_mod", user=target.login)
    else:
        return target
    return None
