"""Saying things: acknowledged, refused, unknown, in order, paced."""

from __future__ import annotations

import pytest

from godwit.client.events import Message, Notice, Sent
from godwit.client.options import Options
from godwit.client.pace import Rate
from godwit.errors import JoinFailed, SayRefused, SayUnknown
from godwit.tmi import render
from godwit.tmi.message import parse
from tests.client.network import FAST, Cluster, Network, joined


def sent(cluster: Cluster) -> list[str]:
    """The messages that the client sent on the newest connection to a cluster."""
    lines = [parse(line) for line in cluster.peer.lines]
    return [line.params[1] for line in lines if line is not None and line.command == "PRIVMSG"]


def say(network: Network, ticket: int, text: str, channel: str = "room", **kwargs: object) -> None:
    """Have the client say something, as far as that goes at once."""
    assert network.core is not None
    network.core.say(ticket, channel, text, **kwargs)  # type: ignore[arg-type]
    network.run()


def test_an_acknowledged_message_has_an_id_and_is_not_shown_to_its_author() -> None:
    network = joined(Network())
    say(network, 2, "hello")
    network.show()
    (_, line) = network.rooms["room"].lines[0]
    assert network.results[2] == Sent("room", line.id, "hello")
    assert line.text == "hello"
    assert network.told == []


def test_ones_own_line_on_another_connection_is_not_shown_either() -> None:
    network = joined(Network())
    say(network, 2, "hello")
    network.cut("main")
    network.rooms["room"].say("next")
    network.advance(5)
    network.show()
    assert network.texts() == ["next"]


def test_somebody_elses_nonce_is_nothing_special() -> None:
    network = joined(Network())
    network.rooms["room"].say("hello", nonce="abc-1")
    network.show()
    assert [event.tags["client-nonce"] for event in network.told if isinstance(event, Message)] == ["abc-1"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  two   spaces ", "two spaces"),
        ("/ban ronni", "/ban ronni"),
        (".ban ronni", ".ban ronni"),
        ("/ not a command", "/ not a command"),
        ("...", "..."),
        ("\x01ACTION waves\x01", "ACTION waves"),
        ("x" * 600, "x" * 500),
        ("/" * 600, "/" * 500),
        ("ünï \N{GRINNING FACE}", "ünï \N{GRINNING FACE}"),
    ],
)
def test_text_arrives_as_it_is_and_is_never_a_command(text: str, line: str) -> None:
    network = joined(Network())
    say(network, 2, text)
    assert [stored.text for _, stored in network.rooms["room"].lines] == [line]
    assert getattr(network.results[2], "text", None) == line


def test_an_action() -> None:
    network = joined(Network())
    say(network, 2, "waves", action=True)
    assert sent(network.clusters["main"]) == ["/me waves"]


def test_a_reply_names_the_message() -> None:
    network = joined(Network())
    say(network, 2, "yes", reply_to="id 1")
    assert b"reply-parent-msg-id=id\\s1" in network.clusters["main"].peer.lines[-1]


@pytest.mark.parametrize("text", ["", "   ", "\x01", "two\nlines", "a\rb", "a\0b"])
def test_what_cannot_be_said_is_refused_at_once(text: str) -> None:
    network = joined(Network())
    say(network, 2, text)
    assert isinstance(network.results[2], SayRefused)
    assert sent(network.clusters["main"]) == []


def test_what_cannot_be_on_a_line_is_refused_and_the_next_one_said() -> None:
    network = joined(Network())
    assert network.core is not None
    network.core.say(2, "room", "lone \ud800 surrogate")
    say(network, 3, "fine")
    assert isinstance(network.results[2], SayRefused)
    assert isinstance(network.results[3], Sent)


def test_nobody_speaks_where_they_are_not() -> None:
    network = joined(Network())
    say(network, 2, "hello", "other")
    assert "join #other" in str(network.results[2])


def test_anonymous_clients_only_read() -> None:
    network = joined(Network(), token=None)
    say(network, 2, "hello")
    assert "only reads" in str(network.results[2])
    network.rooms["room"].say("1")
    network.show()
    assert network.texts() == ["1"]


def test_a_refusal_is_told_to_its_author_with_the_reason() -> None:
    network = joined(Network())
    network.clusters["main"].objection = ("msg_slowmode", "Slow down.")
    say(network, 2, "hello")
    error = network.results[2]
    assert isinstance(error, SayRefused)
    assert (error.msg_id, str(error)) == ("msg_slowmode", "#room: Slow down.")
    assert network.told == []


def test_what_the_server_does_not_know_is_unknown() -> None:
    network = joined(Network())
    network.clusters["main"].objection = ("godwit_unknown", "Who knows.")
    say(network, 2, "hello")
    assert isinstance(network.results[2], SayUnknown)


def test_a_notice_about_something_else_refuses_nothing() -> None:
    network = joined(Network())
    main = network.clusters["main"]
    main.mute = True
    say(network, 2, "hello")
    main.peer.send(render.notice(main.peer.connection.caps, "room", "slow_on", "Slow."))
    network.run()
    assert 2 not in network.results
    assert network.told == [Notice("room", "slow_on", "Slow.")]


