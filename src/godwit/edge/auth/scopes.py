"""Scopes: what a token lets its owner do (AUTH-5, AUTH-6)."""

from __future__ import annotations

READ = "chat:read"
EDIT = "chat:edit"
MODERATE = "channel:moderate"

Scopes = frozenset[str] | None
"""What a login may do; None for everything."""

COMMANDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("ban", "unban", "timeout", "untimeout"), ("moderator:manage:banned_users", MODERATE)),
    **dict.fromkeys(("clear", "delete"), ("moderator:manage:chat_messages", MODERATE)),
    **dict.fromkeys(
        (
            *("slow", "slowoff", "followers", "followersoff", "subscribers", "subscribersoff", "emoteonly"),
            *("emoteonlyoff", "uniquechat", "uniquechatoff", "r9kbeta", "r9kbetaoff"),
        ),
        ("moderator:manage:chat_settings", MODERATE),
    ),
    **dict.fromkeys(("mod", "unmod"), ("channel:manage:moderators", MODERATE)),
    **dict.fromkeys(("vip", "unvip"), ("channel:manage:vips", MODERATE)),
    **dict.fromkeys(("raid", "unraid"), ("channel:manage:raids", MODERATE)),
    **dict.fromkeys(("host", "unhost"), (MODERATE,)),
    **dict.fromkeys(
        ("announce", "announceblue", "announcegreen", "announceorange", "announcepurple"),
        ("moderator:manage:announcements", MODERATE),
    ),
    "marker": ("channel:manage:broadcast", MODERATE),
    "commercial": ("channel:edit:commercial", MODERATE),
    "w": ("user:manage:whispers", "whispers:edit"),
}
"""Command -> scopes of which one is needed besides `chat:edit`; the first is named to whoever lacks them.

What is not here needs `chat:edit` alone. `/disconnect` needs nothing.
"""

DEFAULT = (READ, EDIT, MODERATE, "whispers:edit")
"""What a token of the store may do if nobody says otherwise: all that can be typed."""


def may_log_in(scopes: Scopes) -> bool:
    """Say whether a login with these scopes may be let in: who may write may read (AUTH-5)."""
    return scopes is None or READ in scopes or EDIT in scopes


def may_speak(scopes: Scopes) -> bool:
    """Say whether it may say anything (AUTH-5)."""
    return scopes is None or EDIT in scopes


def lacking(scopes: Scopes, command: str) -> str:
    """The scope that a login lacks for a command, named without its slash; '' if it may use it (AUTH-6)."""
    if scopes is None or command == "disconnect":
        return ""
    if EDIT not in scopes:
        return EDIT
    needed = COMMANDS.get(command)
    return "" if needed is None or not scopes.isdisjoint(needed) else needed[0]
