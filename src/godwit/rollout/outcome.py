"""What came of a rollout: what moved when, how long it took, who followed, what went wrong.

A `Reporter` takes items and moves one by one, in any order, and keeps of them only what is to be shown, so
100,000 of them are no burden. `rollout/report.py` makes and writes reports with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from godwit.rollout.values import Event, Issue, Item, Rollout, RolloutState, Sample, Verdict
from godwit.values import Move, MoveState

LISTED = 1000
"""Rows of a kind that a report lists; of the rest it gives the number."""

SWITCHED: MoveState = "draining"
"""The state from which on the directory names the new cluster."""


class Spread(msgspec.Struct, frozen=True):
    """Seconds from wish to commit of some moves."""

    count: int = 0
    p50: float = 0.0
    p99: float = 0.0
    longest: float = 0.0


class Part(msgspec.Struct, frozen=True):
    """A wave, or all of them together.

    Attributes:
        channels: its items.
        there: those that have been brought to the rollout's cluster.
        back: those that have been brought back to where they came from.
        waiting, moving, skipped, failed: the others, by state.
        first, last: when its first and its last move was committed, either way; 0 for none.
        hot, cold: how long its moves took.
        before: members when the moves of its items began.
        followed: of these, how many had left the old cluster when the drain ended.
    """

    name: str
    channels: int
    there: int
    back: int
    waiting: int
    moving: int
    skipped: int
    failed: int
    first: float
    last: float
    hot: Spread
    cold: Spread
    before: int
    followed: int


class Moved(msgspec.Struct, frozen=True):
    """A move that was committed, at `time`; `seconds` after it was wished."""

    channel: str
    wave: str
    source: str
    target: str
    time: float
    seconds: float
    cold: bool
    forced: bool
    unshown: int


class Straggler(msgspec.Struct, frozen=True):
    """An account that never followed, and in how many channels."""

    login: str
    channels: int


class Failure(msgspec.Struct, frozen=True):
    """Something that did not go as it should: an item, a move or a verification."""

    channel: str
    wave: str
    what: str
    error: str


class GateLine(msgspec.Struct, frozen=True):
    """What a gate said at a time, where it changed its mind, or that somebody approved it."""

    time: float
    wave: str
    gate: str
    verdict: str
    detail: str = ""
    value: float | None = None


class GateSum(msgspec.Struct, frozen=True):
    """How often a gate said what, and the range of its numbers."""

    wave: str
    gate: str
    passed: int
    failed: int
    inconclusive: int
    least: float | None = None
    most: float | None = None


class Turn(msgspec.Struct, frozen=True):
    """A change of the rollout's state."""

    state: str
    time: float
    by: str
    why: str


class Report(msgspec.Struct, frozen=True):
    """All that is to be told of a rollout; msgspec writes it as JSON.

    Attributes:
        waves: one part for each wave.
        total: all waves together.
        moves: moves that were committed, by time; where not all can be listed, those with unshown lines go before
            hot ones, and these before cold ones.
        moves_unlisted: how many more there were.
        stragglers: accounts that never followed, those with the most channels first.
        stragglers_unlisted: how many more accounts there were.
        stayed_unnamed: members that had not followed and whose logins were not kept.
        cancelled: moves that were cancelled, by reason: they were tried again or given up.
        failures: items that were given up, moves that failed, verifications that found something.
        failures_unlisted: how many more there were.
        unshown: lines of logs given up by force that nobody is known to have been shown, at most; `moves` says
            which.
    """

    id: str
    name: str
    to: str
    sources: tuple[str, ...]
    state: RolloutState
    why: str
    by: str
    reason: str
    hash: str
    created: float
    history: tuple[Turn, ...]
    waves: tuple[Part, ...]
    total: Part
    moves: tuple[Moved, ...]
    moves_unlisted: int
    stragglers: tuple[Straggler, ...]
    stragglers_unlisted: int
    stayed_unnamed: int
    cancelled: dict[str, int]
    failures: tuple[Failure, ...]
    failures_unlisted: int
    unshown: int
    issues: tuple[Issue, ...]
    gates: tuple[GateLine, ...]
    gate_sums: tuple[GateSum, ...]


