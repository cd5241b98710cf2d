"""Joining, following and resuming channels."""

from __future__ import annotations

from godwit.client.events import Gap, Interrupted, Moved, Notice, Resumed
from godwit.errors import JoinFailed
from godwit.tmi import render
from tests.client.network import FAST, Network, joined


def test_a_join_opens_one_connection_and_is_done_when_the_room_is_shown() -> None:
    network = Network()
    network.room()
    core = network.client()
    core.join(1, "room")
    assert network.results == {}
    network.run()
    assert network.results == {1: None}
    assert network.dialed == ["main.test:6667"]
    network.rooms["room"].say("hello")
    network.show()
    assert network.texts() == ["hello"]
    assert core.statistics().shown == core.statistics().connections == 1


def test_a_second_join_asks_nobody_and_both_wait_for_the_same_answer() -> None:
    network = Network()
    network.room()
    core = network.client()
    core.join(1, "room")
    core.join(2, "room")
    network.run()
    core.join(3, "room")
    network.run()
    assert network.results == {1: None, 2: None, 3: None}
    assert sum(line.startswith(b"JOIN") for line in network.clusters["main"].peer.lines) == 1


def test_a_channel_that_nobody_answers_for_is_given_up_with_a_reason() -> None:
    network = Network()
    core = network.client()
    core.join(1, "nobody")
    network.run()
    network.advance(300)
    error = network.results[1]
    assert isinstance(error, JoinFailed)
    assert "#nobody could not be joined: JOIN was not answered" in str(error)
    assert core.statistics().channels == 0


def test_a_server_that_cannot_be_reached_is_a_clear_error_at_the_first_join() -> None:
    network = Network()
    network.room()
    network.clusters["main"].up = False
    network.client().join(1, "room")
    network.run()
    network.advance(300)
    assert "connection refused" in str(network.results[1])
    assert network.dialed == ["main.test:6667"] * FAST.join_attempts


def test_a_suspended_channel_is_a_clear_error() -> None:
    network = Network()
    network.room()
    main = network.clusters["main"]
    main.deaf = True
    core = network.client()
    core.join(1, "room")
    network.run()
    main.peer.send(render.notice(main.peer.connection.caps, "room", "msg_channel_suspended", "Suspended."))
    network.run()
    assert isinstance(network.results[1], JoinFailed)
    assert "Suspended." in str(network.results[1])


def test_leaving_before_the_answer_fails_the_join() -> None:
    network = Network()
    network.room()
    core = network.client()
    core.join(1, "room")
    core.part(2, "room")
    network.run()
    assert isinstance(network.results[1], JoinFailed)
    assert network.results[2] is None
    assert core.statistics().channels == 0


def test_parting_an_unknown_channel_is_done_at_once() -> None:
    network = Network()
    network.client().part(1, "room")
    network.run()
    assert network.results == {1: None}


def test_a_move_is_followed_and_the_old_connection_closed() -> None:
    network = joined(Network())
    room = network.rooms["room"]
    room.say("1")
    network.show()
    network.move("room", "aws")
    room.say("2")
    network.show()
    room.say("3")
    network.show()
    assert network.texts() == ["1", "2", "3"]
    assert network.others() == [Moved("room", "aws", 2)]
    assert network.clusters["main"].members("room") == []
    network.advance(FAST.linger + 1)
    assert [peer.cluster.name for peer in network.peers()] == ["aws"]
    assert network.core is not None
    assert network.core.statistics().moves == 1


def test_the_new_side_ahead_of_the_old_one_loses_nothing() -> None:
    network = joined(Network())
    main, aws, room = network.clusters["main"], network.clusters["aws"], network.rooms["room"]
    for number in range(3):
        room.say(str(number))
    network.move("room", "aws")
    network.run()
    for number in range(3, 6):
        room.say(str(number))
    aws.show("room")
    network.run()
    assert main.members("room") == []
    assert network.texts() == ["0", "1", "2", "3", "4", "5"]


def test_the_old_side_ahead_of_the_new_one_repeats_nothing() -> None:
    network = joined(Network())
    main, aws, room = network.clusters["main"], network.clusters["aws"], network.rooms["room"]
    old = main.peer
    network.move("room", "aws")
    network.step()
    network.step()
    new = aws.peer
    new.held = True
    for number in range(4):
        room.say(str(number))
    old.show(room)
    network.run()
    assert network.texts() == ["0", "1", "2", "3"]
    room.say("4")
    new.held = False
    old.held = True
    old.show(room)
    network.run()
    new.show(room)
    network.run()
    old.held = False
    network.run()
    assert network.texts() == ["0", "1", "2", "3", "4"]


def test_the_old_side_dies_while_the_new_one_is_being_joined() -> None:
    network = joined(Network())
    main, aws, room = network.clusters["main"], network.clusters["aws"], network.rooms["room"]
    room.say("1")
    network.show()
    network.move("room", "aws")
    network.step()
    network.step()
    aws.peer.held = True
    room.say("2")
    main.show("room")
    room.say("3")
    network.cut("main")
    main.up = False
    network.run()
    assert network.told[-1] == Interrupted("room", "main", "cut")
    aws.peer.held = False
    network.run()
    network.show()
    assert network.texts() == ["1", "2", "3"]
    assert network.others() == [Moved("room", "aws", 2), Resumed("room", "aws")]


