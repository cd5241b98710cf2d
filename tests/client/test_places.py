"""Finding out where a channel is."""

from __future__ import annotations

from godwit.client.events import Moved, Resumed
from godwit.values import Addresses
from tests.client.network import FAST, Network, joined


def test_the_directory_is_asked_for_many_channels_at_once() -> None:
    network = Network()
    core = network.client(servers={}, directory=True)
    for number in range(3):
        network.room(f"room{number}", "aws" if number else "main")
        core.join(number, f"room{number}")
    network.run()
    assert network.results == {0: None, 1: None, 2: None}
    assert network.asked == [("room0",), ("room1", "room2")]
    assert sorted(network.dialed) == ["aws.test:6667", "main.test:6667"]


def test_a_directory_that_is_away_is_a_clear_error_where_nothing_else_is_known() -> None:
    network = Network()
    network.room()
    network.directory_up = False
    network.client(servers={}, directory=True).join(1, "room")
    network.run()
    network.advance(60)
    assert "no directory" in str(network.results[1])
    assert len(network.asked) == FAST.join_attempts


def test_a_directory_that_comes_back_is_asked_again() -> None:
    network = Network()
    network.room()
    network.directory_up = False
    network.client(servers={}, directory=True).join(1, "room")
    network.run()
    network.directory_up = True
    network.advance(60)
    assert network.results == {1: None}


def test_without_the_directory_the_client_begins_where_it_knows_a_server() -> None:
    network = Network()
    network.room()
    network.directory_up = False
    network.client(directory=True).join(1, "room")
    network.run()
    assert network.results == {1: None}


def test_a_bare_hint_is_answered_by_an_inquiry() -> None:
    network = joined(Network())
    network.move("room", "aws", announce=False)
    network.clusters["main"].announce("room", destination="none")
    network.run()
    network.rooms["room"].say("1")
    network.show()
    assert network.texts() == ["1"]
    assert network.others() == [Moved("room", "aws", 2)]


def test_a_hint_with_nothing_but_a_name_is_enough_where_addresses_are_known() -> None:
    network = Network()
    servers = {name: cluster.addresses for name, cluster in network.clusters.items()}
    joined(network, servers=servers)
    network.move("room", "aws", announce=False)
    network.clusters["main"].announce("room", destination="parameter")
    network.run()
    assert network.others() == [Moved("room", "aws", 2)]


def test_a_hint_with_an_unknown_name_is_answered_by_an_inquiry() -> None:
    network = joined(Network())
    network.move("room", "aws", announce=False)
    network.clusters["main"].announce("room", destination="parameter")
    network.run()
    network.advance(5)
    assert network.others() == [Moved("room", "aws", 2)]


def test_a_channel_that_moved_while_everything_was_lost_is_found_by_the_directory() -> None:
    network = joined(Network(), directory=True)
    network.clusters["main"].up = False
    network.cut("main")
    network.move("room", "aws", announce=False)
    network.rooms["room"].say("1")
    network.advance(10)
    network.show()
    assert network.texts() == ["1"]
    assert network.others() == [Moved("room", "aws", 2), Resumed("room", "aws")]


def test_a_channel_that_was_evacuated_is_found_by_asking_another_cluster() -> None:
    network = joined(Network())
    network.move("room", "aws")
    network.run()
    network.clusters["aws"].up = False
    network.cut("aws")
    network.move("room", "main", announce=False)
    network.rooms["room"].say("1")
    network.advance(10)
    network.show()
    assert network.texts() == ["1"]


def test_a_place_without_an_address_for_us_is_asked_for_with_growing_waits() -> None:
    network = joined(Network())
    network.clusters["aws"].addresses = Addresses(ws=("aws.test:80",))
    network.move("room", "aws")
    network.run()
    network.advance(300)
    inquiries = [line for line in network.clusters["main"].peer.lines if line.startswith(b"INQUIRE")]
    assert 4 < len(inquiries) < 20
    network.clusters["aws"].addresses = Addresses(tcp=("aws.test:6667",))
    network.advance(60)
    assert network.others() == [Moved("room", "aws", 2)]


def test_an_address_that_was_asked_for_is_used_at_once() -> None:
    network = joined(Network())
    network.clusters["aws"].addresses = Addresses(ws=("aws.test:80",))
    network.move("room", "aws")
    network.clusters["aws"].addresses = Addresses(tcp=("aws.test:6667",))
    network.run()
    assert network.others() == [Moved("room", "aws", 2)]


def test_a_directory_without_an_address_for_us_is_asked_with_growing_waits() -> None:
    network = joined(Network(), directory=True)
    network.clusters["aws"].addresses = Addresses(ws=("aws.test:80",))
    network.move("room", "aws")
    network.run()
    network.advance(300)
    assert 4 < len(network.asked) < 20
    network.clusters["aws"].addresses = Addresses(tcp=("aws.test:6667",))
    network.advance(60)
    assert network.others() == [Moved("room", "aws", 2)]
