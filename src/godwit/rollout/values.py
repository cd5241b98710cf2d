"""What a rollout is made of, as frozen values (`docs/rollouts.md`).

A definition is what people write and review. A rollout is a definition under way; its items are the channels
that it moves. All of them stand in the store; only the leading controller changes them, and each change
is written before it acts.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from godwit.values import Move, Placement, Segment

Tier = Literal["", "affiliate", "partner", "staff"]
Opt = Literal["", "in", "out"]


class Facts(msgspec.Struct, frozen=True):
    """What operators know of a channel, apart from where it is.

    Attributes:
        tier: `staff`, `partner`, `affiliate`, or '' for everyone else.
        opt: `in` asked to move early, `out` not to move before a mandatory wave.
        members: the most members it has had at once, as far as known.
        rate: messages per second at its peak, as far as known.
        starts_at: when its next stream is planned to begin, 0 if unknown.
    """

    channel: str
    tier: Tier = ""
    opt: Opt = ""
    members: int = 0
    rate: float = 0.0
    starts_at: float = 0.0


class Hold(msgspec.Struct, frozen=True):
    """Somebody wants a channel to stay where it is."""

    channel: str
    by: str
    reason: str
    time: float


class Candidate(msgspec.Struct, frozen=True):
    """A channel as planning and admission see it.

    Attributes:
        placement: where it is, without `previous` and `drains`.
        live: its stream runs.
        live_since: when that began or ended, 0 if nothing was ever said.
    """

    placement: Placement
    facts: Facts
    live: bool = False
    live_since: float = 0.0
    hold: Hold | None = None

    @property
    def channel(self) -> str:
        """The channel's name."""
        return self.placement.channel

    @property
    def cluster(self) -> str:
        """Where it is."""
        return self.placement.segment.cluster


GateKind = Literal["approval", "soak", "issues", "rehearsal", "probe", "metric", "prometheus", "http"]
GateTime = Literal["before", "during", "after"]
Verdict = Literal["pass", "fail", "inconclusive"]
OnFailure = Literal["pause", "reverse", "continue"]


class Gate(msgspec.Struct, frozen=True):
    """What must hold before a wave begins (`before`), while it moves (`during`), or before the next one (`after`).

    Attributes:
        name: unique in its wave; how people speak of it.
        value: what is asked: a metric's name, a Prometheus query, an URL; '' if the kind needs none.
        at_most, at_least: the sample passes between them.
        critical: one sample above this trips the gate at once.
        every: seconds between samples.
        samples, fails: the gate trips when `fails` of the last `samples` failed.
        seconds: how long a soak or a rehearsal lasts.
        factor: a rehearsal's load, in times of the channel's peak.
        timeout: seconds to wait for an answer.
    """

    kind: GateKind
    name: str
    when: GateTime
    value: str = ""
    at_most: float | None = None
    at_least: float | None = None
    critical: float | None = None
    every: float = 15.0
    samples: int = 5
    fails: int = 3
    seconds: float = 0.0
    factor: float = 1.5
    timeout: float = 10.0


class Wave(msgspec.Struct, frozen=True):
    """Which channels go together: those that all given conditions fit and that no earlier wave took.

    Attributes:
        channels: by name; other conditions then still hold.
        tiers: any of these.
        opt_in: only those that asked for it.
        percent: this share of what fits, by a stable hash of the name.
        min_members, max_members: by size.
        match: a condition over facts, such as `members < 100 and not startswith(channel, "test_")`.
        rest: everything that is left, and what appears later; the default placement goes with it.
        mandatory: opting out does not help.
        on_failure: what happens when a gate trips.
    """

    name: str
    channels: tuple[str, ...] = ()
    tiers: tuple[Tier, ...] = ()
    opt_in: bool = False
    percent: float | None = None
    min_members: int | None = None
    max_members: int | None = None
    match: str = ""
    rest: bool = False
    mandatory: bool = False
    gates: tuple[Gate, ...] = ()
    on_failure: OnFailure = "pause"


