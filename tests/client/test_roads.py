"""Connections: opened on demand, lost, paced, replaced."""

from __future__ import annotations

import pytest

from godwit.client.events import Interrupted, Resumed
from godwit.client.options import Options
from godwit.client.pace import Rate
from godwit.errors import LoginRefused
from godwit.tmi.login import LoginFailure
from godwit.values import Addresses
from tests.client.network import FAST, Network, joined


def test_channels_of_a_cluster_share_a_connection_and_the_last_one_closes_it() -> None:
    network = Network()
    network.room("a")
    network.room("b")
    core = network.client()
    core.join(1, "a")
    core.join(2, "b")
    network.run()
    core.part(3, "a")
    network.run()
    network.advance(FAST.linger + 1)
    assert len(network.peers()) == 1
    core.part(4, "b")
    network.run()
    assert len(network.peers()) == 1
    network.advance(FAST.linger + 1)
    assert network.peers() == []
    assert network.dialed == ["main.test:6667"]


def test_a_connection_that_is_needed_again_in_time_is_kept() -> None:
    network = joined(Network())
    assert network.core is not None
    network.core.part(2, "room")
    network.run()
    network.advance(FAST.linger / 2)
    network.core.join(3, "room")
    network.run()
    network.advance(FAST.linger * 3)
    assert network.dialed == ["main.test:6667"]
    assert network.results[3] is None


def test_joins_keep_to_the_limit() -> None:
    network = Network()
    core = network.client(options=Options(joins=Rate(20, 10.0)))
    for number in range(50):
        network.room(f"room{number}")
        core.join(number, f"room{number}")
    network.run()
    assert len(network.results) == 20
    network.advance(9.9)
    assert len(network.results) == 20
    network.advance(0.1)
    assert len(network.results) == 40
    network.advance(10)
    assert sorted(network.results) == list(range(50))


@pytest.mark.parametrize("refusal", list(LoginFailure))
def test_a_refused_login_ends_the_client_and_is_not_tried_again(refusal: LoginFailure) -> None:
    network = Network()
    network.room()
    network.clusters["main"].refusal = refusal
    core = network.client()
    core.join(1, "room")
    network.run()
    network.advance(1000)
    assert isinstance(network.results[1], LoginRefused)
    assert refusal in str(network.results[1])
    assert network.ended == [network.results[1]]
    assert network.dialed == ["main.test:6667"]
    core.join(2, "room")
    core.say(3, "room", "hello")
    network.run()
    assert isinstance(network.results[2], LoginRefused)
    assert isinstance(network.results[3], LoginRefused)


def test_a_server_in_trouble_does_not_end_a_client_that_was_let_in_before() -> None:
    network = joined(Network())
    main = network.clusters["main"]
    main.refusal = LoginFailure.ERROR
    network.cut("main")
    network.run()
    network.advance(100)
    assert network.ended == []
    main.refusal = None
    network.advance(100)
    assert any(isinstance(event, Resumed) for event in network.told)


def test_a_server_without_positions_is_refused() -> None:
    network = Network()
    network.room()
    core = network.client()
    core.join(1, "room")
    network.step()
    (peer,) = network.peers()
    peer.wire.clear()
    core.received(peer.link, b":tmi.twitch.tv CAP * NAK :godwit/position\r\n")
    network.run()
    assert "needs Godwit" in str(network.results[1])


def test_a_silent_login_is_given_up_and_tried_again() -> None:
    network = Network()
    network.room()
    core = network.client()
    core.join(1, "room")
    network.step()
    (peer,) = network.peers()
    peer.held = True
    network.run()
    network.advance(FAST.connect_timeout + 2)
    assert network.results == {1: None}
    assert network.dialed == ["main.test:6667"] * 2


def test_waits_grow_while_a_server_is_away_and_nothing_is_given_up() -> None:
    network = joined(Network())
    main, room = network.clusters["main"], network.rooms["room"]
    main.up = False
    network.cut("main")
    network.advance(3600)
    assert 60 < len(network.dialed) < 150
    main.up = True
    room.say("1")
    network.advance(61)
    network.show()
    assert network.texts() == ["1"]


def test_a_server_that_falls_silent_is_left() -> None:
    network = joined(Network())
    network.clusters["main"].peer.held = True
    network.advance(FAST.ping_interval + FAST.pong_timeout + 5)
    assert Interrupted("room", "main", "main fell silent") in network.told
    assert network.dialed == ["main.test:6667"] * 2


def test_a_quiet_server_that_answers_is_kept() -> None:
    network = joined(Network())
    network.advance(FAST.ping_interval * 10)
    assert network.dialed == ["main.test:6667"]
    assert network.told == []


def test_reconnect_opens_the_new_connection_first() -> None:
    network = joined(Network())
    main, room = network.clusters["main"], network.rooms["room"]
    old = main.peer
    room.say("1")
    old.show(room)
    main.reconnect()
    network.step()
    while old.wire:
        network.arrive(old)
    assert network.core is not None
    network.step()
    new = main.peer
    assert new is not old
    assert old.link in main.peers
    new.held = True
    room.say("2")
    network.run()
    old.show(room)
    network.run()
    assert network.texts() == ["1", "2"]
    room.say("3")
    new.held = False
    network.run()
    new.show(room)
    network.run()
    assert network.texts() == ["1", "2", "3"]
    assert network.told == [event for event in network.told if not isinstance(event, Interrupted)]
    assert list(main.peers) == [new.link]


def test_a_server_that_closes_early_after_reconnect_costs_nothing() -> None:
    network = joined(Network())
    main, room = network.clusters["main"], network.rooms["room"]
    old = main.peer
    main.reconnect()
    network.step()
    network.step()
    main.peer.held = True
    network.run()
    room.say("1")
    del main.peers[old.link]
    assert network.core is not None
    network.core.closed(old.link, "closed by peer")
    main.peer.held = False
    network.run()
    network.show()
    assert network.texts() == ["1"]
    assert len(network.dialed) == 2


def test_addresses_of_another_transport_are_of_no_use() -> None:
    network = Network()
    network.room()
    servers = {"main": Addresses(ws=("main.test:80",))}
    network.client(servers=servers).join(1, "room")
    network.run()
    network.advance(60)
    assert "no tcp address of main is known" in str(network.results[1])


def test_the_addresses_of_a_cluster_are_tried_in_turn() -> None:
    network = Network()
    servers = {"main": Addresses(tcp=("dead.test:1", "gone.test:2", "main.test:6667"))}
    core = network.client(servers=servers)
    network.room()
    core.join(1, "room")
    network.run()
    network.advance(10)
    assert network.dialed == ["dead.test:1", "gone.test:2", "main.test:6667"]
    assert network.results == {1: None}


def test_a_connection_that_held_starts_the_waits_anew() -> None:
    network = joined(Network())
    main = network.clusters["main"]
    main.up = False
    network.cut("main")
    network.advance(600)
    main.up = True
    network.advance(60)
    assert len(network.peers()) == 1
    network.advance(FAST.backoff.stable)
    network.cut("main")
    network.advance(FAST.backoff.first)
    assert len(network.peers()) == 1


def test_a_server_that_cuts_everybody_at_once_is_not_hammered() -> None:
    network = joined(Network())
    for _ in range(60):
        network.cut("main")
        network.advance(10)
    assert len(network.dialed) < 20
