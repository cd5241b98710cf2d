"""What one edge knows of a room, and what waits and is refused there (rules R1 to R3)."""

from __future__ import annotations

from typing import Any

import pytest

from godwit.chat.modes import Refusal, Speaker
from godwit.store.base import Sanction
from godwit.values import Act, Author, Change, Entry, Message, Position, UserNotice
from tests.edge.channel_world import LOG, MOVE, Edge, World, done

MOD = Author("9", "mod")


@pytest.fixture
def world() -> World:
    """The channel has a row."""
    world = World()
    world.claim()
    return world


@pytest.fixture
def main(world: World) -> Edge:
    return world.edge("main")


@pytest.fixture
def aws(world: World) -> Edge:
    return world.edge("aws")


def row(name: str, kind: str, target: str, position: Position | None = None, **changes: Any) -> Sanction:
    return Sanction(name, "room", kind, target, f"user{target}", "mod", position=position, time=1000.0, **changes)  # type: ignore[arg-type]


def act(name: str, kind: str, target: str = "7", epoch: int = 1, **changes: Any) -> Act:
    return Act(name, epoch, f"far/{name}", 1, kind, MOD, target, f"user{target}", **changes)  # type: ignore[arg-type]


def change(name: str, epoch: int = 1, **settings: int) -> Change:
    return Change(name, epoch, f"far/{name}", 1, MOD, settings)


# what is known ------------------------------------------------------------------------------------


def test_nothing_is_known_at_first(main: Edge) -> None:
    channel = main.channel
    assert (channel.known, channel.role("7"), channel.roles("mod"), channel.hosting) == (False, "", [], "")
    assert channel.sanction("7") is None


def test_roles_hosting_and_settings(world: World, main: Edge) -> None:
    main.join("ann")
    for record in (
        act("a1", "mod"), act("a2", "vip", "8"), act("a3", "mod", "6"), act("a4", "unmod", "6"),
        act("a5", "host", "5"), change("c1", slow=30),
    ):  # fmt: skip
        world.append("main", record)
    world.run()
    channel = main.channel
    assert channel.known
    assert [channel.role(user) for user in ("7", "8", "6", "1")] == ["mod", "vip", "", ""]
    assert (channel.roles("mod"), channel.roles("vip")) == (["user7"], ["user8"])
    assert (channel.hosting, channel.settings) == ("user5", {"slow": 30})
    world.append("main", act("a6", "unhost", ""))
    world.run()
    assert channel.hosting == ""


def test_the_ban_or_timeout_that_stands(world: World, main: Edge) -> None:
    main.join("ann")
    world.append("main", act("a1", "ban"))
    world.append("main", act("a2", "timeout", "8", seconds=30))
    world.append("main", act("a3", "ban", "6"))
    world.append("main", act("a4", "lift", "6"))
    world.run()
    found = [main.channel.sanction(user) for user in ("7", "8", "6", "1")]
    assert [(ruling.kind, ruling.seconds) if ruling else None for ruling in found] == [
        ("ban", 0), ("timeout", 30), None, None,
    ]  # fmt: skip


def test_what_the_store_has_from_before_the_start(world: World, main: Edge) -> None:
    """What operators brought counts from the beginning, and rows whose records have expired are known as well."""
    done(world.store.add_sanction(row("import", "mod", "7", Position(0, 0))))
    for number, each in enumerate((row("s", "set", "slow", seconds=5), row("h", "host", "")), 1):
        done(world.store.add_sanction(each))
        done(world.store.place_sanction(each.id, Position(1, number), 1000.0))
    world.write("x")
    world.write("y")
    world.expire()
    main.join("ann")
    assert main.channel.role("7") == "mod"
    assert (main.channel.settings, main.channel.hosting) == ({"slow": 5}, "user")


@pytest.mark.parametrize("record", [act("a", "vip"), act("a", "host"), change("a", slow=5)])
def test_rows_of_all_that_lasts_are_completed(world: World, main: Edge, record: Act | Change) -> None:
    main.join("ann")
    kind, target = ("set", "slow") if isinstance(record, Change) else (record.kind, record.target)
    done(world.store.add_sanction(row("a", kind, target)))
    at = world.append("main", record)
    world.run()
    assert [found.position for found in done(world.store.sanctions("room"))] == [Position(1, at)]


def test_all_of_it_goes_along_when_the_channel_moves(world: World, main: Edge, aws: Edge) -> None:
    """And somebody who comes to the new place only afterwards finds it there, too."""
    main.join("ann")
    for name, kind, target in (("a1", "mod", "7"), ("c1", "set", "slow")):
        done(world.store.add_sanction(row(name, kind, target, seconds=30)))
    world.append("main", act("a1", "mod"))
    world.append("main", change("c1", slow=30))
    world.run()
    world.move("aws")
    aws.join("bob")
    for edge in (main, aws):
        assert (edge.channel.home, edge.channel.role("7"), edge.channel.settings) == ("aws", "mod", {"slow": 30})


def test_usernotice(world: World, main: Edge) -> None:
    main.join("ann")
    at = world.append("main", UserNotice("u1", 1, "far/u1", 1, "resub", MOD))
    world.run()
    assert main.said == [f"announced resub at 1-{at}"]


# what waits ---------------------------------------------------------------------------------------


