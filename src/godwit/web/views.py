"""What the API takes and gives, as the OpenAPI page shows it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from godwit.store.base import AuditEntry, Token
from godwit.values import Account, Move, Placement
from godwit.web import plain

_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"

Actor = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_LINE)]
"""Who acts, for the audit."""

Text = Annotated[str, StringConstraints(max_length=500, pattern=_LINE)]
"""A line that somebody wrote."""


class View(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Given(BaseModel):
    """What a request says; what cannot be kept or shown is refused, wherever in it it is (`plain`).

    Attributes:
        texts: names of the texts of files, which have many lines and any length.
    """

    texts: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _check(cls, given: Any) -> Any:
        plain.check(given, texts=cls.texts)
        return given


class Wish(Given):
    """A move that somebody wants."""

    to: str = Field(description="The cluster to go to.")
    force: bool = Field(False, description="Move even though the channel is live; needs a reason.")
    dry_run: bool = Field(False, description="Do all the checks, say what would be done, and do nothing.")
    reason: Text = ""
    by: Actor = "admin"


class LiveChange(Given):
    """A stream that began or ended."""

    live: bool
    by: Actor = "admin"


class NewAccount(Given):
    """Somebody who may log in."""

    login: str
    display_name: Annotated[str, StringConstraints(max_length=50, pattern=_LINE)] = ""
    bot: Literal["", "known", "verified"] = Field("", description="A verified bot has higher limits (LIMIT-3).")
    by: Actor = "admin"


class NewToken(Given):
    """A token that somebody wants."""

    scopes: Annotated[
        tuple[Actor, ...],
        Field(description="What it lets its owner do; by default all that can be typed, with none everything."),
    ] = ("chat:read", "chat:edit", "channel:moderate", "whispers:edit")
    by: Actor = "admin"


class Step(View):
    """A state that a move has reached.

    Attributes:
        time: seconds since the Unix epoch.
    """

    state: str
    time: float


class MoveView(View):
    """A move of one channel.

    Attributes:
        id: '' for a dry run, which is not recorded.
        source: the cluster that is left; None until the controller has looked.
        epoch: the epoch that the move opens; 0 until the controller has looked.
        version: grows by one with each step.
        history: the states so far.
    """

    id: str
    channel: str
    source: str | None = Field(serialization_alias="from")
    target: str = Field(serialization_alias="to")
    epoch: int
    state: str
    forced: bool
    by: str
    reason: str
    error: str
    unshown: int
    version: int
    history: tuple[Step, ...]
    dry_run: bool = False

    @classmethod
    def of(cls, move: Move, *, dry_run: bool = False) -> MoveView:
        """Show a move."""
        return cls(
            id="" if dry_run else move.id,
            channel=move.channel,
            source=move.source.cluster if move.source else None,
            target=move.target,
            epoch=move.epoch,
            state=move.state,
            forced=move.forced,
            by=move.by,
            reason=move.reason,
            error=move.error,
            unshown=move.unshown,
            version=move.version,
            history=tuple(Step(state=state, time=time) for state, time in move.history),
            dry_run=dry_run,
        )


class Moves(View):
    """Moves, newest first."""

    moves: tuple[MoveView, ...]


class ChannelView(View):
    """A channel, as operators see it.

    Attributes:
        state: `draining` while a cluster that was left still serves members by right, then `settled`.
        previous: the clusters that were its home before, newest first.
        drain_until: when the drain ends, in seconds since the Unix epoch; 0 if there is none.
        default: nobody placed it: it is where the default placement says.
        move: its unfinished move, else its last one.
    """

    channel: str
    cluster: str
    epoch: int
    state: str
    live: bool
    previous: tuple[str, ...]
    drain_until: float
    default: bool
    move: MoveView | None

    @classmethod
    def of(cls, placement: Placement, live: bool, move: Move | None) -> ChannelView:
        """Show a channel."""
        return cls(
            channel=placement.channel,
            cluster=placement.segment.cluster,
            epoch=placement.segment.epoch,
            state=placement.phase,
            live=live,
            previous=placement.previous,
            drain_until=placement.drain_until,
            default=placement.default,
            move=MoveView.of(move) if move else None,
        )


class LiveView(View):
    """Whether a channel's stream runs."""

    channel: str
    live: bool


class AccountView(View):
    """Somebody who may log in.

    Attributes:
        badges: shown in every channel.
        suspended: it may say nothing anywhere.
        channel_suspended: the channel of its name is closed.
    """

    user_id: str
    login: str
    display_name: str
    color: str
    user_type: str
    bot: str
    badges: tuple[str, ...]
    suspended: bool
    channel_suspended: bool

    @classmethod
    def of(cls, account: Account) -> AccountView:
        """Show an account."""
        return cls(
            user_id=account.user_id,
            login=account.login,
            display_name=account.display_name,
            color=account.color,
            user_type=account.user_type,
            bot=account.bot,
            badges=account.badges,
            suspended=account.suspended,
            channel_suspended=account.channel_suspended,
        )


class Accounts(View):
    """Accounts by login."""

    accounts: tuple[AccountView, ...]


class TokenView(View):
    """A new token; the only time it is shown, since only its hash is stored."""

    id: str
    login: str
    scopes: tuple[str, ...]
    token: str

    @classmethod
    def of(cls, row: Token, token: str) -> TokenView:
        """Show a token to whoever asked for it."""
        return cls(id=row.id, login=row.login, scopes=row.scopes, token=token)


class AuditView(View):
    """Who did what, when and why; numbers grow with time."""

    number: int
    time: float
    actor: str
    action: str
    subject: str
    reason: str
    details: str

    @classmethod
    def of(cls, entry: AuditEntry) -> AuditView:
        """Show a line of the audit."""
        return cls(
            number=entry.number,
            time=entry.time,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            reason=entry.reason,
            details=entry.details,
        )


class Audit(View):
    """The audit, newest first."""

    entries: tuple[AuditView, ...]
