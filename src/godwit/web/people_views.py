"""What the API takes and gives of accounts, roles, followers, subscribers, sanctions and emotes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints

from godwit.store.base import Sanction
from godwit.store.people_base import Related
from godwit.values import Emote
from godwit.web.views import _LINE, Actor, Given, Text, View

_BADGE = re.compile(r"[a-z0-9_-]{1,50}/[A-Za-z0-9_-]{1,50}")

LATEST_TIME = 253_402_300_799.0
"""The last second of the year 9999."""


def _badges(given: Any) -> Any:
    return tuple(given.replace(",", " ").split()) if isinstance(given, str) else given


def _badge(badge: str) -> str:
    if not _BADGE.fullmatch(badge):
        raise ValueError("write a badge as name/version, such as partner/1")
    return badge


def _time(given: Any) -> Any:
    """Seconds since the Unix epoch, of a number or a date; a date without a zone is in UTC."""
    if not isinstance(given, str):
        return given
    try:
        return float(given)
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(given)
    except ValueError:
        raise ValueError("write a time like 2030-01-31T18:00Z, or in seconds since 1970") from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


Badge = Annotated[str, AfterValidator(_badge)]
Badges = Annotated[tuple[Badge, ...], BeforeValidator(_badges), Field(max_length=10)]
Time = Annotated[float, BeforeValidator(_time), Field(ge=0, le=LATEST_TIME, allow_inf_nan=False)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x20\x7f-\xa0\u2028\u2029]+$")]
EmoteId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
Login = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class _Exact(Given):
    model_config = ConfigDict(extra="forbid")


# what comes in ------------------------------------------------------------------------------------


class AccountChange(_Exact):
    """Facts of an account; what is left out stays as it was."""

    display_name: Annotated[str, StringConstraints(max_length=50, pattern=_LINE)] | None = None
    color: Annotated[str, StringConstraints(pattern=r"^(#[0-9A-Fa-f]{6})?$")] | None = Field(
        None, description="Such as #FF0000; empty for none."
    )
    user_type: Literal["", "admin", "global_mod", "staff"] | None = None
    bot: Literal["", "known", "verified"] | None = Field(None, description="A verified bot has higher limits.")
    badges: Badges | None = Field(None, description="Shown in every channel, such as partner/1 and turbo/1.")
    suspended: bool | None = Field(None, description="It may say nothing anywhere.")
    channel_suspended: bool | None = Field(None, description="The channel of its name is closed.")


class ChangedAccount(AccountChange):
    """The same, and who says so."""

    reason: Text = ""
    by: Actor = "admin"


class AccountRow(AccountChange):
    """An account of an import."""

    login: Login
    user_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")] | None = None


class RoleRow(_Exact):
    """A role of an import."""

    channel: Login
    login: Login
    role: Literal["mod", "vip", "none"]


class Follow(_Exact):
    """Since when somebody follows a channel: now, unless it is said."""

    since: Time | None = Field(None, description="Seconds since the Unix epoch, or a time like 2024-01-31T18:00Z.")


class NewFollow(Follow):
    """The same, and who says so."""

    by: Actor = "admin"


class FollowRow(Follow):
    """A follower of an import."""

    channel: Login
    login: Login


class Subscription(_Exact):
    """A subscription."""

    months: int = Field(1, ge=0, le=10_000, description="For how many months in all.")
    tier: Literal["1000", "2000", "3000", "prime"] = "1000"
    active: bool = Field(True, description="False: it has ended; the months are kept.")


class NewSubscription(Subscription):
    """The same, and who says so."""

    by: Actor = "admin"


class SubscriptionRow(Subscription):
    """A subscriber of an import."""

    channel: Login
    login: Login


class EmoteRow(_Exact):
    """An emote, everybody's if it names no channel."""

    code: Code = Field(description="The word, as it is written in chat.")
    id: EmoteId = Field(description="By which clients find the picture.")
    channel: str = ""


