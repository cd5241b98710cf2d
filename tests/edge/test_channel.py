"""What one edge does with one channel: read, show, admit, append, follow."""

from __future__ import annotations

import pytest

from godwit.edge.channel import State
from godwit.store.base import Sanction
from godwit.values import Act, Author, Change, Message, Position, Segment, Tell
from tests.edge.channel_world import EDGE, LOG, MOVE, Edge, Person, World, done

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


# joining ----------------------------------------------------------------------------------------


def test_join(main: Edge) -> None:
    ann = main.join("ann")
    assert ann.told == ["joined home at 1-0"]
    assert main.channel.served == [ann]
    assert (main.channel.state, main.channel.home) == (State.LIVE, "main")


def test_join_shows_nothing_old(world: World, main: Edge) -> None:
    """What was said before lies at or before the position that the answer names (rule F1)."""
    said = world.write("x")
    ann = main.join("ann")
    world.write("y")
    assert ann.told == [f"joined home at 1-{said}", "line y"]


def test_nothing_is_known_at_first(main: Edge) -> None:
    assert (main.channel.segment, main.channel.home, main.channel.position) == (None, "", Position(0, 0))
    assert (main.channel.settings, main.channel.idle) == ({}, True)


def test_join_waits_for_the_placement(main: Edge) -> None:
    main.held.add("ask")
    ann = main.join("ann")
    assert (ann.told, main.channel.state) == ([], State.UNPLACED)
    main.release("ask")
    assert ann.told == ["joined home at 1-0"]


def test_join_waits_for_the_end_of_the_log(world: World, main: Edge) -> None:
    """Rule L5: a new reader neither shows nor writes before reads and live path have met."""
    main.held.add("read")
    ann = main.join("ann")
    main.put(ann, "a1")
    assert (ann.told, main.channel.state, main.channel.served) == ([], State.READING, [])
    assert "append" not in main.calls
    main.release("read")
    assert ann.told == ["joined home at 1-0"]
    assert world.stored("main") == ["a1 1"]


@pytest.mark.parametrize("call", ["ask", "read"])
def test_join_while_something_is_away(main: Edge, call: str) -> None:
    """It is asked again with each tick, not in a hurry."""
    main.failing.add(call)
    ann = main.join("ann")
    main.say(ann, "a1")
    assert main.calls.count(call) == 1
    assert main.channel.needs_tick
    main.tick()
    assert main.calls.count(call) == 2
    main.failing.clear()
    main.tick()
    assert ann.told == ["joined home at 1-0"]


def test_leaves_before_it_was_let_in(main: Edge) -> None:
    main.held.add("ask")
    ann = main.join("ann")
    main.channel.leave(ann)
    main.release("ask")
    assert ann.told == []
    assert main.channel.idle


def test_leave(world: World, main: Edge) -> None:
    ann, bob = main.join("ann"), main.join("bob")
    main.channel.leave(ann)
    main.channel.leave(ann)
    world.write("x")
    assert (ann.lines, bob.lines) == ("", "x")
    assert not main.channel.idle
    main.channel.leave(bob)
    assert main.channel.idle


def test_long_log_is_read_in_pages(world: World, main: Edge) -> None:
    main.limit = 3
    for number in range(10):
        world.write(str(number))
    assert main.join("ann").told == [f"joined home at 1-{main.channel.position.sequence}"]
    assert len(main.channel.recent) == 10


# speaking ---------------------------------------------------------------------------------------


def test_say(world: World, main: Edge) -> None:
    """Shown to the others, acknowledged to the producer with place and log time once it is read back."""
    ann, bob = main.join("ann"), main.join("bob")
    main.held.add("append")
    assert main.say(ann, "a1")
    assert (bob.lines, main.said) == ("", [])
    world.clock.advance(2.0)
    main.release("append")
    assert (ann.lines, bob.lines) == ("", "a1")
    assert main.acknowledgements == [("a1", main.channel.position, 1002.0)]


def test_all_edges_show_the_same(world: World, main: Edge) -> None:
    other = world.edge("main")
    ann, bob = main.join("ann"), other.join("bob")
    listeners = [edge.join(f"listener{number}") for number, edge in enumerate((main, other))]
    main.held.add("append")
    main.say(ann, "a1")
    other.say(bob, "b1")
    main.release("append")
    other.say(bob, "b2")
    assert [listener.lines for listener in listeners] == ["b1 a1 b2"] * 2
    assert (ann.lines, bob.lines) == ("b1 b2", "a1")


