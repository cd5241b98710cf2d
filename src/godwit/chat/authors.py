"""An account as a channel sees it: the badges and flags that travel with what it says (rule R1)."""

from __future__ import annotations

from bisect import bisect_right

from godwit.chat.room import Role
from godwit.values import Account, Author, Relation

BROADCASTER = "broadcaster/1"
"""The badge of a channel's owner."""

EVERYWHERE = frozenset({"staff", "admin", "global_mod"})
"""Kinds of users that may moderate everywhere; each has a badge of its name."""

BOT = "bot-badge/1"
"""The badge of known and verified bots."""

TURBO = "turbo/1"

STEPS = (0, 2, 3, 6, 9, *range(12, 241, 6))
"""Months from which on a subscriber has another badge, whose version they are."""

_TIERS = {"2000": 2000, "3000": 3000}
"""What is added to the version of the badge for the higher tiers."""


def author(account: Account, *, owner: bool, role: Role, relation: Relation | None) -> Author:
    """An account with all that is shown of it in a channel (BADGE-1, BADGE-2).

    Args:
        owner: the channel is its own.
        role: what it is there otherwise.
        relation: what ties it to the channel; None if nothing is known.
    """
    badges: tuple[str, ...] = ()
    info: tuple[str, ...] = ()
    if owner:
        badges = (BROADCASTER,)
    elif role:
        badges = ("moderator/1",) if role == "mod" else ("vip/1",)
    subscriber = relation is not None and relation.subscriber
    if subscriber and relation is not None:
        badges += (_subscriber_badge(relation),)
        info = (f"subscriber/{max(relation.months, 1)}",)
    user_type = account.user_type
    if user_type in EVERYWHERE:
        badges += (f"{user_type}/1",)
    if account.badges:
        badges += account.badges
    if account.bot:
        badges += (BOT,)
    return Author(
        user_id=account.user_id,
        login=account.login,
        display_name=account.display_name,
        color=account.color,
        badges=badges if len(badges) < 2 else tuple(dict.fromkeys(badges)),
        badge_info=info,
        mod=role == "mod" and not owner,
        subscriber=subscriber,
        vip=role == "vip" and not owner,
        turbo=TURBO in badges,
        user_type=user_type or ("mod" if role == "mod" and not owner else ""),
    )


def is_exempt(author: Author, *, owner: bool) -> bool:
    """Whether the modes of a room and the limits of ordinary members don't hold for an author there (SAY-exempt)."""
    return owner or author.mod or author.vip or author.user_type in EVERYWHERE


def _subscriber_badge(relation: Relation) -> str:
    months = max(relation.months, 1)
    step = STEPS[bisect_right(STEPS, months) - 1] if months > 1 else 0
    return f"subscriber/{_TIERS.get(relation.tier, 0) + step}"