def test_a_new_side_that_cannot_be_reached_leaves_the_old_one_shown() -> None:
    network = joined(Network())
    main, aws, room = network.clusters["main"], network.clusters["aws"], network.rooms["room"]
    aws.up = False
    network.move("room", "aws")
    for number in range(30):
        room.say(str(number))
        network.advance(5)
        network.show()
    assert network.texts() == [str(number) for number in range(30)]
    assert 3 < network.dialed.count(aws.address) < 20
    aws.up = True
    network.advance(60)
    room.say("30")
    network.show()
    assert network.texts() == [str(number) for number in range(31)]
    assert network.others() == [Moved("room", "aws", 2)]
    assert main.members("room") == []


def test_a_new_side_that_has_not_heard_of_the_move_is_asked_again() -> None:
    network = joined(Network())
    aws, room = network.clusters["aws"], network.rooms["room"]
    aws.behind.add("room")
    network.move("room", "aws")
    network.run()
    room.say("1")
    network.show()
    assert network.texts() == ["1"]
    assert network.others() == []
    aws.behind.clear()
    network.advance(5)
    room.say("2")
    network.show()
    assert network.texts() == ["1", "2"]
    assert network.others() == [Moved("room", "aws", 2)]


def test_there_and_back_quickly() -> None:
    network = joined(Network())
    main, aws, room = network.clusters["main"], network.clusters["aws"], network.rooms["room"]
    room.say("1")
    network.move("room", "aws")
    network.step()
    network.step()
    network.move("room", "main", announce=False)
    main.announce("room")
    aws.announce("room")
    room.say("2")
    network.show()
    network.advance(60)
    room.say("3")
    network.show()
    assert network.texts() == ["1", "2", "3"]
    assert main.members("room") != []
    assert aws.members("room") == []


def test_moves_there_and_back_after_each_other() -> None:
    network = joined(Network())
    room = network.rooms["room"]
    for number, cluster in enumerate(["aws", "main"] * 5):
        room.say(f"{number}a")
        network.move("room", cluster)
        network.show()
        room.say(f"{number}b")
        network.show()
    assert network.texts() == [f"{number}{letter}" for number in range(10) for letter in "ab"]
    assert [event.cluster for event in network.others() if isinstance(event, Moved)] == ["aws", "main"] * 5
    assert network.dialed == ["main.test:6667", "aws.test:6667"]


def test_an_old_hint_is_ignored() -> None:
    network = joined(Network(["main", "aws", "event"]))
    network.move("room", "aws")
    network.run()
    peer = network.clusters["aws"].peer
    where = {"cluster": "event", "epoch": 2, "addresses": network.clusters["event"].addresses}
    peer.send(render.serverchange(peer.connection.caps, "room", destination="tags", **where))  # type: ignore[arg-type]
    network.run()
    assert network.dialed == ["main.test:6667", "aws.test:6667"]


def test_a_join_in_the_wrong_place_is_sent_on() -> None:
    network = Network()
    network.room(home="aws").epoch = 2
    network.clusters["main"].bridging = False
    network.client().join(1, "room")
    network.run()
    assert network.results == {1: None}
    assert [peer.cluster.name for peer in network.peers() if "room" in peer.shown] == ["aws"]


def test_a_join_in_the_wrong_place_that_is_let_in_goes_home_too() -> None:
    network = Network()
    network.room(home="aws").epoch = 2
    network.client().join(1, "room")
    network.run()
    room = network.rooms["room"]
    room.say("1")
    network.show()
    assert network.results == {1: None}
    assert network.texts() == ["1"]
    assert [peer.cluster.name for peer in network.peers() if "room" in peer.shown] == ["aws"]


def test_a_lost_connection_is_resumed_behind_the_last_line() -> None:
    network = joined(Network())
    room = network.rooms["room"]
    room.say("1")
    network.show()
    network.cut("main")
    room.say("2")
    network.advance(2)
    room.say("3")
    network.show()
    assert network.texts() == ["1", "2", "3"]
    assert network.told[1] == Interrupted("room", "main", "cut")
    assert network.told[2] == Resumed("room", "main")


def test_a_hole_in_the_history_is_told_with_its_count() -> None:
    """FOLLOW-6."""
    network = joined(Network())
    room = network.rooms["room"]
    room.say("1")
    network.show()
    network.cut("main")
    for text in "234":
        room.say(text)
    room.expired = room.lines[2][0]
    network.advance(2)
    network.show()
    assert network.texts() == ["1", "4"]
    assert [event for event in network.told if isinstance(event, Gap)] == [Gap("room", 2, "server")]


def test_being_taken_out_of_a_channel_is_answered_by_joining_again() -> None:
    network = joined(Network())
    peer = network.clusters["main"].peer
    del peer.shown["room"]
    peer.send(render.part("bot", "room"))
    network.run()
    network.rooms["room"].say("1")
    network.show()
    assert network.texts() == ["1"]


def test_notices_are_told() -> None:
    network = joined(Network())
    peer = network.clusters["main"].peer
    peer.send(render.notice(peer.connection.caps, "room", "slow_on", "Slow."))
    network.run()
    assert network.told == [Notice("room", "slow_on", "Slow.")]


def test_a_trouble_that_is_over_does_not_slow_the_next_move() -> None:
    network = joined(Network(["main", "aws", "event"]))
    aws, event = network.clusters["aws"], network.clusters["event"]
    aws.up = False
    network.move("room", "aws")
    network.run()
    network.advance(300)
    aws.up = True
    network.advance(70)
    event.behind.add("room")
    network.move("room", "event")
    network.run()
    event.behind.clear()
    network.advance(2)
    assert [moved.cluster for moved in network.told if isinstance(moved, Moved)] == ["aws", "event"]
