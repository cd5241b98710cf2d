"""Commands about oneself, which any channel takes (MSG-5)."""

from __future__ import annotations

import re

from godwit.edge.commands.typed import Typed, login_of
from godwit.values import Account

COLORS = {
    "Blue": "#0000FF",
    "BlueViolet": "#8A2BE2",
    "CadetBlue": "#5F9EA0",
    "Chocolate": "#D2691E",
    "Coral": "#FF7F50",
    "DodgerBlue": "#1E90FF",
    "Firebrick": "#B22222",
    "GoldenRod": "#DAA520",
    "Green": "#008000",
    "HotPink": "#FF69B4",
    "OrangeRed": "#FF4500",
    "Red": "#FF0000",
    "SeaGreen": "#2E8B57",
    "SpringGreen": "#00FF7F",
    "YellowGreen": "#9ACD32",
}
"""Colours that everybody may have, by name."""

_BY_NAME = {name.lower(): value for name, value in COLORS.items()}
_HEX = re.compile(r"#[0-9A-Fa-f]{6}")


async def color(typed: Typed) -> None:
    """Change the colour of one's name, from the next line on (CMD-color)."""
    wanted = typed.words[0]
    value = _BY_NAME.get(wanted.lower()) or (wanted.upper() if _HEX.fullmatch(wanted) else "")
    account = typed.session.identity
    if account is None or not value:
        typed.explain()
    elif value not in COLORS.values() and not _any_color(typed, account):
        typed.notice("turbo_only_color", colors=", ".join(COLORS))
    else:
        changed = await typed.store.set_account(account.login, color=value)
        if changed is None:
            typed.notice("godwit_unavailable")  # the account has been removed
            return
        typed.session.identity = changed
        typed.notice("color_changed")


def _any_color(typed: Typed, account: Account) -> bool:
    return not typed.session.node.settings.edge.turbo_colors or any(
        badge.startswith("turbo/") for badge in account.badges
    )


async def whisper(typed: Typed) -> None:
    """Say something to one account alone (CMD-w)."""
    whispers = typed.session.node.whispers
    if whispers is None:
        typed.notice("unrecognized_cmd", command=typed.name)
        return
    login, _, text = typed.args.partition(" ")
    text = text.strip(" ")
    if not text:
        typed.notice("whisper_invalid_args")
        return
    async with whispers.turn(typed.session):
        target = await typed.account(login_of(login))
        if target is None:
            typed.notice("whisper_invalid_login")
        elif target.user_id == typed.session.account:
            typed.notice("whisper_invalid_self")
        elif target.suspended:
            typed.notice("whisper_banned_recipient")
        else:
            await whispers.send(typed, target, text)


async def me(typed: Typed) -> None:
    """Only the one without a text comes here: the others are messages (CMD-me, MSG-3)."""
    typed.explain()


async def disconnect(typed: Typed) -> None:
    """Close the connection (CMD-disconnect)."""
    typed.session.close("asked to disconnect")
