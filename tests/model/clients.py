"""The people of the simulation: legacy clients, followers, twins; they all may talk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from godwit.chat.modes import Speaker
from godwit.edge.ports import Shown
from godwit.tmi.client_events import ChannelMessage, RoomState, ServerChanged
from godwit.tmi.follow import Cancel, Effect, Follower, FollowState, Join, LookUp, Part, RetryLater, Show, Side
from godwit.values import Act, Author, Change, Message, Placement, Position

if TYPE_CHECKING:
    from tests.model.edges import Edge
    from tests.model.world import World


class Connection:
    """A connection to an edge: a `Member`. What it is sent is recorded as the edge sends it."""

    def __init__(self, world: World, edge: Edge, owner: Client) -> None:
        self.world = world
        self.edge = edge
        self.owner = owner
        self.producer = world.name("c")
        self.account = owner.account
        self.open = True
        self.member = False
        self.silent = False
        self.since: Position | None = None
        self.lines: list[tuple[Position, str, str]] = []
        self.excused: list[tuple[Position, Position]] = []
        self.left_at: Position | None = None
        self.admitted: Position | None = None
        self._lag = world.rng.choice((0.05, 0.05, 0.05, 4.0))
        self._last = world.now()
        edge.connections[self.producer] = self

    # the edge's side ----------------------------------------------------------------------------

    def joined(self, position: Position, epoch: int, *, home: bool, silent: bool, missing: int | None) -> None:
        if self.since is None or not self.member:
            self.since = None if silent else position
        self.member, self.silent = True, silent
        self.admitted = self.edge.position
        if missing:
            self.world.checker.gap(f"{self.owner.account} resumed")
            self.owner.gaps += 1
            self.owner.excuse(Position(0, 0), position)
            self.excused.append((Position(0, 0), position))
        room = RoomState(self.world.channel, True, {}, None if silent else position, self.edge.cluster, epoch, home)
        self._tell(lambda: self.owner.on_joined(self, room))

    def begin(self) -> None:
        """It was early and is served from here on."""
        self.silent = False
        self.since = self.since or self.edge.position

    def redirected(self, placement: Placement) -> None:
        self._tell(lambda: self.owner.on_change(self, placement))

    def refused(self) -> None:
        self.world.checker.refused(self.edge.cluster)
        self.member = False
        self._tell(lambda: self.owner.on_refused(self))

    def line(self, shown: Shown) -> None:
        self.lines.append((shown.position, shown.message.id, shown.message.producer))
        self._tell(lambda: self.owner.on_line(self, shown))

    def gap(self, upto: Position) -> None:
        self.world.checker.gap(f"{self.owner.account} on {self.edge.name}")
        last = self.lines[-1][0] if self.lines else Position(0, 0)
        self.excused.append((last, upto))
        self._tell(lambda: self.owner.on_gap(self, last, upto))

    def parted(self) -> None:
        self.member = False
        self.left_at = self.edge.position
        self._tell(lambda: self.owner.on_parted(self))

    def lost(self) -> None:
        """The edge is gone, and with it what it had not sent."""
        if self.open:
            self.open = False
            self.owner.on_lost(self)

    # the client's side --------------------------------------------------------------------------

    def join(self, after: Position | None = None) -> None:
        self._do(lambda: self.edge.join(self, after))

    def part(self) -> None:
        def leave() -> None:
            self.member = False
            self.left_at = self.left_at or self.edge.position
            self.edge.leave(self)
            # The server answers (PART-1), behind everything that it has said before.
            self.world.schedule.after(self._lag, lambda: self.owner.on_parted(self) if self.open else None)

        self._do(leave)

    def say(self, message: Message) -> None:
        """Say something once the edge knows who may; some edges refuse those who they know are banned."""
        ledger = self.world.ledger

        def submit() -> None:
            channel = self.edge.channel
            speaker = Speaker(message.author.user_id)
            if self.edge.refuses and channel.refusal(
                speaker, message.text, self.edge.now(), action=False, only_emotes=lambda: True
            ):
                self.world.visit("edge:refused to say")
                ledger.voided(message, "refused")
            elif not channel.submit(message):
                ledger.voided(message, "full")

        def ask() -> None:
            if not self.edge.channel.when_known(self.producer, submit, lambda: ledger.voided(message, "unsent")):
                ledger.voided(message, "full")

        self._do(ask)

    def act(self, record: Act | Change) -> None:
        """Act once the edge knows the room; whether it comes to anything is not asked."""

        def submit() -> None:
            self.edge.channel.submit(record)

        def ask() -> None:
            self.edge.channel.when_known(self.producer, submit, lambda: None)

        self._do(ask)

    def close(self) -> None:
        self.part()
        self.open = False

    def _do(self, action: Callable[[], None]) -> None:
        if self.open and self.edge.alive:
            self.edge.run(action)

    def _tell(self, action: Callable[[], None]) -> None:
        """The network to the client: in order, with delays."""
        schedule = self.world.schedule
        self._last = max(self._last, schedule.now() + schedule.rng.uniform(0.0, self._lag))
        schedule.after(self._last - schedule.now(), lambda: action() if self.open else None)


class Client:
    """Somebody with an account."""

    def __init__(self, world: World, account: str) -> None:
        self.world = world
        self.account = account
        self.connections: list[Connection] = []
        self.gaps = 0

    def connect(self, cluster: str) -> Connection | None:
        edges = [edge for edge in self.world.edges if edge.cluster == cluster and edge.alive]
        if not edges:
            return None
        connection = Connection(self.world, self.world.rng.choice(edges), self)
        self.connections.append(connection)
        return connection

    def speak(self) -> None:
        """Say something on a connection that is in the channel."""
        usable = [connection for connection in self.connections if connection.open and connection.member]
        if usable:
            connection = usable[-1]
            author = Author(self.account, self.account)
            message = Message(self.world.name("m"), 0, connection.producer, 0, author, "hello")
            self.world.ledger.said(message, connection)
            connection.say(message)

    def again(self) -> None:
        """JOIN once more where one is in already, perhaps naming a position."""
        usable = [connection for connection in self.connections if connection.open and connection.member]
        if usable:
            connection = self.world.rng.choice(usable)
            seen = connection.lines[-1][0] if connection.lines else connection.since
            connection.join(self.world.rng.choice((None, seen)))

    def excuse(self, after: Position, upto: Position) -> None:
        """A gap was told."""

    def on_joined(self, connection: Connection, room: RoomState) -> None: ...

    def on_change(self, connection: Connection, placement: Placement) -> None: ...

    def on_refused(self, connection: Connection) -> None: ...

    def on_line(self, connection: Connection, shown: Shown) -> None: ...

    def on_gap(self, connection: Connection, after: Position, upto: Position) -> None: ...

    def on_parted(self, connection: Connection) -> None: ...

    def on_lost(self, connection: Connection) -> None: ...


class Legacy(Client):
    """Never heard of SERVERCHANGE; comes back to its old address when a connection dies."""

    def __init__(self, world: World, account: str, clusters: tuple[str, ...]) -> None:
        super().__init__(world, account)
        self.clusters = clusters

    def start(self) -> None:
        for cluster in self.clusters:
            self._come(cluster)

    def _come(self, cluster: str) -> None:
        connection = self.connect(cluster)
        if connection:
            connection.join()
        else:
            self.world.schedule.after(2.0, lambda: self._come(cluster))

    def on_lost(self, connection: Connection) -> None:
        self.world.schedule.after(self.world.rng.uniform(0.1, 3.0), lambda: self._come(connection.edge.cluster))


class Following(Client):
    """Follows moves with the real `Follower`."""

    def __init__(self, world: World, account: str, home: str) -> None:
        super().__init__(world, account)
        self.follower = Follower(home)
        self.shown: list[tuple[Position | None, str]] = []
        self.since: Position | None = None
        self.excused: list[tuple[Position, Position]] = []
        self._sides: dict[int, Connection] = {}
        self._retries = 0

    def start(self) -> None:
        self._do(self.follower.start())

    def speak(self) -> None:
        side = self.follower.side
        connection = self._sides.get(side.connection) if side else None
        if connection and connection.open and connection.member:
            author = Author(self.account, self.account)
            message = Message(self.world.name("m"), 0, connection.producer, 0, author, "hello")
            self.world.ledger.said(message, connection)
            connection.say(message)

    def again(self) -> None:
        side = self.follower.side
        connection = self._sides.get(side.connection) if side else None
        if connection and connection.open and connection.member:
            connection.join(self.follower.seen)

    def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            self.world.visit(f"follower:{type(effect).__name__} {self.follower.state.name}")
            if isinstance(effect, Join):
                self._join(effect)
            elif isinstance(effect, Part):
                self._sides[effect.side.connection].part()
            elif isinstance(effect, Cancel):
                for number, connection in self._sides.items():
                    same = effect.but is not None and effect.but.connection == number
                    if connection.edge.cluster == effect.cluster and not same:
                        connection.part()
            elif isinstance(effect, RetryLater):
                self.world.schedule.after(self.world.rng.uniform(0.5, 3.0), lambda: self._do(self.follower.retry()))
            elif isinstance(effect, LookUp):
                self.world.schedule.after(0.1, self._look_up)
            elif isinstance(effect, Show):
                self.shown.append((effect.message.position, effect.message.id))

    def _join(self, effect: Join) -> None:
        connection = self.connect(effect.cluster)
        if connection is None:
            self.world.schedule.after(0.5, lambda: self._do(self.follower.failed(effect.cluster)))
            return
        number = len(self._sides) + 1
        self._sides[number] = connection
        self.world.schedule.after(self.world.rng.uniform(0, 0.2), lambda: connection.join(effect.after))
        self.world.schedule.after(10.0, lambda: self._time_out(connection, effect.cluster))

    def _time_out(self, connection: Connection, cluster: str) -> None:
        if connection.open and connection.admitted is None and self.follower.state is not FollowState.OUT:
            connection.close()
            self._do(self.follower.failed(cluster))

    def _look_up(self) -> None:
        placement = self.world.placement()
        self._do(self.follower.located(placement.segment.cluster, placement.segment.epoch))

    def _side(self, connection: Connection) -> Side:
        number = next(number for number, other in self._sides.items() if other is connection)
        return Side(connection.edge.cluster, number)

    def excuse(self, after: Position, upto: Position) -> None:
        self.excused.append((after, upto))

    def on_joined(self, connection: Connection, room: RoomState) -> None:
        side = self._side(connection)
        self._do(self.follower.answered(side, room))
        if self.since is None and self.follower.side == side:
            self.since = room.position

    def on_change(self, connection: Connection, placement: Placement) -> None:
        before = self.follower.epoch
        segment = placement.segment
        changed = ServerChanged(self.world.channel, segment.cluster, segment.epoch)
        self._do(self.follower.changed(self._side(connection), changed))
        self.world.checker.follower_epoch(before, self.follower.epoch)

    def on_refused(self, connection: Connection) -> None:
        self._do(self.follower.failed(connection.edge.cluster))

    def on_line(self, connection: Connection, shown: Shown) -> None:
        message = ChannelMessage(
            self.world.channel, shown.message.id, shown.message.author.login, "", False, {}, shown.position
        )
        self._do(self.follower.line(self._side(connection), message))

    def on_gap(self, connection: Connection, after: Position, upto: Position) -> None:
        if self._side(connection) == self.follower.side:
            self.gaps += 1
            self.excused.append((after, upto))

    def on_parted(self, connection: Connection) -> None:
        self._do(self.follower.parted(self._side(connection)))

    def on_lost(self, connection: Connection) -> None:
        if connection in self._sides.values():
            side = self._side(connection)
            delay = self.world.rng.uniform(0.1, 1.0)
            self.world.schedule.after(delay, lambda: self._do(self.follower.lost(side)))