class Asked:
    """Asks a channel to have things done; notes what was, and what was not."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.done: list[str] = []
        self.ready = True

    def __call__(self, name: str, producer: str = "ann") -> bool:
        taken = self.edge.channel.when_known(
            producer, lambda: self.done.append(name), lambda: self.done.append(f"no {name}"), lambda: self.ready
        )
        self.edge.world.run()
        return taken


def test_at_once_if_the_room_is_known(main: Edge) -> None:
    main.join("bob")
    main.held.add("ask")
    asked = Asked(main)
    assert asked("one")
    assert asked.done == ["one"]


def test_it_waits_for_the_store_and_the_log(main: Edge) -> None:
    """Nobody need be in the channel; in their order, and before anything that comes later."""
    asked = Asked(main)
    main.held |= {"ask", "read"}
    assert asked("one")
    assert asked("two", "bob")
    assert (asked.done, main.channel.idle) == ([], False)
    main.release("ask")
    assert asked("three")
    assert asked.done == []
    main.release("read")
    assert asked.done == ["one", "two", "three"]
    assert (main.channel.idle, main.channel.known_to("ann", main.now())) == (True, True)


def test_it_waits_until_what_is_known_is_fresh(world: World, main: Edge) -> None:
    """Somebody may have lost a role while this process slept (rule C7)."""
    main.join("bob")
    asked = Asked(main)
    main.held.add("ask")
    world.clock.advance(MOVE.lease + 1)
    assert not main.channel.known
    assert asked("one")
    assert asked.done == []
    main.release("ask")
    assert asked.done == ["one"]


def test_a_message_that_waited_is_appended_at_once(world: World, main: Edge) -> None:
    main.held.add("ask")
    message = Message("m1", 0, "ann", 0, Author("7", "ann"), "hi")
    main.channel.when_known("ann", lambda: main.said.append(str(main.channel.submit(message))), lambda: None)
    main.release("ask")
    assert main.said == ["True", "ack m1 1"]


def test_it_waits_for_what_is_not_the_channels_matter(main: Edge) -> None:
    main.join("bob")
    asked = Asked(main)
    asked.ready = False
    asked("one")
    asked.ready = True
    assert asked("two")
    assert asked.done == ["one", "two"]
    asked.ready = False
    asked("three")
    asked.ready = True
    main.channel.look_again()
    assert asked.done == ["one", "two", "three"]


def test_it_does_not_wait_for_ever(main: Edge) -> None:
    main.failing.add("ask")
    asked = Asked(main)
    asked("one")
    main.tick(LOG.hold)
    assert asked.done == []
    main.tick(0.5)
    assert asked.done == ["no one"]
    assert main.channel.idle


def test_not_too_many_wait(world: World, main: Edge) -> None:
    main.held.add("ask")
    asked = Asked(main)
    assert [asked(str(number)) for number in range(6)] == [True] * 5 + [False]


def test_what_waits_is_told_when_the_channel_is_given_up(main: Edge) -> None:
    main.held.add("ask")
    asked = Asked(main)
    asked("one")
    main.channel.abandon()
    assert asked.done == ["no one"]


# what is refused ----------------------------------------------------------------------------------


def refusal(edge: Edge, text: str = "hi", user: str = "7") -> str:
    now = edge.world.clock.now()
    found: Refusal | None = edge.channel.refusal(Speaker(user), text, now, action=False, only_emotes=lambda: False)
    return found.msg_id if found else ""


@pytest.mark.row("SAY-banned")
def test_who_is_banned_is_refused_at_once(world: World, main: Edge) -> None:
    main.join("ann")
    world.append("main", act("a1", "ban"))
    world.append("main", act("a2", "timeout", "8", seconds=30))
    world.run()
    assert [refusal(main, user=user) for user in ("7", "8", "6")] == ["msg_banned", "msg_timedout", ""]
    world.clock.advance(30.0)
    assert refusal(main, user="8") == ""


@pytest.mark.row("SAY-slow", "SAY-unique")
def test_what_others_said_on_other_edges_counts(world: World, main: Edge, aws: Edge) -> None:
    main.join("ann")
    bob = aws.join("bob")
    world.append("main", change("c1", slow=10, r9k=1))
    world.run()
    done(
        world.logs["main"].append(
            "room", Message("m1", 1, "far", 1, Author("7", "x"), "hello everybody"), stream="main/1"
        )
    )
    world.run()
    assert refusal(main, "something else") == "msg_slowmode"
    assert refusal(main, "Hello Everybody!", "8") == "msg_r9k"
    assert bob.told


@pytest.mark.row("SAY-slow")
def test_a_log_whose_clock_is_ahead_makes_slow_mode_neither_shorter_nor_longer(world: World, main: Edge) -> None:
    main.join("ann")
    world.append("main", change("c1", slow=10))
    world.run()
    said = Message("m1", 1, "far", 1, Author("7", "x"), "one")
    segment = main.channel.segment
    assert segment
    last = main.channel.position.sequence
    main.channel.live(segment, Entry(last + 1, last, world.clock.now() + 5.0, said))
    assert refusal(main, "two") == "msg_slowmode"
    world.clock.advance(9.5)
    assert refusal(main, "two") == "msg_slowmode"
    world.clock.advance(0.5)
    assert refusal(main, "two") == ""


@pytest.mark.row("SAY-duplicate")
def test_what_was_said_may_not_be_repeated_but_what_came_to_nothing_may(world: World, main: Edge) -> None:
    ann = main.join("ann")
    assert main.say(ann, "m1", "7")
    assert refusal(main) == "msg_duplicate"
    main.failing.add("append")
    world.clock.advance(30.0)
    assert main.say(ann, "m2", "7")
    assert refusal(main) == "msg_duplicate"
    main.tick(LOG.hold + 1)
    assert refusal(main) == ""


def test_what_is_void_may_be_said_again(world: World, main: Edge) -> None:
    """Somebody is banned while the message is on its way, and pardoned."""
    ann = main.join("ann")
    main.held.add("append")
    main.put(ann, "m1", "7")
    world.append("main", act("a1", "ban"))
    main.release("append")
    assert "void m1 banned" in main.said
    world.append("main", act("a2", "lift"))
    world.run()
    assert refusal(main) == ""
