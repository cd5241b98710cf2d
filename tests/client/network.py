"""A chat network without I/O for tests: clusters, rooms that move, and wires that can be held and cut.

A room has one order of lines, which every cluster knows. What a server sends waits on its link's
wire until the test lets it through, so that a test decides in which order two servers are heard.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from random import Random

from godwit.client import actions
from godwit.client.core import Core
from godwit.client.directory import Place
from godwit.client.events import Event, Interrupted, Message, Sent
from godwit.client.options import Options, Transport
from godwit.client.pace import Rate
from godwit.clock import FakeClock
from godwit.tmi import events, render
from godwit.tmi.login import LoginFailure
from godwit.tmi.server import ServerConnection
from godwit.values import Account, Addresses, Author, Position
from godwit.values import Message as Line

FAST = Options(joins=Rate(1000, 10.0), messages=Rate(1000, 30.0))
"""Options under which limits play no part."""


class Room:
    """One channel: where it lives, and everything that was said, in order."""

    def __init__(self, name: str, home: str) -> None:
        self.name = name
        self.home = home
        self.epoch = 1
        self.lines: list[tuple[Position, Line]] = []
        self.expired = Position(0, 0)

    @property
    def end(self) -> Position:
        """The position of the last line."""
        return self.lines[-1][0] if self.lines else Position(self.epoch, 0)

    def say(self, text: str, login: str = "ann", nonce: str = "", producer: str = "") -> Line:
        """Have something said."""
        position = Position(self.epoch, len(self.lines) + 1)
        line = Line(f"id-{position}", self.epoch, producer, position.sequence, Author("1", login), text, nonce=nonce)
        self.lines.append((position, line))
        return line

    def behind(self, after: Position) -> list[tuple[Position, Line]]:
        """The lines behind a position."""
        return [(position, line) for position, line in self.lines if position > after]


class Peer:
    """A server's end of one connection; `shown` is how far each joined room has been sent."""

    def __init__(self, cluster: Cluster, link: int) -> None:
        self.cluster = cluster
        self.link = link
        self.connection = ServerConnection()
        self.shown: dict[str, Position] = {}
        self.wire: deque[bytes] = deque()
        self.held = False
        self.lines: list[bytes] = []

    @property
    def producer(self) -> str:
        """Who says what is said on this connection; it is not shown there."""
        return f"{self.cluster.name}/{self.link}"

    def send(self, data: bytes) -> None:
        """Put something on the wire."""
        self.connection.send(data)
        self.collect()

    def collect(self) -> None:
        """Put on the wire what the connection has to send."""
        self.wire.extend(self.connection.data_to_send())

    def show(self, room: Room, count: int | None = None) -> None:
        """Send the next lines of a room, or all of them."""
        for position, line in room.behind(self.shown[room.name])[:count]:
            self.shown[room.name] = position
            if line.producer != self.producer:
                caps = self.connection.caps
                self.send(render.privmsg(caps, room.name, line, time=0.0, room_id="1", position=position))