def test_one_in_flight(world: World, main: Edge) -> None:
    """Rule L6: the next one goes out when the one before was read back."""
    ann, bob = main.join("ann"), main.join("bob")
    main.held.add("append")
    for name in ("a1", "a2"):
        main.put(ann, name)
    main.put(bob, "b1")
    assert main.waiting == ["append", "append"]
    main.release("append")
    assert sorted(world.stored("main")) == ["a1 1", "a2 1", "b1 1"]
    assert [line for line in main.said if " a" in line] == ["ack a1 1", "ack a2 1"]


def test_too_many_waiting(main: Edge) -> None:
    ann, bob = main.join("ann"), main.join("bob")
    main.held.add("append")
    taken = [main.put(ann, f"a{number}") for number in range(EDGE.pending_per_sender + 1)]
    assert taken == [True] * EDGE.pending_per_sender + [False]
    assert main.put(bob, "b1")


def test_append_that_failed_is_tried_again(world: World, main: Edge) -> None:
    ann = main.join("ann")
    main.failing.add("append")
    main.say(ann, "a1")
    main.say(ann, "a2")
    assert main.calls.count("append") == 1
    main.failing.clear()
    main.tick(LOG.append_timeout / 5)
    assert main.said == ["ack a1 1", "ack a2 1"]
    assert world.stored("main") == ["a1 1", "a2 1"]


def test_append_of_unknown_fate_that_landed(world: World, main: Edge) -> None:
    """It is read back, and that is all that counts; nothing is said twice."""
    ann, bob = main.join("ann"), main.join("bob")
    main.lost.add("append")
    main.say(ann, "a1")
    for _ in range(5):
        main.tick()
    assert main.said == ["ack a1 1"]
    assert (bob.lines, world.stored("main")) == ("a1", ["a1 1"])


def test_append_of_unknown_fate_that_landed_unheard(world: World, main: Edge) -> None:
    """The live path lost it: the repeat under the same id tells where it lies, and it is read."""
    ann, bob = main.join("ann"), main.join("bob")
    main.lost.add("append")
    main.deaf = True
    main.say(ann, "a1")
    assert main.said == []
    main.lost.clear()
    main.tick()
    main.tick()
    assert main.said == ["ack a1 1"]
    assert (bob.lines, world.stored("main")) == ("a1", ["a1 1"])


@pytest.mark.parametrize("answer", ["refused", "unknown"])
def test_held_too_long(world: World, main: Edge, answer: str) -> None:
    """Rule L6: what has had no answer may have been said; what was always refused, or never tried, was not."""
    ann = main.join("ann")
    main.failing.add("append")
    if answer == "unknown":
        main.lost.add("append")
    main.say(ann, "a1")
    main.say(ann, "a2")
    main.tick(LOG.hold)
    assert main.said == []
    main.tick(0.1)
    assert main.said == ["unknown a1" if answer == "unknown" else "void a1 unsent", "void a2 unsent"]
    main.failing.clear()
    main.lost.clear()
    main.tick()
    assert world.stored("main") == []
    main.say(ann, "a3")
    assert main.said[-1] == "ack a3 1"


def test_abandon(world: World, main: Edge) -> None:
    """The promise "said aloud": who has said something that was not read back is told; then nothing is pending."""
    ann, bob = main.join("ann"), main.join("bob")
    main.failing.add("append")
    main.say(ann, "a1")
    main.say(ann, "a2")
    main.held.add("append")
    main.say(bob, "b1")
    main.channel.abandon()
    assert main.said == ["void a1 unsent", "void a2 unsent", "unknown b1"]
    main.failing.clear()
    main.release("append")
    main.channel.abandon()
    assert len(main.said) == 3


def test_abandon_before_it_is_placed(main: Edge) -> None:
    main.failing.add("ask")
    ann = main.join("ann")
    main.say(ann, "a1")
    main.channel.abandon()
    assert main.said == ["void a1 unsent"]


def test_abandon_while_early_joiners_wait(world: World, aws: Edge) -> None:
    """The record that would serve them is nobody's: it is dropped, and none follows it."""
    cat = aws.join("cat")
    aws.failing.add("append")
    world.move("aws")
    aws.channel.abandon()
    aws.channel.leave(cat)
    assert aws.said == []
    assert aws.channel.idle


