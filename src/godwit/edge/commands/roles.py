"""Moderators and VIPs. An account has one role at most: a new one takes the place of the old."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from godwit.edge.commands.typed import Typed
from godwit.values import Account, owner_of

MOST_VIPS = 100
"""VIPs of one channel."""


async def mod(typed: Typed) -> None:
    """Make somebody a moderator (CMD-mod)."""
    target = await typed.target()
    if target is None:
        return
    if typed.sanctioned(target.user_id) == "ban":
        typed.notice("bad_mod_banned", user=target.login)
    elif target.login == owner_of(typed.channel) or typed.standing.role(target.user_id) == "mod":
        typed.notice("bad_mod_mod", user=target.login)
    else:
        await typed.act("mod", target)


async def unmod(typed: Typed) -> None:
    """Take that away (CMD-unmod)."""
    target = await _bearer(typed, "mod")
    if target:
        await typed.act("unmod", target)


async def vip(typed: Typed) -> None:
    """Make somebody a VIP (CMD-vip)."""
    target = await typed.target()
    if target is None:
        return
    if typed.sanctioned(target.user_id) == "ban":
        typed.notice("bad_vip_grantee_banned", user=target.login)
    elif typed.standing.role(target.user_id) == "vip":
        typed.notice("bad_vip_grantee_already_vip", user=target.login)
    elif len(typed.standing.roles("vip")) >= MOST_VIPS:
        typed.notice("bad_vip_max_vips_reached", number=MOST_VIPS)
    else:
        await typed.act("vip", target)


async def unvip(typed: Typed) -> None:
    """Take that away (CMD-unvip)."""
    target = await _bearer(typed, "vip")
    if target:
        await typed.act("unvip", target)


def listing(role: Literal["mod", "vip"], some: str, none: str) -> Callable[[Typed], Awaitable[None]]:
    """A command that lists who has a role: `mods`, `vips`."""

    async def run(typed: Typed) -> None:
        users = typed.standing.roles(role)
        if users:
            typed.notice(some, users=", ".join(users))
        else:
            typed.notice(none)

    return run


async def _bearer(typed: Typed, role: Literal["mod", "vip"]) -> Account | None:
    """Somebody who has the role; None if not, which the sender was told."""
    target = await typed.target()
    if target is None or typed.standing.role(target.user_id) == role:
        return target
    typed.notice("bad_unmod_mod" if role == "mod" else "bad_unvip_grantee_not_vip", user=target.login)
    return None
