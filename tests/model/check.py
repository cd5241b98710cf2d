"""What was promised, checked after each run from what was sent and what the logs hold.

The authority is worked out here from every record ever appended, with the rules written down once
more and differently, so that a fault in the product's own reading shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from godwit.values import Act, Arrive, Change, Entry, Message, Placement, Position, Produced, Seal, Segment
from tests.model.clients import Connection, Following, Legacy

if TYPE_CHECKING:
    from tests.model.edges import Edge
    from tests.model.world import World


class Standing:
    """What holds in the room: worked out from the logs, or what an edge believes."""

    def __init__(self) -> None:
        self.bans: dict[str, tuple[str, float, int]] = {}
        self.roles: dict[str, str] = {}
        self.settings: dict[str, int] = {}
        self.hosting = ""

    def told(self, accounts: list[str]) -> str:
        """The whole in words, to be compared."""
        bans = {who: self.bans[who] for who in accounts if who in self.bans}
        roles = {who: self.roles[who] for who in accounts if self.roles.get(who)}
        return f"bans {bans} roles {roles} settings {sorted(self.settings.items())} hosting {self.hosting!r}"

    @classmethod
    def at(cls, edge: Edge, accounts: list[str]) -> Standing:
        """What an edge believes."""
        found, channel = cls(), edge.channel
        for who in accounts:
            if ruling := channel.sanction(who):
                found.bans[who] = (ruling.kind, ruling.since, ruling.seconds)
            found.roles[who] = channel.role(who)
        found.settings, found.hosting = channel.settings, channel.hosting
        return found

    def weigh(self, record: Act | Change, time: float) -> None:
        """Take the next act that is in force."""
        if isinstance(record, Change):
            self.settings = {**self.settings, **record.settings}
        elif record.kind == "lift":
            self.bans.pop(record.target, None)
        elif record.kind in ("ban", "timeout"):
            self.bans[record.target] = (record.kind, time, record.seconds)
        elif record.kind in ("host", "unhost"):
            self.hosting = record.target_login if record.kind == "host" else ""
        else:
            self.roles[record.target] = "" if record.kind.startswith("un") else record.kind


class Ledger:
    """What was said on which connection, and what became of it."""

    def __init__(self) -> None:
        self.sent: dict[str, Connection] = {}
        self.order: dict[str, list[str]] = {}
        self.acked: dict[str, Position] = {}
        self.void: dict[str, str] = {}
        self.lost: set[str] = set()
        self.problems: list[str] = []

    def said(self, message: Message, connection: Connection) -> None:
        self.sent[message.id] = connection
        self.order.setdefault(connection.producer, []).append(message.id)

    def acknowledged(self, record: Produced, position: Position) -> None:
        self._once(record, "acknowledged")
        self.acked[record.id] = position

    def voided(self, record: Produced, reason: str) -> None:
        self._once(record, "voided")
        self.void[record.id] = reason

    def unknown(self, record: Produced) -> None:
        self._once(record, "unknown")
        self.lost.add(record.id)

    def _once(self, record: Produced, what: str) -> None:
        if record.id in self.acked or record.id in self.void or record.id in self.lost:
            self.problems.append(f"{record.id} was answered before it was {what}")


class Checker:
    """Finds broken promises."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.problems: list[str] = []
        self.arrivals: list[tuple[Position, str, str]] = []
        self._stored_epoch = 0
        self._seen: list[tuple[str, str, str]] = []
        self._standing = Standing()
        self._after: dict[str, str] = {}

    # while it runs ------------------------------------------------------------------------------

    def redirected(self, placement: Placement) -> None:
        """C5: nobody is sent away before the store says so."""
        stored = self.world.placement().segment
        if stored.epoch < placement.segment.epoch:
            self.problems.append(f"SERVERCHANGE to epoch {placement.segment.epoch}, the store is at {stored.epoch}")

    def gap(self, who: str) -> None:
        """Nobody cries wolf: where nothing goes wrong nothing is missing."""
        if self.world.calm:
            self.problems.append(f"{who} was told of missing lines, and nothing had gone wrong")

    def refused(self, cluster: str) -> None:
        """C11: during its own drain a cluster that was left lets everybody in."""
        placement = self.world.placement()
        drains = dict(zip(placement.previous, placement.drains, strict=True))
        if self.world.now() < drains.get(cluster, 0.0) - 1.0:
            self.problems.append(f"a JOIN on {cluster} was refused {drains[cluster] - self.world.now():.0f} s early")

    def follower_epoch(self, before: int, after: int) -> None:
        if after < before:
            self.problems.append(f"a follower went back from epoch {before} to {after}")

    def stored(self, placement: Placement) -> None:
        if placement.segment.epoch < self._stored_epoch:
            self.problems.append(f"the store went back to epoch {placement.segment.epoch}")
        self._stored_epoch = placement.segment.epoch

    def seen(self, edge: Edge, act: str) -> None:
        """An edge has shown what somebody did: what holds for it now is compared in the end."""
        self._seen.append((edge.name, act, Standing.at(edge, self._accounts()).told(self._accounts())))

    def _accounts(self) -> list[str]:
        return [client.account for client in self.world.clients]

    # afterwards ---------------------------------------------------------------------------------

    def authority(self) -> list[tuple[Position, Message]]:
        """The messages that are in force, in order."""
        found: list[tuple[Position, Message]] = []
        seen: dict[str, int] = {}
        self._standing, self._after = Standing(), {}
        self._standing.roles = dict(self.world.imported)
        segment: Segment | None = self.world.first_segment()
        chain = self.world.chain()
        while segment is not None:
            following: Segment | None = None
            for entry in self.world.records.get(segment.stream, []):
                if entry.sequence <= segment.at or entry.record.epoch != segment.epoch:
                    continue
                if isinstance(entry.record, Seal):
                    following = entry.record.to
                    break
                self._weigh(segment, entry, seen, found)
            if following is None:
                epoch = segment.epoch
                following = next((later for later in chain if later.epoch > epoch and later.unclean), None)
            segment = following
        return found

    def _weigh(
        self,
        segment: Segment,
        entry: Entry,
        seen: dict[str, int],
        found: list[tuple[Position, Message]],
    ) -> None:
        record = entry.record
        producer = getattr(record, "producer", None)
        if producer is None or record.number <= seen.get(producer, 0):  # type: ignore[union-attr]
            return
        seen[producer] = record.number  # type: ignore[union-attr]
        if isinstance(record, Arrive):
            here = Position(segment.epoch, entry.sequence)
            self.arrivals += [(here, record.cluster, account) for account in record.accounts]
        elif isinstance(record, Act | Change):
            self._standing.weigh(record, entry.time)
            self._after[record.id] = self._standing.told(self._accounts())
            self._visit(record, segment)
        elif isinstance(record, Message):
            kind, since, seconds = self._standing.bans.get(record.author.user_id, ("", 0.0, 0))
            if not kind or (kind == "timeout" and max(entry.time - since, 0.0) >= seconds):
                found.append((Position(segment.epoch, entry.sequence), record))

    def _visit(self, record: Act | Change, segment: Segment) -> None:
        """Note where an act is in force, that none of these is left out."""
        newest, first = self.world.chain()[-1], self.world.first_segment()
        if segment.epoch < newest.epoch:
            self.world.visit("act before a seal")
        if segment.epoch > first.epoch:
            self.world.visit("act after a seal")
        kept = (entry.record for records in self.world.records.values() for entry in records)
        if any(other.id == record.id and other.epoch < segment.epoch for other in kept):
            self.world.visit("act behind a seal, and once more after it")
        here = self.world.actors[record.id] == segment.cluster
        self.world.visit("act of somebody at home" if here else "act of somebody elsewhere")

    def verdict(self) -> list[str]:
        """All broken promises of the run."""
        problems = [*self.problems, *self.world.ledger.problems]
        ledger, authority = self.world.ledger, self.authority()
        rank = {message.id: (number, position) for number, (position, message) in enumerate(authority)}
        if len(rank) != len(authority):
            problems.append("a message is in force twice")
        for name, position in ledger.acked.items():
            if name.startswith("m") and rank.get(name, (0, None))[1] != position and not self.world.evacuated:
                problems.append(f"acknowledged at {position}, in force at {rank.get(name)}: {name}")
        for name, connection in ledger.sent.items():
            answered = name in ledger.acked or name in ledger.void or name in ledger.lost
            if connection.edge.alive and not answered:
                problems.append(f"never answered: {name} of {connection.owner.account}")
        problems += self._told(rank)
        connections = [c for client in self.world.clients for c in client.connections]
        for connection in connections:
            problems += self._connection(connection, rank)
        for client in self.world.clients:
            if isinstance(client, Following):
                problems += self._follower(client, rank)
        problems += self._twins()
        problems += self._stock(rank)
        problems += self._settled()
        if not self.world.evacuated:  # what was in a dead log may be known to some
            problems += self._agreed()
        return problems

    def _agreed(self) -> list[str]:
        """R2, R3: all edges know the same of the room at each act, and in the end, whenever they began to read."""
        problems = []
        for edge, act, told in self._seen:
            if told != self._after.get(act):
                problems.append(f"at {act} {edge} believed {told}, in force is {self._after.get(act)}")
        newest, truth = self.world.placement().segment, self._standing.told(self._accounts())
        for each in self.world.edges:
            if each.alive and each.channel.known and each.channel.segment == newest:
                told = Standing.at(each, self._accounts()).told(self._accounts())
                self.world.visit("edge:compared at the end")
                if told != truth:
                    problems.append(f"in the end {each.name} believes {told}, in force is {truth}")
        return problems

    def _told(self, rank: dict[str, tuple[int, Position]]) -> list[str]:
        """What senders were told is true, and their messages are in force in the order in which they were sent."""
        ledger, problems = self.world.ledger, []
        for name, reason in ledger.void.items():
            if name in rank and not self.world.evacuated:
                problems.append(f"{name} is in force, its sender was told {reason}")
            if self.world.calm and reason in ("unsent", "full"):
                problems.append(f"{name} was not sent, and nothing had gone wrong")
        if self.world.calm and ledger.lost:
            problems.append(f"unknown, and nothing had gone wrong: {sorted(ledger.lost)[:3]}")
        for producer, sent in ledger.order.items():
            ranks = [rank[name][0] for name in sent if name in rank]
            if ranks != sorted(ranks):
                problems.append(f"messages of {producer} are in force in another order than they were sent")
        return problems

    def _order(self, who: str, ids: list[str], rank: dict[str, tuple[int, Position]]) -> list[str]:
        problems = []
        if len(set(ids)) != len(ids):
            problems.append(f"{who} was shown a message twice: {[i for i in ids if ids.count(i) > 1][:3]}")
        strange = [name for name in ids if name not in rank]
        if strange and not self.world.evacuated:
            problems.append(f"{who} was shown what is not in force: {strange[:3]}")
        ranks = [rank[name][0] for name in ids if name in rank]
        if ranks != sorted(ranks) and not self.world.evacuated:
            problems.append(f"{who} was shown messages out of order")
        return problems

    def _connection(self, connection: Connection, rank: dict[str, tuple[int, Position]]) -> list[str]:
        who = f"{connection.owner.account} on {connection.edge.name} ({connection.producer})"
        ids = [name for _, name, _ in connection.lines]
        problems = self._order(who, ids, rank)
        for name in self.world.ledger.order.get(connection.producer, []):
            if name in ids:
                problems.append(f"{who} heard itself: {name}")
        if isinstance(connection.owner, Legacy):
            problems += self._silent(who, connection)
        if not (connection.open and connection.edge.alive and connection.member) or connection.since is None:
            return problems
        got = set(ids)
        for name in self.world.ledger.acked:
            if name not in rank or self.world.ledger.sent[name] is connection or name in got or self._moot(name):
                continue
            position = rank[name][1]
            if position > connection.since and not _excused(position, connection.excused):
                problems.append(f"{who} joined at {connection.since} and never got {name} at {position}")
        return problems

    def _silent(self, who: str, connection: Connection) -> list[str]:
        """C12: nothing is shown on a cluster before the channel came there (but to those who resume)."""
        there = connection.edge.cluster
        if self.world.evacuated:  # an edge may have followed a seal that was overruled
            return []
        homes = {0: "main"} | {segment.epoch: segment.cluster for segment in self.world.chain()}
        for position, name, _ in connection.lines:
            if all(home != there for epoch, home in homes.items() if epoch <= position.epoch):
                return [f"{who} was shown {name} at {position}, before the channel ever came to {there}"]
        return []

    def _follower(self, client: Following, rank: dict[str, tuple[int, Position]]) -> list[str]:
        who = f"follower {client.account}"
        problems = self._order(who, [name for _, name in client.shown], rank)
        side = client.follower.side
        if side is None:
            return [*problems, f"{who} is nowhere ({client.follower.state.name})"]
        if side.cluster != self.world.placement().segment.cluster and client.follower.home == side.cluster:
            problems.append(f"{who} believes that {side.cluster} is the home")
        got = {name for _, name in client.shown}
        own = {c.producer for c in client.connections}
        for name in self.world.ledger.acked:
            sender = self.world.ledger.sent.get(name)
            if name not in rank or name in got or (sender and sender.producer in own) or self._moot(name):
                continue
            position = rank[name][1]
            if client.since and position > client.since and not _excused(position, client.excused):
                problems.append(f"{who} began at {client.since} and never got {name} at {position}")
        return problems

    def _moot(self, name: str) -> bool:
        """After an evacuation: whether its sender was sanctioned, perhaps in records that the dead log took along."""
        sender = self.world.ledger.sent[name].owner.account
        return self.world.evacuated and any(row.target == sender for row in self.world.sanctions())

    def _twins(self) -> list[str]:
        """C12: from where an early joiner is served on the new cluster, its other connections get nothing."""
        problems = []
        for position, cluster, account in self.arrivals:
            for connection in (c for client in self.world.clients for c in client.connections):
                elsewhere = connection.account == account and connection.edge.cluster != cluster
                if not elsewhere or connection.admitted is None or connection.admitted >= position:
                    continue
                there = connection.edge.cluster
                until = [p for p, on, who in self.arrivals if p > position and (on, who) == (there, account)]
                late = [name for at, name, _ in connection.lines if position < at and not any(at > p for p in until)]
                if late and not _excused(position, connection.excused):
                    problems.append(f"{account} was served on {cluster} and got {late[:3]} on {connection.edge.name}")
        return problems

    def _stock(self, rank: dict[str, tuple[int, Position]]) -> list[str]:
        """C11: a client that comes back to its old address is never left in silence."""
        problems = []
        placement = self.world.placement()
        served = {placement.segment.cluster}
        if self.world.move_settings.legacy_rule == "bridge":
            served |= set(placement.previous)
        late = [name for name in self.world.late if name in self.world.ledger.acked and name in rank]
        for client in self.world.clients:
            for connection in client.connections:
                if not (isinstance(client, Legacy) and connection.open and connection.edge.alive and connection.member):
                    continue
                heard = {name for _, name, _ in connection.lines}
                missed = [n for n in late if n not in heard and self.world.ledger.sent[n] is not connection]
                if connection.edge.cluster in served and missed:
                    problems.append(f"{client.account} sits in silence on {connection.edge.name}: {missed[:3]}")
        return problems

    def _settled(self) -> list[str]:
        """When all is quiet: every edge stands where the store says, and no move hangs."""
        problems = []
        stored = self.world.placement()
        for edge in self.world.edges:
            segment = edge.channel.segment
            over = edge.cluster in stored.previous and self.world.move_settings.legacy_rule != "bridge"
            if edge.alive and over and edge.channel.served:
                problems.append(f"{edge.name} serves members although its drain is over")
            if edge.alive and segment and not edge.channel.idle and segment.epoch != stored.segment.epoch:
                problems.append(f"{edge.name} reads epoch {segment.epoch}, the store says {stored.segment.epoch}")
        opened = {(s.cluster, s.epoch, s.at, s.stream) for s in self.world.chain()}
        for move in self.world.moves():
            gone = self.world.evacuated and "is gone" in move.error  # a reader that slept may commit it yet
            if (
                move.state in ("cancelled", "failed")
                and not gone
                and (move.target, move.epoch, move.at, move.stream) in opened
            ):
                problems.append(f"move {move.id} says {move.state}, but it happened")
            if move.state == "settled" and (move.target, move.epoch, move.at, move.stream) not in opened:
                problems.append(f"move {move.id} says settled, but another one happened")
            if move.state not in ("settled", "cancelled", "failed"):
                problems.append(f"move {move.id} hangs in {move.state}: {move.error}")
        return problems


def _excused(position: Position, gaps: list[tuple[Position, Position]]) -> bool:
    return any(after < position <= upto for after, upto in gaps)