def test_void_own_record(world: World, main: Edge) -> None:
    """Its producer is told why, and nobody is shown it."""
    ann, bob = main.join("ann"), main.join("bob")
    world.append("main", Act("ban", 1, "x", 1, "ban", MOD, "ann"))
    main.say(ann, "a1")
    assert main.said[-1] == "void a1 banned"
    assert bob.lines == ""
    world.append("main", Act("timeout", 1, "x", 2, "timeout", MOD, "ann", seconds=30))
    main.say(ann, "a2")
    assert main.said[-1] == "void a2 timedout"
    main.tick(30.0)
    main.say(ann, "a3")
    assert main.said[-1] == "ack a3 1"


def test_void_record_of_another(world: World, main: Edge) -> None:
    bob = main.join("bob")
    world.append("main", Act("ban", 1, "x", 1, "ban", MOD, "7"))
    world.write("x")
    assert bob.lines == ""
    assert not [line for line in main.said if line.startswith("void")]


def test_settings_change(world: World, main: Edge) -> None:
    main.join("ann")
    world.append("main", Change("c1", 1, "x", 1, MOD, {"slow": 30}))
    world.append("main", Change("c2", 1, "x", 2, MOD, {"subs-only": 1}))
    world.run()
    assert main.said == ["changed {'slow': 30}", "changed {'slow': 30, 'subs-only': 1}"]
    assert main.channel.settings == {"slow": 30, "subs-only": 1}


def test_what_operators_say_is_shown_once_and_changes_nothing(world: World, main: Edge) -> None:
    """NOTICE-7."""
    main.join("ann")
    world.append("main", Tell("t", 1, "t", 1, "it moves"))
    world.append("main", Tell("t", 1, "t", 1, "it moves"))
    world.run()
    assert main.said == ["noticed it moves"]
    assert (main.channel.settings, list(main.channel.recent)) == ({}, [])
    assert main.channel.last_message == 0.0


def test_what_operators_say_behind_the_seal_is_void_for_good(world: World, main: Edge) -> None:
    """C1: it is nobody's pending record, so nobody appends it again."""
    main.join("ann")
    to = world.open("aws")
    world.seal(to)
    world.append("main", Tell("late", 1, "late", 1, "it moves"))
    world.append("aws", Tell("early", 1, "early", 1, "it moves"))
    world.run()
    assert main.said == []
    assert world.stored("aws") == ["early 1"]


# the first write of a channel without a row (rule C10) ------------------------------------------


@pytest.fixture
def rowless() -> World:
    """The channel is where the default says."""
    return World()


def test_claims_a_row_before_the_first_write(rowless: World) -> None:
    edge = rowless.edge()
    ann = edge.join("ann")
    assert edge.channel.rowless
    assert done(rowless.store.rows()) == [], "reading needs none"
    edge.held.add("claim")
    edge.say(ann, "a1")
    assert rowless.stored("main") == []
    edge.release("claim")
    assert not edge.channel.rowless
    assert [row.channel for row in done(rowless.store.rows())] == ["room"]
    assert edge.said == ["ack a1 1"]
    edge.say(ann, "a2")
    assert edge.calls.count("claim") == 1


@pytest.mark.parametrize("how", ["failing", "lost"])
def test_claim_that_fails(rowless: World, how: str) -> None:
    """Tried again, whether it had taken effect or not."""
    edge = rowless.edge()
    ann = edge.join("ann")
    getattr(edge, how).add("claim")
    edge.say(ann, "a1")
    assert rowless.stored("main") == []
    getattr(edge, how).clear()
    edge.tick()
    edge.tick()
    assert edge.said == ["ack a1 1"]


def test_default_that_is_held(rowless: World) -> None:
    """Nobody writes to a channel without a row before the default's hold is over."""
    done(rowless.store.set_default(Segment("aws", 2, 0, "aws/1"), hold_until=1005.0))
    edge = rowless.edge("aws")
    ann = edge.join("ann")
    edge.say(ann, "a1")
    edge.tick(4.0)
    assert "claim" not in edge.calls
    edge.tick(1.0)
    assert edge.said == ["ack a1 2"]


def test_default_that_changes(rowless: World) -> None:
    """Who stands at the old default learns so before it writes, tells its members, and writes at the new one."""
    edge = rowless.edge()
    ann = edge.join("ann")
    done(rowless.store.set_default(Segment("aws", 2, 0, "aws/1"), hold_until=0.0))
    edge.say(ann, "a1")
    assert (rowless.stored("main"), rowless.stored("aws")) == ([], ["a1 2"])
    assert ann.events == ["joined home at 1-0", "redirected to aws-2"]


