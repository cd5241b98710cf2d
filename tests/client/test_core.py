"""The end of a client, and random schedules."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from godwit.client.events import Sent
from godwit.errors import ClientClosed, JoinFailed, SayUnknown
from tests.client.network import Network, joined


def test_closing_says_good_bye_and_fails_what_waits() -> None:
    network = joined(Network())
    core = network.core
    assert core is not None
    peer = network.clusters["main"].peer
    network.clusters["main"].mute = True
    core.say(2, "room", "hello")
    core.join(3, "other")
    network.run()
    core.close()
    network.run()
    assert peer.lines[-1] == b"QUIT\r\n"
    assert network.peers() == []
    assert network.ended == [None]
    assert isinstance(network.results[2], ClientClosed)
    assert isinstance(network.results[3], ClientClosed)
    assert core.deadline() is None
    core.join(4, "room")
    core.say(5, "room", "hello")
    network.run()
    assert isinstance(network.results[4], ClientClosed)
    assert isinstance(network.results[5], ClientClosed)


def test_a_late_connection_is_closed() -> None:
    network = Network()
    network.room()
    core = network.client()
    core.join(1, "room")
    core.close()
    core.opened(1)
    core.received(1, b":tmi.twitch.tv 001 bot :Welcome, GLHF!\r\n")
    core.closed(1, "closed")
    network.run()
    assert network.peers() == []
    assert isinstance(network.results[1], ClientClosed)


class Schedule:
    """Random things that happen to a client between three clusters, one after the other."""

    def __init__(self, seed: int) -> None:
        self.network = joined(Network(["main", "aws", "event"], seed=seed))
        self.random = Random(seed)
        self.room = self.network.rooms["room"]
        self.clusters = list(self.network.clusters.values())
        self.said = 0
        self.asked: dict[int, str] = {}

    def act(self) -> None:
        """Have one thing happen."""
        steps: list[tuple[int, Callable[[], object]]] = [
            (8, self.somebody_speaks),
            (4, self.we_speak),
            (30, self.something_arrives),
            (10, self.a_line_is_shown),
            (3, self.it_moves),
            (3, lambda: self.random.choice(self.clusters).announce("room")),
            (1, lambda: self.network.cut(self.random.choice(self.clusters).name)),
            (1, lambda: self.random.choice(self.clusters).reconnect()),
            (1, self.a_cluster_goes_or_comes),
            (1, self.a_cluster_forgets_or_learns),
            (6, lambda: self.network.advance(self.random.uniform(0, 3), arrivals=False)),
        ]
        weights = [weight for weight, _ in steps]
        self.random.choices(steps, weights)[0][1]()
        self.network.perform()

    def somebody_speaks(self) -> None:
        self.said += 1
        self.room.say(f"line {self.said}")

    def we_speak(self) -> None:
        assert self.network.core is not None
        ticket = 100 + len(self.asked)
        self.asked[ticket] = f"ours {ticket}"
        self.network.core.say(ticket, "room", self.asked[ticket])

    def something_arrives(self) -> None:
        if peers := [peer for peer in self.network.peers() if peer.wire]:
            self.network.arrive(self.random.choice(peers))

    def a_line_is_shown(self) -> None:
        if peers := [peer for peer in self.network.peers() if "room" in peer.shown]:
            self.random.choice(peers).show(self.room, 1)

    def it_moves(self) -> None:
        target = self.random.choice([cluster.name for cluster in self.clusters if cluster.name != self.room.home])
        self.network.move("room", target, announce=self.random.random() < 0.8)

    def a_cluster_goes_or_comes(self) -> None:
        cluster = self.random.choice(self.clusters)
        cluster.up = not cluster.up

    def a_cluster_forgets_or_learns(self) -> None:
        self.random.choice(self.clusters).behind ^= {"room"}

    def finish(self) -> None:
        """Let everything be well, and everything arrive."""
        for cluster in self.clusters:
            cluster.up, cluster.behind = True, set()
        for _ in range(4):
            self.network.run()
            for cluster in self.clusters:
                cluster.announce("room")
            self.network.show()
            self.network.advance(70)
        self.network.show()


@pytest.mark.parametrize("seed", [*range(200), 1080, 2386])
def test_whatever_happens_each_line_is_shown_once_in_order(seed: int) -> None:
    schedule = Schedule(seed)
    for _ in range(250):
        schedule.act()
    schedule.finish()
    network, room = schedule.network, schedule.room
    assert network.texts() == [line.text for _, line in room.lines if line.author.login == "ann"]
    ours = [line for _, line in room.lines if line.author.login == "bot"]
    assert [line.text for line in ours] == sorted({line.text for line in ours})
    stored = {line.text: line.id for line in ours}
    for ticket, text in schedule.asked.items():
        result = network.results[ticket]
        if isinstance(result, Sent):
            assert stored[text] == result.id
        else:
            assert isinstance(result, SayUnknown)
    assert [peer.cluster.name for peer in network.peers() if "room" in peer.shown] == [room.home]


WORDS = st.sampled_from(["#room", "#other", "room", "bot", "aws", "main", "main.test:6667", "nonsense", "-", "", "x y"])
TAGS = st.sampled_from(
    [
        "id=1",
        "slow=0;subs-only=0",
        "client-nonce=x",
        "msg-id=msg_banned",
        "msg-id=godwit_gap;godwit-missing=unknown",
        "godwit-position=9-9",
        "godwit-position=x",
        "godwit-epoch=9",
        "godwit-epoch=0",
        "godwit-home=0",
        "godwit-cluster=event",
        "godwit-cluster=aws",
        "godwit-tcp=nonsense,a:1",
    ]
)
COMMANDS = st.sampled_from(
    [
        "PRIVMSG",
        "JOIN",
        "PART",
        "USERSTATE",
        "ROOMSTATE",
        "NOTICE",
        "SERVERCHANGE",
        "RECONNECT",
        "INQUIRE",
        "PING",
        "PONG",
        "CAP",
        "001",
        "366",
        "WHAT",
    ]
)
LINES = st.tuples(
    st.lists(TAGS, max_size=5).map(";".join),
    st.sampled_from(["tmi.twitch.tv", "bot!bot@bot", "ann!ann@ann"]),
    COMMANDS,
    st.lists(WORDS, max_size=3),
).map(lambda line: f"@{line[0]} :{line[1]} {line[2]} {' '.join(line[3])}\r\n".encode())


@given(lines=st.lists(LINES | st.binary(max_size=40), max_size=30))
@settings(max_examples=100, deadline=None)
def test_nothing_that_a_server_says_breaks_the_client(lines: list[bytes]) -> None:
    network = joined(Network())
    core = network.core
    assert core is not None
    for line in lines:
        for link in range(1, 4):
            core.received(link, line)
        network.run()
    core.received(1, b"\r\n")
    core.tick()
    network.advance(100)
    core.part(2, "room")
    core.join(3, "room")
    network.run()
    network.advance(100)
    assert network.results[3] is None or isinstance(network.results[3], JoinFailed)