class Budget(msgspec.Struct, frozen=True):
    """How fast a rollout may go.

    Attributes:
        in_flight: hot moves that are begun and not yet committed.
        cold_in_flight: the same for cold ones.
        hot_per_second, cold_per_second: moves that are begun.
    """

    in_flight: int = 20
    cold_in_flight: int = 1000
    hot_per_second: float = 1.0
    cold_per_second: float = 500.0


class Definition(msgspec.Struct, frozen=True):
    """A rollout as people write it, in TOML.

    Attributes:
        to: the cluster to go to.
        sources: clusters that channels are taken from; empty: all others but `group`.
        offline_for: seconds that a stream must have ended before its channel moves.
        starts_within: a channel whose stream is planned to start within so many seconds waits for it.
        notice: said in chat before the move, '' for nothing; `{cluster}` is replaced.
        notice_before: seconds between that and the move.
        evacuate: the sources are given up by force (rule C8): only this may lose lines, and it counts them.
    """

    name: str
    to: str
    waves: tuple[Wave, ...]
    sources: tuple[str, ...] = ()
    reason: str = ""
    budget: Budget = Budget()
    offline_for: float = 600.0
    starts_within: float = 900.0
    notice: str = ""
    notice_before: float = 30.0
    evacuate: bool = False


RolloutState = Literal["running", "paused", "reversing", "reversed", "aborted", "finished"]
WaveState = Literal["pending", "checking", "moving", "soaking", "done"]


class WaveProgress(msgspec.Struct, frozen=True):
    """How far a wave is.

    Attributes:
        since: when the state began.
        approved: names of its gates that were passed for good, or passed over by force.
    """

    state: WaveState = "pending"
    since: float = 0.0
    approved: tuple[str, ...] = ()


class Rollout(msgspec.Struct, frozen=True):
    """A definition under way.

    Attributes:
        number: the order in which they were started, given by the store.
        hash: of the plan that was started.
        wave: index of the wave that is the turn's.
        waves: one for each wave of the definition.
        budget: as it is now; `set` changes it.
        at_once: waves follow each other without gates and soaks.
        why: why it is in this state, in one line: the gate that tripped, the operator's reason.
        default_before: the default placement that it changed, None as long as it has not.
        default_back: the default placement is to go back too.
        version: grows by one with each change.
        history: `(state, time, by, why)` of each change of state.
    """

    id: str
    definition: Definition
    hash: str
    state: RolloutState
    waves: tuple[WaveProgress, ...]
    budget: Budget
    wave: int = 0
    by: str = ""
    reason: str = ""
    why: str = ""
    at_once: bool = False
    default_before: Segment | None = None
    default_back: bool = False
    created: float = 0.0
    number: int = 0
    version: int = 0
    history: tuple[tuple[str, float, str, str], ...] = ()


ENDED: tuple[RolloutState, ...] = ("reversed", "aborted", "finished")
"""States in which a rollout does nothing by itself any more."""

ItemState = Literal["waiting", "moving", "done", "skipped", "failed"]
Goal = Literal["there", "back"]


class Item(msgspec.Struct, frozen=True):
    """A channel of a rollout.

    Attributes:
        wave: index of its wave.
        origin: the cluster it came from; a reverse brings it there.
        goal: where it is to be: `there` (the rollout's cluster) or `back` (its origin).
        state: of the way to its goal; a skipped or failed one is left alone until its goal changes.
        cold: nobody is to be told when it moves; decided when it is admitted.
        move: id of its last move.
        tries: how many moves were begun for it; part of a move's id.
        fails: how many of them since it got its goal did not bring it there.
        force: it goes to its goal although it is live (a reverse by force).
        error: why it failed, or why its last move was cancelled.
        noticed: when its members were told of the move to come, 0 if not.
        before: its members when its last move began.
        followed: of these, how many had left the old cluster when the drain ended.
        stayed: logins that had not, the first hundred.
        verified: '' not yet, `ok`, or what was wrong.
        since: when the state began.
    """

    rollout: str
    channel: str
    wave: int
    origin: str
    goal: Goal = "there"
    state: ItemState = "waiting"
    cold: bool = False
    move: str = ""
    tries: int = 0
    fails: int = 0
    force: bool = False
    error: str = ""
    noticed: float = 0.0
    before: int = 0
    followed: int = 0
    stayed: tuple[str, ...] = ()
    verified: str = ""
    since: float = 0.0