# the live path is a hint (rule L1) --------------------------------------------------------------


def test_lost_own_line(world: World, main: Edge) -> None:
    """Acknowledged by the log but not read back: the next tick looks."""
    ann, bob = main.join("ann"), main.join("bob")
    main.deaf = True
    main.say(ann, "a1")
    assert main.said == []
    main.tick()
    assert (main.said, bob.lines) == (["ack a1 1"], "a1")


def test_comparison(world: World, main: Edge) -> None:
    """Somebody else's line was lost: comparing with the log's head finds it."""
    bob = main.join("bob")
    segment = main.channel.segment
    assert segment
    main.deaf = True
    head = world.write("x")
    main.tick()
    assert bob.lines == ""
    main.channel.compared(segment, head, 1001.0)
    world.run()
    assert bob.lines == "x"


def test_suspicion(world: World, main: Edge) -> None:
    bob = main.join("bob")
    segment = main.channel.segment
    assert segment
    main.deaf = True
    world.write("x")
    main.channel.suspect(segment)
    world.run()
    assert bob.lines == "x"


def test_gap_in_the_live_path(world: World, main: Edge) -> None:
    """The line behind it brings it to light; order is kept."""
    bob = main.join("bob")
    main.deaf = True
    world.write("x")
    main.deaf = False
    world.write("y")
    assert bob.lines == "x y"


def test_news_of_a_segment_that_was_left(world: World, main: Edge) -> None:
    """Answers and entries that come late are of no account."""
    ann = main.join("ann")
    old = main.channel.segment
    assert old
    world.move("aws")
    world.append("main", Message("x", 1, "y", 1, MOD, "hi"))
    page = done(world.logs["main"].read("room", 0))
    position, calls = main.channel.position, list(main.calls)
    for entry in page.entries:
        main.channel.live(old, entry)
    main.channel.answer(old, 0, page, 0)
    main.channel.read_failed(old, 0)
    main.channel.compared(old, 99, 1000.0)
    main.channel.suspect(old)
    main.channel.appended(old, Message("x", 1, "ann", 1, MOD, "hi"), 99)
    main.tick()
    assert (main.channel.position, main.calls, ann.lines) == (position, calls, "")


# what is known may be too old (rule C7) ---------------------------------------------------------


def test_asks_before_it_writes_on_old_knowledge(world: World, main: Edge) -> None:
    """The lease has run out: first the store, then the log."""
    ann = main.join("ann")
    world.clock.advance(MOVE.lease + 1.0)
    main.held.add("ask")
    main.say(ann, "a1")
    assert (main.waiting, world.stored("main")) == (["ask"], [])
    main.release("ask")
    assert main.said == ["ack a1 1"]


def test_does_not_write_while_the_store_is_silent(world: World, main: Edge) -> None:
    ann = main.join("ann")
    world.clock.advance(MOVE.lease + 1.0)
    main.failing.add("ask")
    main.say(ann, "a1")
    main.tick()
    assert world.stored("main") == []
    main.failing.clear()
    main.tick()
    assert main.said == ["ack a1 1"]


def test_does_not_let_in_on_old_knowledge(world: World, main: Edge) -> None:
    main.join("ann")
    world.clock.advance(MOVE.lease + 1.0)
    main.failing.add("ask")
    bob = main.join("bob")
    assert bob.told == []
    main.failing.clear()
    main.tick()
    assert bob.told == ["joined home at 1-0"]


def test_who_stands_at_the_end_needs_no_store(world: World, main: Edge) -> None:
    """A reader that compared with the log within the lease goes on if the store is silent."""
    ann, bob = main.join("ann"), main.join("bob")
    main.failing.add("ask")
    for _ in range(10):
        main.tick(5.0)
        segment = main.channel.segment
        assert segment
        main.channel.compared(segment, main.channel.position.sequence, world.clock.now())
        main.say(ann, "a" + str(world.clock.now()))
    assert len(bob.lines.split()) == 10


def test_who_has_read_to_the_end_needs_no_store(world: World, main: Edge) -> None:
    """A read is as good as a comparison."""
    ann = main.join("ann")
    main.failing.add("ask")
    world.clock.advance(MOVE.lease - 1.0)
    segment = main.channel.segment
    assert segment
    main.channel.suspect(segment)
    world.run()
    world.clock.advance(MOVE.lease - 1.0)
    main.say(ann, "a1")
    assert main.said == ["ack a1 1"]
    assert main.calls.count("ask") == 1