class NewEmote(EmoteRow):
    """The same, and who says so."""

    by: Actor = "admin"


class NewRole(_Exact):
    """A role in a channel."""

    role: Literal["mod", "vip"]
    reason: Text = ""
    by: Actor = "admin"


class NewBan(_Exact):
    """A ban, or with seconds a timeout."""

    login: Login
    seconds: int | None = Field(None, ge=1, description="A timeout; left out, a ban.")
    reason: Text = ""
    by: Actor = "admin"


class NewUserNotice(_Exact):
    """Something that is to be shown to a channel."""

    kind: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_-]{0,39}$")] = Field(description="sub, raid, ...")
    login: Login = Field(description="Whom it is about.")
    text: Text = Field("", description="What they say along with it.")
    system_msg: Text | None = Field(None, description="Left out, it is made for the kinds that are known.")
    params: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,49}$")], Text] = Field(
        default_factory=dict, max_length=40, description="Its msg-param-* tags, without that prefix."
    )
    reason: Text = ""
    by: Actor = "admin"


# what goes out ------------------------------------------------------------------------------------


class FollowerView(View):
    """Somebody who follows a channel, since a time in seconds since the Unix epoch."""

    login: str
    user_id: str
    since: float

    @classmethod
    def of(cls, related: Related) -> FollowerView:
        """Show a follower."""
        relation = related.relation
        return cls(login=related.login, user_id=relation.user_id, since=relation.follows_since)


class Followers(View):
    """Followers by user id."""

    followers: tuple[FollowerView, ...]


class SubscriberView(View):
    """Somebody who has a subscription."""

    login: str
    user_id: str
    months: int
    tier: str

    @classmethod
    def of(cls, related: Related) -> SubscriberView:
        """Show a subscriber."""
        relation = related.relation
        return cls(login=related.login, user_id=relation.user_id, months=relation.months, tier=relation.tier)


class Subscribers(View):
    """Subscribers by user id."""

    subscribers: tuple[SubscriberView, ...]


class RoleView(View):
    """Somebody's role in a channel.

    Attributes:
        since: when it was given, in seconds since the Unix epoch.
        first: an operator brought it; it counts from the beginning.
        confirmed: an edge has read it.
    """

    login: str
    user_id: str
    role: str
    by: str
    since: float
    first: bool
    confirmed: bool

    @classmethod
    def of(cls, row: Sanction) -> RoleView:
        """Show a role."""
        return cls(
            login=row.target_login,
            user_id=row.target,
            role=row.kind,
            by=row.by,
            since=row.time,
            first=row.position is not None and row.position.epoch == 0,
            confirmed=row.position is not None,
        )


class Roles(View):
    """Roles by login."""

    roles: tuple[RoleView, ...]


class BanView(View):
    """A ban or a timeout that stands.

    Attributes:
        kind: `ban` or `timeout`.
        since: when it was given, in seconds since the Unix epoch.
        until: when a timeout ends; 0 for a ban.
        confirmed: an edge has read it.
    """

    login: str
    user_id: str
    kind: str
    by: str
    reason: str
    since: float
    until: float
    confirmed: bool

    @classmethod
    def of(cls, row: Sanction) -> BanView:
        """Show a ban or a timeout."""
        return cls(
            login=row.target_login,
            user_id=row.target,
            kind=row.kind,
            by=row.by,
            reason=row.reason,
            since=row.time,
            until=row.time + row.seconds if row.kind == "timeout" else 0.0,
            confirmed=row.position is not None,
        )


class Bans(View):
    """Bans and timeouts that stand, by login."""

    bans: tuple[BanView, ...]


class EmoteView(View):
    """A word that is shown as a picture; everybody's if `channel` is empty."""

    code: str
    id: str
    channel: str

    @classmethod
    def of(cls, emote: Emote) -> EmoteView:
        """Show an emote."""
        return cls(code=emote.code, id=emote.id, channel=emote.channel)


class Emotes(View):
    """Emotes by code."""

    emotes: tuple[EmoteView, ...]