def test_one_message_of_a_channel_is_on_its_way_at_a_time() -> None:
    network = joined(Network())
    main = network.clusters["main"]
    main.peer.held = True
    for ticket in (2, 3):
        say(network, ticket, f"{ticket}")
    assert sent(main) == ["2"]
    main.peer.held = False
    network.run()
    assert sent(main) == ["2", "3"]
    assert isinstance(network.results[3], Sent)


def test_channels_do_not_wait_for_each_other() -> None:
    network = joined(Network())
    assert network.core is not None
    network.room("other")
    network.core.join(2, "other")
    network.run()
    main = network.clusters["main"]
    main.peer.held = True
    for ticket in (3, 4):
        say(network, ticket, f"{ticket}")
    say(network, 5, "5", "other")
    assert sent(main) == ["3", "5"]


def test_messages_wait_for_a_move_and_keep_their_order() -> None:
    network = joined(Network())
    main, aws = network.clusters["main"], network.clusters["aws"]
    main.peer.held = True
    say(network, 2, "2")
    say(network, 3, "3")
    network.move("room", "aws", announce=False)
    # The acknowledgement is still on the old wire when the new side takes over.
    acknowledgement = main.peer.wire.popleft()
    main.announce("room")
    main.peer.held = False
    network.run()
    assert main.members("room") == []
    assert sent(aws) == []
    network.advance(FAST.linger * 2)
    main.peer.wire.append(acknowledgement)
    network.run()
    assert sent(aws) == ["3"]
    assert isinstance(network.results[2], Sent)
    assert isinstance(network.results[3], Sent)
    network.advance(FAST.linger * 2)
    assert main.peers == {}


def test_what_was_said_before_a_loss_is_found_when_the_channel_is_resumed() -> None:
    network = joined(Network())
    main = network.clusters["main"]
    main.peer.held = True
    say(network, 2, "hello")
    network.cut("main")
    network.run()
    assert 2 not in network.results
    network.advance(2)
    network.show()
    assert network.results[2] == Sent("room", network.rooms["room"].lines[0][1].id, "hello")
    assert network.texts() == []


def test_what_is_not_found_after_a_loss_is_unknown_and_not_said_again() -> None:
    network = joined(Network())
    main = network.clusters["main"]
    main.mute = True
    say(network, 2, "2")
    say(network, 3, "3")
    network.cut("main")
    main.mute = False
    network.advance(FAST.settle + 5)
    assert isinstance(network.results[2], SayUnknown)
    assert "connection was lost" in str(network.results[2])
    assert isinstance(network.results[3], Sent)
    assert sent(main) == ["3"]


def test_silence_is_unknown() -> None:
    network = joined(Network())
    network.clusters["main"].mute = True
    say(network, 2, "hello")
    network.advance(FAST.ack_timeout - 1)
    assert 2 not in network.results
    network.advance(2)
    assert "silent for 60 s" in str(network.results[2])


def test_what_is_said_while_nothing_is_shown_waits() -> None:
    network = joined(Network())
    network.cut("main")
    say(network, 2, "hello")
    assert 2 not in network.results
    network.advance(5)
    assert isinstance(network.results[2], Sent)


def test_messages_keep_to_the_limit_and_channels_take_turns() -> None:
    network = joined(Network(), options=Options(messages=Rate(4, 30.0)))
    assert network.core is not None
    network.room("other")
    network.core.join(2, "other")
    network.run()
    for ticket in range(10, 16):
        say(network, ticket, f"{ticket}")
    for ticket in range(20, 22):
        say(network, ticket, f"{ticket}", "other")
    assert sent(network.clusters["main"]) == ["10", "11", "12", "13"]
    network.advance(29)
    assert len(sent(network.clusters["main"])) == 4
    network.advance(1)
    assert sent(network.clusters["main"])[4:] == ["14", "20", "15", "21"]


def test_what_nobody_waits_for_is_not_said() -> None:
    network = joined(Network())
    assert network.core is not None
    main = network.clusters["main"]
    main.peer.held = True
    for ticket in (2, 3, 4):
        say(network, ticket, f"{ticket}")
    network.core.withdraw(2)
    network.core.withdraw(3)
    main.peer.held = False
    network.run()
    assert sent(main) == ["2", "4"]


def test_leaving_refuses_what_waits() -> None:
    network = joined(Network())
    assert network.core is not None
    main = network.clusters["main"]
    main.peer.held = True
    for ticket in (2, 3):
        say(network, ticket, f"{ticket}")
    network.core.part(4, "room")
    main.peer.held = False
    network.run()
    assert isinstance(network.results[2], Sent)
    assert "was left" in str(network.results[3])


def test_a_channel_that_could_not_be_joined_says_nothing() -> None:
    network = Network()
    core = network.client()
    core.join(1, "nobody")
    core.say(2, "nobody", "hello")
    network.run()
    network.advance(300)
    assert isinstance(network.results[1], JoinFailed)
    assert isinstance(network.results[2], SayRefused)