def test_comparison_with_a_gap_is_no_confirmation(world: World, main: Edge) -> None:
    """The end of the log was not where this reader stood."""
    ann = main.join("ann")
    main.deaf = True
    main.held.update({"read", "ask"})
    world.clock.advance(MOVE.lease + 1.0)
    head = world.write("x")
    segment = main.channel.segment
    assert segment
    main.channel.compared(segment, head, world.clock.now())
    main.put(ann, "a1")
    assert "append" not in main.waiting


def test_answer_that_took_longer_than_the_lease(world: World, main: Edge) -> None:
    """It says where the channel was, not where it is."""
    main.held.add("ask")
    ann = main.join("ann")
    world.clock.advance(MOVE.lease + 1.0)
    main.release("ask")
    assert ann.told == []
    main.tick()
    assert ann.told == ["joined home at 1-0"]


# holes, dead logs, forced moves (rules L2, L4, C8) ----------------------------------------------


def test_hole(world: World, main: Edge) -> None:
    """Members are told once that lines are missing; reading starts again from what the store confirms."""
    ann, bob = main.join("ann"), main.join("bob")
    main.deaf = True
    hidden = world.write("x")
    world.expire()
    world.write("y")
    main.deaf = False
    main.held.add("ask")
    world.write("z")
    assert (main.said, bob.lines, main.channel.state) == (["gap None"], "", State.UNPLACED)
    main.release("ask")
    assert (main.said, bob.lines) == (["gap None"], "y z")
    assert main.channel.recent_since == Position(1, hidden)
    main.say(ann, "a1")
    assert main.said[1:] == ["ack a1 1"]


def test_hole_that_grows(world: World, main: Edge) -> None:
    """More expires before it can go on: told again."""
    bob = main.join("bob")
    main.deaf = True
    world.write("x")
    world.expire()
    world.write("y")
    main.deaf = False
    main.failing.add("ask")
    world.write("z")
    world.expire()
    main.failing.clear()
    main.tick()
    assert (main.said, bob.lines) == (["gap None", "gap None"], "")


def test_hole_in_a_segment_that_was_left(world: World, main: Edge) -> None:
    """The store knows a newer one: it goes on there."""
    bob = main.join("bob")
    main.deaf = True
    world.write("x")
    to = world.open("aws")
    world.seal(to)
    world.commit(to)
    done(world.logs["main"].release("room", 1))
    world.expire()
    segment = main.channel.segment
    assert segment
    main.channel.suspect(segment)
    world.run()
    main.deaf = False
    assert (main.channel.segment, main.channel.state) == (to, State.LIVE)
    assert set(main.said) == {"gap None"}
    assert bob.events[-1] == "redirected to aws-2"


def test_hole_while_the_store_is_behind(world: World, main: Edge) -> None:
    """Nobody could commit the switch yet: it asks with each tick, not in a hurry."""
    main.join("bob")
    main.failing.add("commit")
    world.move("aws")
    main.deaf = True
    world.write("x", "aws", 2)
    world.expire()
    segment = main.channel.segment
    assert segment
    main.channel.suspect(segment)
    world.run()
    assert main.channel.state is State.UNPLACED
    asked = main.calls.count("ask")
    main.tick()
    assert main.calls.count("ask") == asked + 1
    main.failing.clear()
    main.tick()
    main.tick()
    assert (main.channel.state, main.channel.home) == (State.LIVE, "aws")


def test_own_records_in_a_hole(world: World, main: Edge) -> None:
    """What was tried may lie in the hole: unknown, and not appended again. What was not tried is said."""
    ann = main.join("ann")
    main.deaf = True
    main.lost.add("append")
    main.put(ann, "a1")
    main.put(ann, "a2")
    world.run()
    assert world.stored("main") == ["a1 1"]
    world.expire()
    main.lost.clear()
    main.deaf = False
    segment = main.channel.segment
    assert segment
    main.channel.suspect(segment)
    world.run()
    assert main.said == ["unknown a1", "gap None", "ack a2 1"]
    assert world.stored("main") == ["a2 1"]


