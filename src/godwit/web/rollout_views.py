"""What the API gives and takes of rollouts, wishes and facts, as the OpenAPI page shows it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from godwit.rollout.values import Event, Issue, Item, Rollout, Wish
from godwit.web.plain import showable
from godwit.web.views import Actor, Given, Text, View

WishId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]


class NewWish(Given):
    """What somebody wants done."""

    texts: ClassVar[tuple[str, ...]] = ("args.toml",)

    verb: str = Field(max_length=50, description="Such as `pause`; docs/rollouts.md lists them.")
    rollout: str = Field("", max_length=200, description="Its id or name, or `latest`; '' if the verb needs none.")
    args: dict[str, Any] = Field(default_factory=dict, description="What the verb needs.")
    by: Actor = "admin"
    reason: Text = ""
    dry_run: bool = Field(False, description="Do all the checks, say what would be done, and do nothing.")
    wait: float = Field(10.0, ge=0, le=60, description="Seconds to wait for the controller's answer.")
    id: WishId | None = Field(None, description="Chosen by whoever sends it, so that it may be sent again.")


class WishView(View):
    """A wish, and what came of it.

    Attributes:
        id: '' for a dry run, which is not recorded.
        state: `new` until the controller has acted on it, then `done` or `refused`.
        answer: what came of it, in one line.
    """

    id: str
    verb: str
    rollout: str
    args: dict[str, Any]
    by: str
    reason: str
    time: float
    state: str
    answer: str
    dry_run: bool = False

    @classmethod
    def of(cls, wish: Wish, *, dry_run: bool = False) -> WishView:
        """Show a wish; a long argument such as a rollout's text is left out."""
        args = {name: value for name, value in wish.args.items() if not (isinstance(value, str) and len(value) > 1000)}
        return cls(
            id="" if dry_run else wish.id,
            verb=wish.verb,
            rollout=wish.rollout,
            args=showable(args),
            by=wish.by,
            reason=wish.reason,
            time=wish.time,
            state=wish.state,
            answer=wish.answer,
            dry_run=dry_run,
        )


class Wishes(View):
    """Wishes: the new ones oldest first, otherwise newest first."""

    wishes: tuple[WishView, ...]


class PlanRequest(Given):
    """A rollout as people write it."""

    texts: ClassVar[tuple[str, ...]] = ("toml", "files")

    toml: str = Field(description="The file's text.")
    files: dict[str, str] = Field(default_factory=dict, description="Name -> text of the lists that it names.")


class Largest(View):
    """The channel with the most members."""

    channel: str
    members: int


class PlannedWave(View):
    """A wave of a plan.

    Attributes:
        hot: channels with members who have to be told, as far as known now.
        cold: all others.
        first: the channels that move first.
        gates: their names.
        seconds: how long it takes if no gate holds it and no stream runs.
    """

    name: str
    count: int
    hot: int
    cold: int
    members: int
    largest: Largest | None
    first: tuple[str, ...]
    gates: tuple[str, ...]
    mandatory: bool
    seconds: float


class Excluded(View):
    """A channel that is left out."""

    channel: str
    reason: str


class PlanView(View):
    """What would go where, and in which order.

    Attributes:
        hash: names exactly this plan; start takes it.
        seconds: how long all of it takes if no gate holds it and no stream runs.
        excluded: who is left out, and why.
        unknown: channels that the file names and nobody knows.
        warnings: what else is worth a look.
    """

    name: str
    to: str
    sources: tuple[str, ...]
    hash: str
    count: int
    seconds: float
    waves: tuple[PlannedWave, ...]
    excluded: tuple[Excluded, ...]
    unknown: tuple[str, ...]
    warnings: tuple[str, ...]


class Summary(View):
    """A rollout in a list."""

    id: str
    name: str
    number: int
    to: str
    state: str
    why: str
    by: str
    created: float
    done: int
    total: int


class Rollouts(View):
    """Rollouts, newest first."""

    rollouts: tuple[Summary, ...]