class Tally(msgspec.Struct, frozen=True):
    """How many items of a wave are in a state."""

    wave: int
    goal: Goal
    state: ItemState
    count: int


class Wish(msgspec.Struct, frozen=True):
    """What an operator wants; only the controller acts on it.

    Attributes:
        rollout: id of the rollout, '' for verbs that concern the whole network.
        verb: a row of `rollout/verbs.py`.
        args: what the verb needs.
        number: the order in which they were recorded, given by the store.
        state: `new` until the controller has acted on it.
        answer: what came of it, in one line.
    """

    id: str
    verb: str
    by: str
    time: float
    rollout: str = ""
    args: dict[str, Any] = {}
    reason: str = ""
    number: int = 0
    state: Literal["new", "done", "refused"] = "new"
    answer: str = ""


class Issue(msgspec.Struct, frozen=True):
    """Something wrong that was found in a wave; the next wave waits until it is resolved."""

    id: str
    rollout: str
    wave: int
    text: str
    by: str
    time: float
    resolved: float = 0.0
    resolved_by: str = ""
    resolution: str = ""


class Sample(msgspec.Struct, frozen=True):
    """What a gate answered."""

    gate: str
    time: float
    verdict: Verdict
    detail: str = ""
    value: float | None = None


class Event(msgspec.Struct, frozen=True):
    """A line of the feed.

    Attributes:
        kind: `moved`, `default` and `retired` are public (the change feed); `rollout.*` are for operators:
            `rollout.started`, `.paused`, `.resumed`, `.reversing`, `.reversed`, `.aborted`, `.finished`, `.wave`,
            `.gate`, `.issue`, `.item`.
        number: given by the store; what was written later has a higher one.
        details: what happened, as JSON.
    """

    kind: str
    time: float
    channel: str = ""
    rollout: str = ""
    details: dict[str, Any] = {}
    number: int = 0


class Lease(msgspec.Struct, frozen=True):
    """Who leads.

    Attributes:
        term: grows by one with each new holder; what an older term writes is refused (fencing).
    """

    name: str
    holder: str
    term: int
    until: float


class Regoal(msgspec.Struct, frozen=True):
    """Give many items another goal at once: those of a wave, or all; skipped ones only if `skipped`.

    With `force` those that are on their way to the goal, or get it now, go there although they are live.

    Those that match and have another goal get the goal. `moving` ones stay so, and are looked at when their move is
    over; all others become `waiting`, with no error, no fails and `since` of `time`. A new goal takes force away.
    """

    rollout: str
    goal: Goal
    time: float
    wave: int | None = None
    skipped: bool = False
    force: bool = False


class Advance(msgspec.Struct, frozen=True):
    """One decision of the leading controller: written whole, or not at all.

    Attributes:
        rollout: as it is to be; its version is the one that it was read with (a new one has 0).
        others: the same for other rollouts.
        items: as they are to be, new ones too.
        regoals: done before `items` are written.
        begin: moves to journal as wished.
        cancel: moves to journal as cancelled, if they have not been sealed (states before `sealing`), with `error`.
        holds: new ones; one that is there already stays.
        releases: channels that are held no more.
        default: the default placement as it is to be, if its epoch is higher than the stored one's.
        hold_until: before that time nobody writes to channels without a row (rule C10).
        wishes: answered ones.
        issues: as they are to be.
        events: for the feed.
    """

    now: float
    rollout: Rollout | None = None
    others: tuple[Rollout, ...] = ()
    items: tuple[Item, ...] = ()
    regoals: tuple[Regoal, ...] = ()
    begin: tuple[Move, ...] = ()
    cancel: tuple[str, ...] = ()
    cancel_error: str = ""
    holds: tuple[Hold, ...] = ()
    releases: tuple[str, ...] = ()
    default: Segment | None = None
    hold_until: float = 0.0
    wishes: tuple[Wish, ...] = ()
    issues: tuple[Issue, ...] = ()
    events: tuple[Event, ...] = ()
