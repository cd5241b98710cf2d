"""What the rollout drill finds."""

from __future__ import annotations

import msgspec

from godwit.drill.ledger import Count, Role
from godwit.drill.result import NAMED_PROBLEMS
from godwit.drill.rollout_joins import Joins
from godwit.drill.rollout_plan import RolloutOptions


class Findings(msgspec.Struct):
    """What is found on the way.

    Attributes:
        problems: what went wrong, in words.
        moved_live: moves of channels whose streams ran.
        server_joins_over: JOINs past a limit, as the server counts them.
    """

    problems: list[str]
    clients: int = 0
    moves: int = 0
    serverchange_expected: int = 0
    serverchange_seen: int = 0
    moved_live: list[str] = []
    server_joins_over: int = 0
    paused_by_gate: int = 0
    reversed: int = 0
    ended_streams: int = 0
    finished: bool = False
    doctor_findings: int = 0
    report: str = ""


class RolloutResult(msgspec.Struct, frozen=True):
    """What a rollout drill found; as JSON these are its keys.

    Attributes:
        moves: channels' moves, there and back, as the change feed told them.
        foreign: lines that nobody said like that.
        overlap: lines that followers rightly saw on both of their connections.
        longest_silence_ms: per role, the longest time in milliseconds from the sending of an
            acknowledged message to its arrival at any client of the role that had to hear it.
        serverchange_expected: pairs of a channel's way and a client that was on the cluster that was left.
        serverchange_seen: how many of these saw SERVERCHANGE for it.
        live_moved: moves of channels whose streams ran.
        ended_streams: streams that ended during the run.
        over_join_limit: JOINs past their client's limit, free ones not counted.
        joins_charged, joins_free: JOINs that counted against a limit, and those that moves had caused.
        most_joins: the most of the bot's JOINs that counted in one window.
        over_told: SERVERCHANGE lines that came when their client had been told of as many as it may join.
        most_told: the most SERVERCHANGE lines that came to the bot in a window's time.
        paused_by_gate: how often the gate that turns red paused the rollout.
        reversed: channels that had moved when the rollout was reversed, and were back when that was done.
        doctor_findings: what the doctor found at the end.
        seconds: how long it all took.
        cpu_seconds: of the server, and of the drill.
        report: the rollout's own report, as Markdown.
        ok: everything was exact.
        problems: the first few offenders, in words.
    """

    channels: int
    hot: int
    clients: int
    moves: int
    sent: int
    acknowledged: int
    unacknowledged: int
    expected: int
    delivered: int
    lost: int
    duplicated: int
    misordered: int
    foreign: int
    overlap: int
    longest_silence_ms: dict[Role, float]
    serverchange_expected: int
    serverchange_seen: int
    live_moved: int
    ended_streams: int
    over_join_limit: int
    joins_charged: int
    joins_free: int
    most_joins: int
    over_told: int
    most_told: int
    paused_by_gate: int
    reversed: int
    doctor_findings: int
    seconds: float
    cpu_seconds: dict[str, float]
    report: str
    ok: bool
    problems: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The verdict in one line."""
        counts = (
            f"{self.lost} lost, {self.duplicated} repeated, {self.misordered} misordered, "
            f"{self.unacknowledged} not acknowledged, {self.live_moved} moved live, "
            f"{self.over_join_limit} JOINs over a limit"
        )
        if self.ok:
            silence = ", ".join(f"{role} {value:.0f} ms" for role, value in self.longest_silence_ms.items())
            return (
                f"godwit demo rollout: OK: {self.channels} channels there, {self.reversed} of them back before, in "
                f"{self.moves} moves; {self.sent} messages, {self.delivered} of {self.expected} lines delivered to "
                f"{self.clients} clients; {counts}; a gate paused it {_times(self.paused_by_gate)}; the bot was told "
                f"of {self.most_told} moves in a window at most; longest silence: {silence}; {self.seconds:.1f} s"
            )
        why = f"; first problem: {self.problems[0]}" if self.problems else ""
        return f"godwit demo rollout: FAILED: {self.delivered} of {self.expected} lines delivered, {counts}{why}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def judge(
    options: RolloutOptions,
    count: Count,
    joins: Joins,
    found: Findings,
    *,
    seconds: float,
    cpu_seconds: dict[str, float],
) -> RolloutResult:
    """Make the result: green only if everything is exact."""
    problems = [*found.problems, *count.problems, *joins.problems]
    problems += [f"a live channel was moved: {moved}" for moved in found.moved_live]
    if bool(found.server_joins_over) != bool(joins.over):  # the windows of the two need not begin at one time
        problems.append(f"the server dropped {found.server_joins_over} JOINs past a limit, {joins.over} were sent")
    if found.serverchange_expected != found.serverchange_seen:
        problems.append(f"{found.serverchange_expected} had to see SERVERCHANGE, {found.serverchange_seen} did")
    if found.finished and not (found.paused_by_gate and found.reversed and found.ended_streams):
        problems.append("it was not paused by its gate, not reversed, or no stream ended")
    if not found.finished:
        problems.append("the rollout has not finished")
    if not count.expected:
        problems.append("nothing was expected anywhere: nobody listened, or nothing was said")
    return RolloutResult(
        channels=options.channels,
        hot=options.hot,
        clients=found.clients,
        moves=found.moves,
        sent=count.sent,
        acknowledged=count.acknowledged,
        unacknowledged=count.unacknowledged,
        expected=count.expected,
        delivered=count.delivered,
        lost=count.lost,
        duplicated=count.duplicated,
        misordered=count.misordered,
        foreign=count.foreign,
        overlap=count.overlap,
        longest_silence_ms={role: round(count.longest_silence_ms.get(role, 0.0), 1) for role in ("follower", "legacy")},
        serverchange_expected=found.serverchange_expected,
        serverchange_seen=found.serverchange_seen,
        live_moved=len(found.moved_live),
        ended_streams=found.ended_streams,
        over_join_limit=joins.over,
        joins_charged=joins.charged,
        joins_free=joins.free,
        most_joins=joins.most,
        over_told=joins.told_over,
        most_told=joins.most_told,
        paused_by_gate=found.paused_by_gate,
        reversed=found.reversed,
        doctor_findings=found.doctor_findings,
        seconds=round(seconds, 2),
        cpu_seconds={name: round(value, 1) for name, value in cpu_seconds.items()},
        report=found.report,
        ok=count.exact and not problems,
        problems=tuple(problems[:NAMED_PROBLEMS]),
    )