class Cluster:
    """One server.

    Attributes:
        up: whether it can be reached.
        refusal: why logins are refused, if they are.
        deaf: JOINs are not answered.
        mute: messages are neither said nor acknowledged.
        objection: msg-id and text of the notice with which messages are refused.
        behind: rooms whose move here this cluster has not learned of.
        bridging: members are let in although the room lives elsewhere.
    """

    def __init__(self, network: Network, name: str) -> None:
        self.network = network
        self.name = name
        self.address = f"{name}.test:6667"
        self.addresses = Addresses(tcp=(self.address,))
        self.up = True
        self.refusal: LoginFailure | None = None
        self.deaf = False
        self.mute = False
        self.objection: tuple[str, str] | None = None
        self.behind: set[str] = set()
        self.bridging = True
        self.peers: dict[int, Peer] = {}

    @property
    def peer(self) -> Peer:
        """The newest connection."""
        return self.peers[max(self.peers)]

    def members(self, channel: str) -> list[Peer]:
        """The connections that have joined a room."""
        return [peer for peer in self.peers.values() if channel in peer.shown]

    def show(self, channel: str, count: int | None = None) -> None:
        """Send the next lines of a room to its members here."""
        for peer in self.members(channel):
            peer.show(self.network.rooms[channel], count)

    def announce(self, channel: str, *, destination: str = "tags") -> None:
        """Send SERVERCHANGE to the room's members here."""
        for peer in self.members(channel):
            self._change(peer, self.network.rooms[channel], destination)

    def reconnect(self) -> None:
        """Send RECONNECT to everybody."""
        for peer in self.peers.values():
            peer.send(render.reconnect(peer.connection.caps))

    def act(self, peer: Peer, event: events.Event) -> None:
        """Do what a client wants."""
        match event:
            case events.LoginRequested(nick):
                if self.refusal:
                    peer.connection.login_failed(self.refusal)
                else:
                    peer.connection.login_accepted(Account("7", nick))
                    for held in peer.connection.read_held():
                        self.act(peer, held)
            case events.JoinRequested(channels, after):
                for channel in channels:
                    self._join(peer, channel, after.get(channel))
            case events.PartRequested(channels):
                for channel in channels:
                    peer.shown.pop(channel, None)
                    peer.send(render.part(peer.connection.nick, channel))
            case events.MessageSent(channel, text, _, nonce, _):
                self._say(peer, channel, text, nonce)
            case events.InquireRequested(channels):
                for room in [self.network.rooms[name] for name in channels if name in self.network.rooms]:
                    home = self.network.clusters[room.home]
                    caps = peer.connection.caps
                    address = next(iter(home.addresses.tcp), "-")
                    peer.send(render.inquire(room.name, home.name, address, caps=caps, epoch=room.epoch))

    def _change(self, peer: Peer, room: Room, destination: str = "tags") -> None:
        home = self.network.clusters[room.home]
        where = {"cluster": home.name, "epoch": room.epoch, "addresses": home.addresses}
        peer.send(render.serverchange(peer.connection.caps, room.name, destination=destination, **where))  # type: ignore[arg-type]

    def _join(self, peer: Peer, channel: str, after: Position | None) -> None:
        room = self.network.rooms.get(channel)
        if self.deaf or room is None:
            return
        home = room.home == self.name
        if channel in self.behind:
            peer.send(self._burst(peer, room, None, epoch=room.epoch - 1))
            return
        if not home and not self.bridging:
            self._change(peer, room)
            return
        start = room.end if after is None else max(after, room.expired)
        peer.shown[channel] = start
        peer.send(self._burst(peer, room, start, epoch=room.epoch))
        if after is not None and after < room.expired:
            missing = len(room.behind(after)) - len(room.behind(start))
            peer.send(render.gap(peer.connection.caps, channel, missing))
        if not home:
            self._change(peer, room)

    def _burst(self, peer: Peer, room: Room, position: Position | None, *, epoch: int) -> bytes:
        return render.join_burst(
            peer.connection.caps,
            room.name,
            Author("7", peer.connection.nick),
            room_id="1",
            settings={},
            position=position,
            cluster=self.name,
            epoch=epoch,
            home=room.home == self.name,
        )

    def _say(self, peer: Peer, channel: str, text: str, nonce: str) -> None:
        caps = peer.connection.caps
        if self.objection:
            peer.send(render.notice(caps, channel, *self.objection))
        elif not self.mute:
            line = self.network.rooms[channel].say(text, peer.connection.nick, nonce, peer.producer)
            author = Author("7", peer.connection.nick)
            peer.send(render.userstate(caps, channel, author, msg_id=line.id, nonce=nonce))