class _Tally:
    """What is counted for a wave."""

    def __init__(self) -> None:
        self.states: Counter[str] = Counter()
        self.times: list[float] = []
        self.seconds: dict[bool, list[float]] = {False: [], True: []}
        self.before = 0
        self.followed = 0

    def add(self, other: _Tally) -> None:
        self.states += other.states
        self.times += other.times
        for cold, seconds in other.seconds.items():
            self.seconds[cold] += seconds
        self.before += other.before
        self.followed += other.followed

    def part(self, name: str) -> Part:
        states = self.states
        return Part(
            name=name,
            channels=states.total(),
            there=states["there"],
            back=states["back"],
            waiting=states["waiting"],
            moving=states["moving"],
            skipped=states["skipped"],
            failed=states["failed"],
            first=min(self.times, default=0.0),
            last=max(self.times, default=0.0),
            hot=spread(self.seconds[False]),
            cold=spread(self.seconds[True]),
            before=self.before,
            followed=self.followed,
        )


def spread(seconds: Iterable[float]) -> Spread:
    """Sum up how long something took; a percentile is the value at or below which so many lie."""
    ordered = sorted(seconds)
    if not ordered:
        return Spread()
    count = len(ordered)
    return Spread(count, ordered[(count - 1) // 2], ordered[-(count // 100) - 1], ordered[-1])


class Reporter:
    """Takes a rollout's items, moves, issues, events and samples, and makes the report."""

    def __init__(self, rollout: Rollout, *, listed: int = LISTED) -> None:
        """Begin with nothing but the rollout."""
        self._rollout = rollout
        self._names = [wave.name for wave in rollout.definition.waves]
        self._listed = listed
        self._tallies = [_Tally() for _ in self._names]
        self._wave_of: dict[str, int] = {}
        self._early: list[Move] = []
        self._moved: tuple[list[Moved], ...] = ([], [], [])
        self._moves = 0
        self._stayed: Counter[str] = Counter()
        self._unnamed = 0
        self._cancelled: Counter[str] = Counter()
        self._failures: list[Failure] = []
        self._failed = 0
        self._unshown = 0
        self._issues: list[Issue] = []
        self._gates: list[GateLine] = []
        self._samples: dict[tuple[str, str], list[Sample]] = {}

    def item(self, item: Item) -> None:
        """Take one item."""
        self._wave_of[item.channel] = item.wave
        tally = self._tallies[item.wave]
        tally.states[item.goal if item.state == "done" else item.state] += 1
        tally.before += item.before
        tally.followed += item.followed
        self._stayed.update(set(item.stayed))
        self._unnamed += max(item.before - item.followed - len(item.stayed), 0) if item.state == "done" else 0
        if item.state == "failed":
            self._fail(item.channel, item.wave, "given up", item.error)
        if item.verified and not item.verified.startswith("ok"):
            self._fail(item.channel, item.wave, "verification", item.verified)

    def move(self, move: Move) -> None:
        """Take one move; those of other rollouts are passed over."""
        if move.rollout != self._rollout.id:
            return
        if move.channel not in self._wave_of:
            self._early.append(move)
            return
        wave = self._wave_of[move.channel]
        times = dict(move.history)
        if SWITCHED in times:
            self._committed(move, wave, times[SWITCHED], times[SWITCHED] - move.history[0][1])
        elif move.state == "cancelled":
            self._cancelled[move.error or "no reason was kept"] += 1
        elif move.state == "failed":
            self._fail(move.channel, wave, "move", move.error)

    def issue(self, issue: Issue) -> None:
        """Take one issue."""
        self._issues.append(issue)

    def event(self, event: Event) -> None:
        """Take one event; only what gates said is of interest."""
        if event.kind == "rollout.gate" and event.rollout == self._rollout.id:
            told = event.details
            by = ": ".join(str(told[key]) for key in ("by", "why") if told.get(key))
            did = f"{told['did']} ({by})" if by and told.get("did") else ""
            self._gates.append(
                GateLine(
                    event.time,
                    str(told.get("wave", "")),
                    str(told.get("gate", "")),
                    str(told.get("verdict") or "approved"),
                    str(told.get("detail") or did),
                    told.get("value"),
                )
            )

    def sample(self, wave: str, sample: Sample) -> None:
        """Take one sample of a gate of the wave of that name."""
        self._samples.setdefault((wave, sample.gate), []).append(sample)

    def report(self) -> Report:
        """Make the report of what was taken."""
        early, self._early = self._early, []
        for move in early:
            self._wave_of.setdefault(move.channel, 0)
            self.move(move)
        rollout, total = self._rollout, _Tally()
        for tally in self._tallies:
            total.add(tally)
        chosen = [moved for rank in self._moved for moved in rank][: self._listed]
        shown = sorted(chosen, key=lambda moved: (moved.time, moved.channel))
        stayed = sorted(self._stayed.items(), key=lambda pair: (-pair[1], pair[0]))
        return Report(
            id=rollout.id,
            name=rollout.definition.name,
            to=rollout.definition.to,
            sources=rollout.definition.sources,
            state=rollout.state,
            why=rollout.why,
            by=rollout.by,
            reason=rollout.reason,
            hash=rollout.hash,
            created=rollout.created,
            history=tuple(Turn(*turn) for turn in rollout.history),
            waves=tuple(tally.part(name) for tally, name in zip(self._tallies, self._names, strict=True)),
            total=total.part("all"),
            moves=tuple(shown),
            moves_unlisted=self._moves - len(shown),
            stragglers=tuple(Straggler(login, channels) for login, channels in stayed[: self._listed]),
            stragglers_unlisted=max(len(stayed) - self._listed, 0),
            stayed_unnamed=self._unnamed,
            cancelled=dict(self._cancelled.most_common(self._listed)),
            failures=tuple(sorted(self._failures, key=lambda failure: failure.channel)),
            failures_unlisted=self._failed - len(self._failures),
            unshown=self._unshown,
            issues=tuple(sorted(self._issues, key=lambda issue: issue.time)),
            gates=tuple(sorted(self._gates, key=lambda line: line.time)),
            gate_sums=tuple(_sum(wave, gate, samples) for (wave, gate), samples in sorted(self._samples.items())),
        )

    def _committed(self, move: Move, wave: int, time: float, seconds: float) -> None:
        tally = self._tallies[wave]
        tally.times.append(time)
        tally.seconds[move.cold].append(seconds)
        self._moves += 1
        self._unshown += move.unshown
        listed = self._moved[0 if move.unshown else 1 + move.cold]
        if len(listed) < self._listed:
            source = move.source.cluster if move.source else ""
            listed.append(
                Moved(
                    move.channel,
                    self._names[wave],
                    source,
                    move.target,
                    time,
                    seconds,
                    move.cold,
                    move.forced,
                    move.unshown,
                )
            )

    def _fail(self, channel: str, wave: int, what: str, error: str) -> None:
        self._failed += 1
        if len(self._failures) < self._listed:
            self._failures.append(Failure(channel, self._names[wave], what, error))


def _sum(wave: str, gate: str, samples: list[Sample]) -> GateSum:
    verdicts: Counter[Verdict] = Counter(sample.verdict for sample in samples)
    values = [sample.value for sample in samples if sample.value is not None]
    return GateSum(
        wave,
        gate,
        verdicts["pass"],
        verdicts["fail"],
        verdicts["inconclusive"],
        min(values, default=None),
        max(values, default=None),
    )
