"""What a demo is asked for, what it shows on the way, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import msgspec

from godwit.drill.faults import Fault
from godwit.drill.ledger import Count, Role
from godwit.errors import InvalidSetting

NAMED_PROBLEMS = 20
"""How many problems a result names; the counts are of all."""


def _option(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How large a demo is. `help_of` gives the help text of each."""

    channels: int = _option(20, "Channels that are moved.")
    talkers: int = _option(40, "Clients that talk; every second one of them follows moves.")
    followers: int = _option(80, "Clients that listen and follow moves.")
    legacy: int = _option(80, "Clients that listen and never heard of SERVERCHANGE.")
    moves: int = _option(2, "Moves per channel: there, back, there ...")
    seed: int = _option(1, "Seed of what is said, and when.")
    fault: Fault = field(
        default="none",
        metadata={"help": "Do something wrong, to see that it is found: skip-seal, drop, repeat or swap."},
    )
    nodes: bool = _option(
        False, "Over a network of many processes: NATS, PostgreSQL, two edges per cluster, two controllers."
    )

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            InvalidSetting: there would be nothing to show.
        """
        for name, least in (("channels", 1), ("talkers", 1), ("followers", 0), ("legacy", 0), ("moves", 0)):
            if getattr(self, name) < least:
                raise InvalidSetting(f"--{name} is {getattr(self, name)}: it must be {least} or more")
        if self.channels > 999:
            raise InvalidSetting(f"--channels is {self.channels}: it must be 999 or less")
        if self.followers + self.legacy == 0 and self.talkers <= self.channels:
            raise InvalidSetting("nobody would listen: give --followers or --legacy, or more talkers than channels")

    @property
    def clients(self) -> int:
        """Clients in all."""
        return self.talkers + self.followers + self.legacy


def help_of(option: str) -> str:
    """The help text of an option."""
    return next(str(item.metadata["help"]) for item in fields(DemoOptions) if item.name == option)


class Node(msgspec.Struct, frozen=True):
    """One of the processes that a demo ran over.

    Attributes:
        connections: how many clients came to it, if it is an edge.
    """

    name: str
    role: str
    cluster: str
    connections: int


class Result(msgspec.Struct, frozen=True):
    """What a demo found; as JSON these are its keys.

    Attributes:
        moves: moves that switched their channel and stand.
        foreign: lines that nobody said like that.
        overlap: lines that followers rightly saw on both of their connections.
        longest_silence_ms: per role, the longest time in milliseconds from the sending of an
            acknowledged message to its arrival at any client of the role that had to hear it.
        serverchange_expected: pairs of a move and a client that was on the cluster that was left.
        serverchange_seen: how many of these saw SERVERCHANGE for it.
        nodes: the processes, if there were many.
        seconds: how long it all took.
        ok: everything was exact.
        problems: the first few offenders, in words.
    """

    channels: int
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
    nodes: tuple[Node, ...]
    seconds: float
    ok: bool
    problems: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The verdict in one line."""
        counts = (
            f"{self.lost} lost, {self.duplicated} repeated, {self.misordered} misordered, "
            f"{self.unacknowledged} not acknowledged"
        )
        if self.ok:
            silence = ", ".join(f"{role} {value:.0f} ms" for role, value in self.longest_silence_ms.items())
            return (
                f"godwit demo: OK: {self.sent} messages, {self.delivered} of {self.expected} lines delivered to "
                f"{self.clients} clients through {self.moves} moves of {self.channels} channels; {counts}; "
                f"longest silence: {silence}; {self._where}{self.seconds:.1f} s"
            )
        why = f"; first problem: {self.problems[0]}" if self.problems else ""
        return f"godwit demo: FAILED: {self.delivered} of {self.expected} lines delivered, {counts}{why}"

    @property
    def _where(self) -> str:
        if not self.nodes:
            return ""
        edges = ", ".join(f"{node.name} {node.connections}" for node in self.nodes if node.role == "edge")
        return f"{len(self.nodes)} processes, connections: {edges}; "


def judge(
    options: DemoOptions,
    count: Count,
    *,
    moves: int,
    told: tuple[int, int],
    seconds: float,
    problems: list[str],
    nodes: tuple[Node, ...] = (),
) -> Result:
    """Make the result: green only if everything is exact.

    Args:
        moves: moves that switched their channel and stand.
        told: how many had to see SERVERCHANGE, and how many did.
        problems: found outside of the account.
    """
    found = [*problems, *count.problems]
    if moves != options.channels * options.moves:
        found.append(f"{moves} moves done, not {options.channels * options.moves}")
    if told[0] != told[1]:
        found.append(f"{told[0]} had to see SERVERCHANGE, {told[1]} did")
    if count.expected == 0:
        found.append("nothing was expected anywhere: nobody listened, or nothing was said")
    return Result(
        channels=options.channels,
        clients=options.clients,
        moves=moves,
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
        serverchange_expected=told[0],
        serverchange_seen=told[1],
        nodes=nodes,
        seconds=round(seconds, 2),
        ok=count.exact and not found,
        problems=tuple(found[:NAMED_PROBLEMS]),
    )


class ChannelView(msgspec.Struct, frozen=True):
    """One channel as it stands.

    Attributes:
        moves: target and state of each of its moves so far.
        count: its account; of the last seconds' messages it does not expect anything yet.
    """

    channel: str
    moves: tuple[tuple[str, str], ...]
    count: Count


class Snapshot(msgspec.Struct, frozen=True):
    """The demo as it stands, for a live table.

    Attributes:
        phase: what is going on, in a few words.
        seconds: since the start.
        total: the account of all channels.
    """

    phase: str
    seconds: float
    clients: int
    channels: tuple[ChannelView, ...]
    total: Count