class Network:
    """Clusters, rooms, a clock, and one client's core between them."""

    def __init__(self, clusters: Iterable[str] = ("main", "aws"), *, seed: int = 1) -> None:
        self.clock = FakeClock()
        self.random = Random(seed)
        self.clusters = {name: Cluster(self, name) for name in clusters}
        self.rooms: dict[str, Room] = {}
        self.core: Core | None = None
        self.opening: list[tuple[int, str]] = []
        self.dialed: list[str] = []
        self.told: list[Event] = []
        self.results: dict[int, Sent | Exception | None] = {}
        self.asked: list[tuple[str, ...]] = []
        self.directory_up = True
        self.ended: list[Exception | None] = []

    def room(self, name: str = "room", home: str = "main") -> Room:
        """Make a room."""
        return self.rooms.setdefault(name, Room(name, home))

    def client(
        self,
        *,
        servers: dict[str, Addresses] | None = None,
        directory: bool = False,
        options: Options = FAST,
        token: str | None = "secret",
        transport: Transport = "tcp",
    ) -> Core:
        """Make the client; without `servers` it knows the first cluster's address alone."""
        first = next(iter(self.clusters.values()))
        self.core = Core(
            "bot" if token else "justinfan123",
            token,
            servers={first.address: first.addresses} if servers is None else servers,
            directory=directory,
            transport=transport,
            options=options,
            clock=self.clock,
            random=self.random,
        )
        return self.core

    def move(self, channel: str, to: str, *, announce: bool = True) -> None:
        """Move a room, and say so on the cluster it left."""
        room = self.rooms[channel]
        source = self.clusters[room.home]
        room.home, room.epoch = to, room.epoch + 1
        if announce:
            source.announce(channel)

    def show(self, channel: str = "room") -> None:
        """Have every cluster send everything to the room's members, and everything arrive."""
        for cluster in self.clusters.values():
            cluster.show(channel)
        self.run()

    def cut(self, cluster: str) -> None:
        """Cut all connections to a cluster; what is on their wires is lost."""
        assert self.core is not None
        for link in list(self.clusters[cluster].peers):
            del self.clusters[cluster].peers[link]
            self.core.closed(link, "cut")

    def run(self) -> None:
        """Carry out all actions and let everything arrive that is not held."""
        for _ in range(10_000):
            if not self.step():
                return
        raise AssertionError("the client and the servers never come to rest")

    def step(self) -> bool:
        """Carry out the actions, then let one thing arrive; False if nothing happened."""
        return self.perform() or any(self.arrive(peer) for peer in self.peers() if not peer.held)

    def perform(self) -> bool:
        """Carry out the actions; False if there were none."""
        assert self.core is not None
        busy = False
        while todo := self.core.actions():
            busy = True
            for action in todo:
                self._perform(action)
        return busy

    def arrive(self, peer: Peer) -> bool:
        """Let the next piece of a wire arrive; False if there is none."""
        assert self.core is not None
        if peer.wire:
            self.core.received(peer.link, peer.wire.popleft())
            return True
        if peer.connection.closing and peer.link in peer.cluster.peers:
            del peer.cluster.peers[peer.link]
            self.core.closed(peer.link, "closed by peer")
            return True
        return False

    def peers(self) -> list[Peer]:
        """Every connection there is."""
        return [peer for cluster in self.clusters.values() for peer in cluster.peers.values()]

    def advance(self, seconds: float, *, arrivals: bool = True) -> None:
        """Let time pass, alarm by alarm, and everything happen that follows; without arrivals if so wanted."""
        assert self.core is not None
        until = self.clock.now() + seconds
        while (due := self.core.deadline()) is not None and due <= until:
            self.clock.advance(max(0.0, due - self.clock.now()))
            self.core.tick()
            if arrivals:
                self.run()
            else:
                self.perform()
        self.clock.advance(until - self.clock.now())

    def texts(self, channel: str = "room") -> list[str]:
        """What the user was shown."""
        return [event.text for event in self.told if isinstance(event, Message) and event.channel == channel]

    def others(self) -> list[Event]:
        """What the user was told apart from messages and interruptions."""
        return [event for event in self.told if not isinstance(event, Message | Interrupted)]

    def _perform(self, action: actions.Action) -> None:
        assert self.core is not None
        match action:
            case actions.Open(link, address):
                self.dialed.append(address)
                for cluster in self.clusters.values():
                    if cluster.address == address and cluster.up:
                        cluster.peers[link] = Peer(cluster, link)
                        self.core.opened(link)
                        return
                self.core.closed(link, f"{address}: connection refused")
            case actions.Write(link, pieces):
                for peer in self.peers():
                    if peer.link == link:
                        for piece in pieces:
                            peer.lines.append(piece)
                            for event in peer.connection.receive_data(piece):
                                peer.cluster.act(peer, event)
                        peer.collect()
            case actions.Close(link):
                for cluster in self.clusters.values():
                    cluster.peers.pop(link, None)
            case actions.LookUp(channels):
                self.asked.append(channels)
                if self.directory_up:
                    self.core.looked_up(channels, self._places(channels))
                else:
                    self.core.look_up_failed(channels, "no directory")
            case actions.Tell(event):
                self.told.append(event)
            case actions.Done(ticket, result):
                self.results[ticket] = result
            case actions.Failed(ticket, error):
                self.results[ticket] = error
            case actions.End(error):
                self.ended.append(error)

    def _places(self, channels: tuple[str, ...]) -> dict[str, Place]:
        rooms = [self.rooms[channel] for channel in channels if channel in self.rooms]
        return {room.name: Place(room.home, self.clusters[room.home].addresses, room.epoch) for room in rooms}


def joined(network: Network, **kwargs: object) -> Network:
    """Make a client that has joined the room `room` on main."""
    network.room()
    network.client(**kwargs).join(1, "room")  # type: ignore[arg-type]
    network.run()
    assert network.results == {1: None}
    return network