def test_new_reader_begins_with_what_is_left(world: World, main: Edge) -> None:
    world.write("x")
    world.expire()
    last = world.write("y")
    ann = main.join("ann")
    assert ann.told == [f"joined home at 1-{last}"]
    assert [shown.message.id for shown in main.channel.recent] == ["y"]
    assert main.channel.recent_since == Position(1, 1)


def test_dead_log(world: World, main: Edge) -> None:
    """Rule L2: never appended to under the same epoch; members stay until the channel opens anew."""
    ann, bob = main.join("ann"), main.join("bob")
    world.recreate("main")
    segment = main.channel.segment
    assert segment
    main.channel.suspect(segment)
    main.say(ann, "a1")
    asked = main.calls.count("ask")
    for _ in range(3):
        main.tick()
    assert main.calls.count("ask") == asked + 3, "with each tick, not in a hurry"
    assert world.stored("main") == []
    assert main.said == []
    done(world.store.reopen({"main": "main/2"}))
    main.tick(MOVE.lease + 1.0)
    main.tick()
    assert world.stored("main") == ["a1 3"]
    assert main.said == ["gap None", "ack a1 3"]
    assert bob.lines == "a1"


def test_append_to_a_dead_log(world: World, main: Edge) -> None:
    """The log refuses it: nothing was stored, and it waits."""
    ann = main.join("ann")
    world.recreate("main")
    main.say(ann, "a1")
    main.tick()
    assert world.stored("main") == []
    done(world.store.reopen({"main": "main/2"}))
    main.tick(MOVE.lease + 1.0)
    main.tick()
    assert main.said == ["gap None", "ack a1 3"]


def test_forced_move(world: World, main: Edge, aws: Edge) -> None:
    """A reader below the newest unclean epoch jumps there at once, tells of the gap, and says again what is pending."""
    ann, bob = main.join("ann"), main.join("bob")
    main.failing.add("append")
    main.put(ann, "a1")
    main.put(ann, "a2")
    world.run()
    to = world.open("aws", epoch=3, unclean=True)
    world.commit(to)
    main.failing.clear()
    main.failing.add("read")
    main.tick(MOVE.lease + 1.0)
    assert main.channel.segment == to
    main.failing.clear()
    main.tick()
    assert world.stored("aws") == ["a1 3", "a2 3"]
    assert main.said == ["gap None", "ack a1 3", "ack a2 3"]
    assert bob.told[-3:] == ["redirected to aws-3", "line a1", "line a2"]


def test_forced_move_while_an_append_is_out(world: World, main: Edge) -> None:
    """Nobody waits for the dead log's answer."""
    ann = main.join("ann")
    main.held.add("append")
    main.put(ann, "a1")
    world.commit(world.open("aws", epoch=3, unclean=True))
    main.tick(MOVE.lease + 1.0)
    assert main.waiting == ["append", "append"]
    main.release("append")
    assert world.stored("aws") == ["a1 3"]
    assert main.said == ["gap None", "ack a1 3"]


def test_late_seal_towards_a_forced_segment(world: World, main: Edge) -> None:
    """Whoever still stands in the old segment is sent after the others."""
    ann = main.join("ann")
    to = world.open("aws", epoch=3, unclean=True)
    world.seal(to)
    assert (main.channel.segment, world.segment) == (to, to)
    assert ann.events[-1] == "redirected to aws-3"


def test_seal_that_has_gone(world: World, main: Edge) -> None:
    """The chain goes on and nothing leads there any more: those who missed lines are told."""
    ann, bob = main.join("ann"), main.join("bob")
    main.deaf = True
    to = world.open("aws")
    world.commit(to)
    main.tick(MOVE.lease + 1.0)
    for _ in range(6):
        main.tick()
    assert main.channel.segment == to
    assert main.said == ["gap None"]
    main.deaf = False
    main.say(ann, "a1")
    assert bob.lines == "a1"
    assert bob.events[-1] == "redirected to aws-2"


# bans that the store knows (rules R2, R3) -------------------------------------------------------


def sanction(name: str, **changes: object) -> Sanction:
    found = {"kind": "ban", "target": "7", "target_login": "far", "by": "mod", "time": 1000.0, **changes}
    return Sanction(name, "room", **found)  # type: ignore[arg-type]