class GateView(View):
    """A gate and how it stands.

    Attributes:
        verdict: of its samples together; '' if it is not being asked.
        detail: what its last sample says.
    """

    name: str
    kind: str
    when: str
    verdict: str = ""
    detail: str = ""
    value: float | None = None
    time: float = 0.0
    approved: bool = False


class WaveView(View):
    """A wave and how far it is.

    Attributes:
        counts: how many of its channels are in which state.
        back: of these, how many are to be where they came from.
        done: channels that are where they are to be.
    """

    name: str
    state: str
    since: float
    mandatory: bool
    counts: dict[str, int]
    back: dict[str, int]
    done: int
    total: int
    gates: tuple[GateView, ...]


class Turn(View):
    """A change of a rollout's state."""

    state: str
    time: float
    by: str
    why: str


class IssueView(View):
    """Something wrong that was found; the next wave waits until it is resolved."""

    id: str
    wave: str
    text: str
    by: str
    time: float
    resolved: float
    resolved_by: str
    resolution: str

    @classmethod
    def of(cls, issue: Issue, rollout: Rollout) -> IssueView:
        """Show an issue."""
        return cls(
            id=issue.id,
            wave=wave_name(rollout, issue.wave),
            text=issue.text,
            by=issue.by,
            time=issue.time,
            resolved=issue.resolved,
            resolved_by=issue.resolved_by,
            resolution=issue.resolution,
        )


class Issues(View):
    """Issues, oldest first."""

    issues: tuple[IssueView, ...]


class BudgetView(View):
    """How fast a rollout may go now."""

    in_flight: int
    cold_in_flight: int
    hot_per_second: float
    cold_per_second: float


class Status(View):
    """A rollout and how far it is.

    Attributes:
        why: why it is in this state.
        wave: index of the wave that is the turn's.
        done: channels that are where they are to be.
        rate: channels a second, lately; 0 if nothing moves.
        eta: seconds to the end at that rate; None if nobody can say yet.
        waiting: why what waits is waiting: reason -> number of channels.
        issues: the open ones.
        version: another one with each change; to be given back when waiting for the next.
    """

    id: str
    name: str
    number: int
    to: str
    sources: tuple[str, ...]
    state: str
    why: str
    by: str
    reason: str
    hash: str
    at_once: bool
    created: float
    version: str
    wave: int
    waves: tuple[WaveView, ...]
    done: int
    total: int
    rate: float
    eta: float | None
    budget: BudgetView
    issues: tuple[IssueView, ...]
    waiting: dict[str, int]
    history: tuple[Turn, ...]


class ItemView(View):
    """A channel of a rollout."""

    channel: str
    wave: str
    origin: str
    goal: str
    state: str
    cold: bool
    move: str
    tries: int
    error: str
    before: int
    followed: int
    stayed: tuple[str, ...]
    verified: str
    since: float

    @classmethod
    def of(cls, item: Item, rollout: Rollout) -> ItemView:
        """Show an item."""
        return cls(
            channel=item.channel,
            wave=wave_name(rollout, item.wave),
            origin=item.origin,
            goal=item.goal,
            state=item.state,
            cold=item.cold,
            move=item.move,
            tries=item.tries,
            error=item.error,
            before=item.before,
            followed=item.followed,
            stayed=item.stayed,
            verified=item.verified,
            since=item.since,
        )


class Items(View):
    """Channels by name.

    Attributes:
        next: `after` of the next question; '' if that was all.
    """

    items: tuple[ItemView, ...]
    next: str


class EventView(View):
    """Something that happened in a rollout."""

    number: int
    time: float
    kind: str
    channel: str
    details: dict[str, Any]

    @classmethod
    def of(cls, event: Event) -> EventView:
        """Show an event."""
        return cls(number=event.number, time=event.time, kind=event.kind, channel=event.channel, details=event.details)


class Events(View):
    """What happened, oldest first.

    Attributes:
        next: `after` of the next question.
    """

    events: tuple[EventView, ...]
    next: int


def wave_name(rollout: Rollout, index: int) -> str:
    """The name of a rollout's wave."""
    waves = rollout.definition.waves
    return waves[index].name if 0 <= index < len(waves) else str(index)
