"""What concerns the stream, and announcements (UN-1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import uuid4

from godwit.edge.commands.typed import Typed
from godwit.tmi.emotes import emote_ranges
from godwit.tmi.text import cut
from godwit.values import UserNotice

LONGEST_COMMENT = 140
"""Code points of a marker's comment."""

DEFAULT_COMMERCIAL, LONGEST_COMMERCIAL = 30, 180
"""Seconds."""


async def marker(typed: Typed) -> None:
    """Mark this moment of the stream, in the audit (CMD-marker)."""
    if len(typed.args) > LONGEST_COMMENT:
        typed.explain()
    elif not await typed.store.is_live(typed.channel):
        typed.notice("godwit_offline")
    else:
        await typed.audit("marker", details=typed.args)
        typed.notice("godwit_marker")


async def commercial(typed: Typed) -> None:
    """Ask for a commercial break, in the audit: the stream is not ours (CMD-commercial)."""
    text = typed.words[0] if typed.words else str(DEFAULT_COMMERCIAL)
    seconds = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    if not seconds:
        typed.explain()
    elif seconds > LONGEST_COMMERCIAL or not await typed.store.is_live(typed.channel):
        typed.notice("bad_commercial_error")
    else:
        await typed.audit("commercial", details=str(seconds))
        typed.notice("commercial_success", number=seconds)


def announce(color: str) -> Callable[[Typed], Awaitable[None]]:
    """A command that shows a text to everybody as an announcement (CMD-announce)."""

    async def run(typed: Typed) -> None:
        text = cut(typed.args)
        typed.submit(
            UserNotice(
                id=str(uuid4()),
                epoch=0,
                producer=typed.session.producer,
                number=0,
                kind="announcement",
                author=typed.session.author(typed.channel),
                params={"color": color},
                text=text,
                emotes=emote_ranges(text, typed.session.node.relations.emotes(typed.channel)),
            )
        )

    return run