def test_act_is_told_and_its_row_completed(world: World, main: Edge) -> None:
    main.join("ann")
    done(world.store.add_sanction(sanction("ban")))
    at = world.append("main", Act("ban", 1, "x", 1, "ban", MOD, "7"))
    world.run()
    assert main.said == [f"acted ban at 1-{at}"]
    [row] = done(world.store.sanctions("room"))
    assert (row.position, row.time) == (Position(1, at), 1000.0)
    for _ in range(3):
        main.tick()
    assert main.calls.count("place_sanction") == 1


def test_row_that_cannot_be_completed_yet(world: World, main: Edge) -> None:
    """Tried again with each tick; until then the channel is not idle."""
    ann = main.join("ann")
    done(world.store.add_sanction(sanction("ban")))
    main.failing.add("place_sanction")
    world.append("main", Act("ban", 1, "x", 1, "ban", MOD, "7"))
    world.run()
    main.channel.leave(ann)
    assert not main.channel.idle
    main.tick()
    main.failing.clear()
    main.tick()
    assert main.channel.idle
    assert done(world.store.sanctions("room"))[0].position


@pytest.mark.parametrize("kind", ["clear", "delete"])
def test_other_acts_have_no_row(world: World, main: Edge, kind: str) -> None:
    main.join("ann")
    world.append("main", Act("act", 1, "x", 1, kind, MOD, "7"))  # type: ignore[arg-type]
    world.run()
    assert len(main.said) == 1
    assert "place_sanction" not in main.calls


def test_ban_from_before_the_start(world: World, main: Edge, aws: Edge) -> None:
    """Its record lies in an older segment: the row counts."""
    done(world.store.add_sanction(sanction("ban")))
    done(world.store.place_sanction("ban", Position(1, 1), 1000.0))
    world.commit(world.open("aws"))
    bob = aws.join("bob")
    world.write("x", "aws", 2)
    assert bob.lines == ""
    world.write("y", "aws", 2, user="8")
    assert bob.lines == "y"


def test_timeout_from_before_the_start(world: World, aws: Edge) -> None:
    """It ends when it ends, by log time."""
    done(world.store.add_sanction(sanction("timeout", kind="timeout", seconds=30)))
    done(world.store.place_sanction("timeout", Position(1, 1), 1000.0))
    world.commit(world.open("aws"))
    bob = aws.join("bob")
    world.clock.advance(29.0)
    world.write("x", "aws", 2)
    world.clock.advance(1.0)
    world.write("y", "aws", 2)
    assert bob.lines == "y"


def test_row_that_is_complete(world: World, main: Edge) -> None:
    """Every reader would complete it, so most find it done."""
    done(world.store.add_sanction(sanction("ban")))
    at = world.append("main", Act("ban", 1, "x", 1, "ban", MOD, "7"))
    done(world.store.place_sanction("ban", Position(1, at), 1000.0))
    main.join("ann")
    assert "place_sanction" not in main.calls


def test_row_without_a_position_is_looked_for(world: World, aws: Edge) -> None:
    """A new reader replays from before the oldest such row, completing it, and shows nothing of that (rule R3)."""
    done(world.store.add_sanction(sanction("ban")))
    world.append("main", Act("ban", 1, "x", 1, "ban", MOD, "7"))
    world.append("main", Message("old", 1, "y", 1, MOD, "hi"))
    to = world.open("aws")
    world.seal(to)
    world.commit(to)
    bob = aws.join("bob")
    assert done(world.store.sanctions("room"))[0].position == Position(1, 1)
    world.write("x", "aws", 2)
    assert bob.told == ["joined home at 2-1"]


# when it is looked after ------------------------------------------------------------------------


def test_quiet_channel_needs_no_tick(world: World, main: Edge) -> None:
    ann = main.join("ann")
    assert not main.channel.needs_tick
    main.held.add("append")
    main.put(ann, "a1")
    assert main.channel.needs_tick
    assert not main.channel.idle
    main.release("append")
    assert not main.channel.needs_tick


def test_rejoin_of_a_member(world: World, main: Edge) -> None:
    """Some libraries send JOIN twice: answered again, shown once."""
    ann: Person = main.join("ann")
    main.rejoin(ann)
    world.write("x")
    assert ann.told == ["joined home at 1-0", "joined home at 1-0", "line x"]


def test_rejoin_of_an_early_joiner_that_is_served(world: World, main: Edge, aws: Edge) -> None:
    """Having been served it stays so when the channel leaves."""
    cat = aws.join("cat")
    world.move("aws")
    world.move("main")
    aws.rejoin(cat)
    world.write("x", "main", 3)
    assert cat.lines == "x"
