"""How one edge follows a channel that moves: the switch, who is let in where, and who resumes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from godwit.values import Arrive, Author, Open, Position, Seal
from tests.edge.channel_world import EDGE, LOG, MOVE, Edge, World, done

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


# the move (rules C1 to C6) ----------------------------------------------------------------------


def test_follows_a_seal(world: World, main: Edge, aws: Edge) -> None:
    """Both sides go on with the new segment; who is on the old side reads and writes through it."""
    ann, bob = main.join("ann"), main.join("bob")
    to = world.move("aws")
    assert main.channel.segment == to
    assert world.segment == to
    cat = aws.join("cat")
    main.say(ann, "a1")
    aws.say(cat, "c1")
    assert (ann.lines, bob.lines, cat.lines) == ("c1", "a1 c1", "a1")
    assert (world.stored("main"), world.stored("aws")) == ([], ["a1 2", "c1 2"])
    assert main.said == ["ack a1 2"]


def test_there_and_back(world: World, main: Edge, aws: Edge) -> None:
    ann, cat = main.join("ann"), None
    world.move("aws")
    cat = aws.join("cat")
    main.say(ann, "a1")
    world.move("main")
    main.say(ann, "a2")
    aws.say(cat, "c1")
    assert (ann.lines, cat.lines) == ("c1", "a1 a2")
    assert world.stored("main") == ["a2 3", "c1 3"]
    assert ann.events == ["joined home at 1-0", "redirected to aws-2"]
    assert cat.events[-1] == "redirected to main-3"


def test_told_only_after_the_commit(world: World, main: Edge) -> None:
    """Rule C5: a client that asks the directory must find the new place there."""
    ann = main.join("ann")
    main.held.add("commit")
    world.move("aws")
    assert main.channel.home == "aws"
    assert world.segment.cluster == "main"
    bob = main.join("bob")
    assert (ann.events[1:], bob.events) == ([], ["joined away at 2-1"])
    assert not main.channel.idle
    main.tick()
    assert main.calls.count("commit") == 1, "the answer is still awaited"
    main.release("commit")
    assert (ann.events[1:], bob.events[1:]) == (["redirected to aws-2"], ["redirected to aws-2"])


@pytest.mark.parametrize("how", ["failing", "lost"])
def test_commit_that_fails(world: World, main: Edge, how: str) -> None:
    """Anyone may repeat it (rule C3); members are told once."""
    ann = main.join("ann")
    getattr(main, how).add("commit")
    world.move("aws")
    main.tick()
    assert ann.events[1:] == []
    getattr(main, how).clear()
    main.tick()
    assert ann.events[1:] == ["redirected to aws-2"]
    assert world.segment.cluster == "aws"
    main.tick()
    assert main.calls.count("commit") == 3


def test_home_is_not_told(world: World, main: Edge, aws: Edge) -> None:
    """Members of the new home have nowhere to go."""
    cat = aws.join("cat")
    world.move("aws")
    assert cat.events == ["joined away silent at 1-0", "redirected to main-1"]


def test_seal_is_met_by_reading(world: World, main: Edge) -> None:
    """The live path lost it, and the store knows of the switch."""
    ann = main.join("ann")
    main.deaf = True
    to = world.open("aws")
    world.seal(to)
    assert main.channel.home == "main"
    world.commit(to)
    main.tick(MOVE.lease + 1.0)
    assert main.channel.segment == to
    assert ann.events[1:] == ["redirected to aws-2"]


def test_void_own_records_are_appended_again(world: World, main: Edge) -> None:
    """Rule C6: what landed behind the seal goes to the new segment, in order, before anything newer."""
    ann, bob = main.join("ann"), main.join("bob")
    main.held.add("append")
    main.put(ann, "a1")
    main.put(ann, "a2")
    main.put(bob, "b1")
    world.move("aws")
    main.put(ann, "a3")
    main.release("append")
    assert world.stored("main") == ["a1 1", "b1 1"]
    assert [line for line in world.stored("aws") if line[0] == "a"] == ["a1 2", "a2 2", "a3 2"]
    assert [line for line in main.said if " a" in line] == ["ack a1 2", "ack a2 2", "ack a3 2"]
    assert (bob.lines, ann.lines) == ("a1 a2 a3", "b1")


def test_void_records_of_others_are_left_alone(world: World, main: Edge) -> None:
    """They are their own edges' to append again."""
    bob = main.join("bob")
    world.move("aws")
    world.write("x", "main", 1)
    assert (bob.lines, world.stored("aws")) == ("", [])


def test_fails_behind_the_seal(world: World, main: Edge) -> None:
    """The answer to an append of the segment that was left says nothing about the one that followed."""
    ann = main.join("ann")
    main.held.add("append")
    main.put(ann, "a1")
    world.move("aws")
    main.failing.add("append")
    old = main.waiting.index("append")
    assert main.waiting.count("append") == 2
    assert old == 0
    main.held.clear()
    main.run()
    main.failing.clear()
    world.run()
    assert world.stored("aws") == ["a1 2"]
    assert main.said == ["ack a1 2"]


def test_open_alone_means_nothing(world: World, main: Edge, aws: Edge) -> None:
    """Rule C1."""
    ann = main.join("ann")
    world.open("aws")
    world.append("main", Open("early", 2))
    world.run()
    main.say(ann, "a1")
    assert world.stored("main") == ["a1 1"]
    assert main.channel.home == "main"


def test_first_seal_decides(world: World, main: Edge) -> None:
    """Rule C2: whoever sealed second, and whatever it says."""
    main.join("ann")
    first, second = world.open("event"), world.open("aws")
    world.append("main", Seal("first", 1, first))
    world.append("main", Seal("second", 1, second))
    world.run()
    assert main.channel.segment == world.segment == first


def test_moves_on_at_once(world: World, main: Edge) -> None:
    """The next switch is met in the log before the first one is in the store."""
    ann = main.join("ann")
    main.held.add("commit")
    middle = world.open("aws")
    world.seal(middle)
    last = world.open("event", epoch=3)
    world.append("aws", Seal("again", 2, last))
    world.run()
    assert main.channel.segment == last
    main.release("commit")
    assert world.segment == last
    assert ann.events[-1] == "redirected to event-3"


# where a JOIN is let in (rules C11, C12) --------------------------------------------------------


def test_early_join(world: World, main: Edge, aws: Edge) -> None:
    """Welcomed and silent until the channel comes; told where it is meanwhile."""
    cat = aws.join("cat")
    ann = main.join("ann")
    main.say(ann, "a1")
    assert cat.told == ["joined away silent at 1-0", "redirected to main-1"]
    assert aws.channel.served == []
    world.move("aws")
    main.say(ann, "a2")
    assert cat.lines == "a2"
    assert aws.channel.served == aws.welcomed == [cat]


def test_early_joiner_may_talk(world: World, main: Edge, aws: Edge) -> None:
    """A PRIVMSG at any edge goes to the home segment."""
    cat, ann = aws.join("cat"), main.join("ann")
    aws.say(cat, "c1")
    assert ann.lines == "c1"
    assert (world.stored("main"), aws.said) == (["c1 1"], ["ack c1 1"])


def test_account_on_both_sides(world: World, main: Edge, aws: Edge) -> None:
    """From one position on it is served on the new side only; the old side sends it PART."""
    old, new = main.join("cat1", "cat"), aws.join("cat2", "cat")
    ann, bob = main.join("ann"), main.join("bob")
    main.say(ann, "a1")
    world.move("aws")
    main.say(ann, "a2")
    assert (old.lines, new.lines, bob.lines) == ("a1", "a2", "a1 a2")
    assert old.events[-1] == "parted"
    assert old not in main.channel.members
    assert "parted" not in bob.events


def test_no_line_is_heard_twice_or_lost_across_the_handover(world: World, main: Edge, aws: Edge) -> None:
    """Lines between the seal and the handover are the old side's."""
    old, new = main.join("cat1", "cat"), aws.join("cat2", "cat")
    ann = main.join("ann")
    aws.held.add("append")
    world.move("aws")
    main.say(ann, "a1")
    assert (old.lines, new.lines) == ("a1", "")
    aws.release("append")
    main.say(ann, "a2")
    assert (old.lines, new.lines) == ("a1", "a2")


def test_later_join_does_not_touch_other_connections(world: World, main: Edge, aws: Edge) -> None:
    """A follower has both for a while."""
    old = main.join("cat1", "cat")
    world.move("aws")
    new = aws.join("cat2", "cat")
    ann = main.join("ann")
    main.say(ann, "a1")
    assert (old.lines, new.lines) == ("a1", "a1")
    assert "parted" not in old.events


def test_anonymous_early_joiner(world: World, main: Edge, aws: Edge) -> None:
    """It has no account that could be elsewhere."""
    fan, other = aws.join("fan", ""), main.join("fan2", "")
    ann = main.join("ann")
    world.move("aws")
    main.say(ann, "a1")
    assert (fan.lines, other.lines) == ("a1", "a1")
    assert "parted" not in other.events


def test_early_joiner_who_left(world: World, main: Edge, aws: Edge) -> None:
    new, old = aws.join("cat2", "cat"), main.join("cat1", "cat")
    aws.channel.leave(new)
    world.move("aws")
    assert old.events[-1] == "redirected to aws-2"
    assert "parted" not in old.events


def test_record_that_serves_early_joiners_is_nobodys_message(world: World, main: Edge, aws: Edge) -> None:
    """It is neither shown nor acknowledged, nor is anybody told when it fails."""
    aws.join("cat")
    ann = main.join("ann")
    aws.failing.add("append")
    world.move("aws")
    for _ in range(3):
        aws.tick(LOG.hold)
    assert aws.said == []
    aws.failing.clear()
    aws.tick()
    aws.tick()
    assert len(aws.channel.served) == 1
    assert (ann.lines, main.said, aws.said) == ("", [], [])


def test_join_at_the_old_side(world: World, main: Edge, aws: Edge) -> None:
    """A bot that restarts at its old address is let in, served, and told."""
    main.join("ann")
    world.move("aws")
    bob = main.join("bob")
    assert bob.told == ["joined away at 2-1", "redirected to aws-2"]
    cat = aws.join("cat")
    aws.say(cat, "c1")
    assert bob.lines == "c1"


def test_bridge_lasts(world: World, main: Edge) -> None:
    """By default for good."""
    ann = main.join("ann")
    world.move("aws")
    for _ in range(4):
        world.tick(MOVE.drain)
    assert main.join("bob").told == ["joined away at 2-1", "redirected to aws-2"]
    assert ann in main.channel.served


def test_join_at_an_edge_that_never_had_the_channel(world: World, aws: Edge) -> None:
    """It asks the store, which knows of the homes before."""
    world.commit(world.open("aws"))
    other = world.edge("main")
    assert other.join("bob").told == ["joined away at 2-1", "redirected to aws-2"]
    third = world.edge("event")
    assert third.join("cat").told == ["joined away silent at 2-1", "redirected to aws-2"]


@pytest.mark.parametrize("rule", ["part", "reconnect"])
def test_refused_after_the_drain(rule: str) -> None:
    """SERVERCHANGE alone."""
    world = World(move=replace(MOVE, legacy_rule=rule))  # type: ignore[arg-type]
    world.claim()
    main = world.edge()
    main.join("ann")
    world.move("aws")
    world.tick(MOVE.drain - 1.0)
    assert main.join("bob").told == ["joined away at 2-1", "redirected to aws-2"]
    world.tick(1.0)
    assert main.join("cat").told == ["redirected to aws-2", "refused"]
    assert [member.producer for member in main.channel.members] == []


def test_eviction_at_the_end_of_the_drain() -> None:
    """Those who have not followed are out; the new side and early joiners elsewhere are not concerned."""
    world = World(move=replace(MOVE, legacy_rule="part"))
    world.claim()
    main, aws, event = world.edge("main"), world.edge("aws"), world.edge("event")
    ann, dora = main.join("ann"), event.join("dora")
    world.move("aws")
    bob = aws.join("bob")
    world.tick(MOVE.drain - 1.0)
    assert ann in main.channel.served
    world.tick(1.0)
    assert ann.told[-1] == "evicted to aws"
    assert (main.channel.members, aws.channel.served) == ({}, [bob])
    assert dora in event.channel.members
    assert not [event for event in (*bob.events, *dora.events) if event.startswith("evicted")]


def test_no_eviction_where_the_channel_came_back() -> None:
    world = World(move=replace(MOVE, legacy_rule="part"))
    world.claim()
    main = world.edge("main")
    ann = main.join("ann")
    world.move("aws")
    world.tick(MOVE.drain / 2)
    world.move("main")
    world.tick(MOVE.drain + 1.0)
    assert ann in main.channel.served


def legacy(rule: str = "part") -> World:
    """A channel with a row, where memberships end with the drain."""
    world = World(move=replace(MOVE, legacy_rule=rule))  # type: ignore[arg-type]
    world.claim()
    return world


def test_each_cluster_has_its_own_drain() -> None:
    """Rule C11: the next switch does not prolong the drain of those that were left before."""
    world = legacy()
    main, aws, event = world.edge("main"), world.edge("aws"), world.edge("event")
    ann = main.join("ann")
    world.move("aws")
    left = world.clock.now()
    bob = aws.join("bob")
    world.tick(MOVE.drain / 2)
    world.move("event")
    assert main.channel.drains == {"main": left + MOVE.drain, "aws": world.clock.now() + MOVE.drain}
    event.join("eve")
    assert main.channel.drains == aws.channel.drains == event.channel.drains
    world.tick(MOVE.drain / 2)
    assert (ann.told[-1], main.channel.members) == ("evicted to event", {})
    assert main.join("cat").told == ["redirected to event-3", "refused"]
    assert bob in aws.channel.served
    assert aws.join("dora").told == [f"joined away at {aws.channel.position}", "redirected to event-3"]
    world.tick(MOVE.drain / 2)
    assert (bob.told[-1], aws.channel.members) == ("evicted to event", {})


def test_drain_of_a_cluster_that_was_left_twice() -> None:
    """The last time counts."""
    world = legacy()
    main = world.edge("main")
    ann = main.join("ann")
    world.move("aws")
    world.tick(MOVE.drain / 2)
    world.move("main")
    world.tick(MOVE.drain / 4)
    world.move("event")
    world.tick(MOVE.drain / 2)
    assert ann in main.channel.served
    world.tick(MOVE.drain / 2)
    assert ann.told[-1] == "evicted to event"


def test_drains_of_a_reader_that_begins_late() -> None:
    """The store tells each of them."""
    world = legacy()
    world.commit(world.open("aws"))
    world.clock.advance(MOVE.drain)
    world.commit(world.open("event"))
    aws, main = world.edge("aws"), world.edge("main")
    ann, bob = aws.join("ann"), main.join("bob")
    assert aws.channel.drains == {"aws": 1000.0 + 2 * MOVE.drain, "main": 1000.0 + MOVE.drain}
    assert ann.told == ["joined away at 3-1", "redirected to event-3"]
    assert bob.told == ["redirected to event-3", "refused"]
    world.tick(MOVE.drain)
    assert ann.told[-1] == "evicted to event"


def test_settled_early() -> None:
    """The controller may settle before the deadline; whoever is served until then stays until then."""
    world = legacy()
    main = world.edge("main")
    ann = main.join("ann")
    to = world.move("aws")
    done(world.store.settle("room", to.epoch))
    world.tick(MOVE.lease + 1.0)
    assert ann in main.channel.served
    world.tick(MOVE.drain)
    assert ann.told[-1] == "evicted to aws"


def test_who_overstays_is_looked_after() -> None:
    """A tick is due as long as somebody's membership will end, and no longer."""
    world = legacy()
    main = world.edge("main")
    ann = main.join("ann")
    world.move("aws")
    assert main.channel.needs_tick
    main.channel.leave(ann)
    assert not main.channel.needs_tick
    bob = main.join("bob")
    assert main.channel.needs_tick
    world.tick(MOVE.drain)
    assert bob.told[-1] == "evicted to aws"
    world.tick()
    assert not main.channel.needs_tick


def test_bridge_needs_no_tick_for_its_members(world: World, main: Edge) -> None:
    main.join("ann")
    world.move("aws")
    world.tick()
    assert not main.channel.needs_tick


def test_nobody_is_evicted_before_the_commit() -> None:
    """Where to go is not in the store yet (rule C5)."""
    world = legacy()
    main = world.edge("main")
    ann = main.join("ann")
    main.failing.add("commit")
    world.move("aws")
    world.tick(MOVE.drain)
    world.tick()
    assert ann in main.channel.served
    main.failing.clear()
    world.tick()
    assert ann.events[1] == "redirected to aws-2"
    assert ann in main.channel.served, "the store's deadline counts from the commit"
    world.tick(MOVE.drain)
    assert ann.told[-1] == "evicted to aws"


def test_join_at_the_old_side_before_the_commit() -> None:
    """The drain begins with the commit: until then it cannot be over."""
    world = legacy()
    main = world.edge("main")
    main.join("ann")
    main.held.add("commit")
    to = world.move("aws")
    bob = main.join("bob")
    assert bob.told == [f"joined away at 2-{to.at}"]
    main.release("commit")
    assert bob.told[1:] == ["redirected to aws-2"]
    assert main.channel.drains == {"main": world.clock.now() + MOVE.drain}


def test_drains_of_a_switch_that_the_store_knew_first() -> None:
    """Others committed it before it was met in the log."""
    world = legacy()
    main = world.edge("main")
    main.join("ann")
    main.held.update({"commit", "ask"})
    middle = world.move("aws")
    world.commit(middle)
    main.deaf = True
    last = world.open("event")
    world.seal(last)
    world.clock.advance(1.0)
    world.commit(last)
    main.release("commit")
    assert main.channel.segment == middle
    world.clock.advance(1.0)
    main.release("ask")
    assert main.channel.segment == last
    assert main.channel.drains == {"aws": 1001.0 + MOVE.drain, "main": 1000.0 + MOVE.drain}


def test_nobody_is_evicted_to_where_the_channel_was() -> None:
    """A drain ends while the next switch is not in the store: who overstays is sent there after the commit."""
    world = legacy()
    main = world.edge("main")
    ann = main.join("ann")
    world.move("aws")
    main.held.add("commit")
    world.move("event")
    world.tick(MOVE.drain)
    assert ann in main.channel.served
    main.release("commit")
    world.tick(MOVE.lease)
    assert ann.events[1:] == ["redirected to aws-2", "redirected to event-3", "evicted to event"]


def test_rejoin_after_the_drain() -> None:
    """A member that asks again where it may not be is out, and is told so; it gets no more lines."""
    world = legacy()
    main, aws = world.edge("main"), world.edge("aws")
    ann, cat = main.join("ann"), aws.join("cat", "")
    world.move("aws")
    world.clock.advance(MOVE.drain)
    main.rejoin(ann)
    main.tick()
    assert ann.events[2:] == ["redirected to aws-2", "parted"]
    assert main.channel.members == {}
    aws.say(cat, "c1")
    assert ann.lines == ""


# early joiners who are not to be served any more (rule C12) -------------------------------------


def arrived(world: World, cluster: str) -> list[tuple[str, ...]]:
    """The accounts of the records that serve early joiners, in order."""
    entries = done(world.logs[cluster].read("room", 0)).entries
    return [entry.record.accounts for entry in entries if isinstance(entry.record, Arrive)]


def hold_arrivals(world: World, aws: Edge) -> None:
    """Have the channel come to aws, with the append that serves its early joiners refused at first."""
    aws.failing.add("append")
    world.move("aws")
    assert aws.calls.count("append") == 1
    aws.failing.clear()


def test_early_joiners_are_told_once(world: World, aws: Edge) -> None:
    cat, fan = aws.join("cat"), aws.join("fan", "")
    world.move("aws")
    world.move("main")
    world.move("aws")
    assert aws.welcomed == [fan, cat]


def test_early_joiner_who_leaves_before_it_is_served(world: World, main: Edge, aws: Edge) -> None:
    """Its other connection, on the old side, is not sent away for nothing."""
    old, new, dora = main.join("cat1", "cat"), aws.join("cat2", "cat"), aws.join("dora")
    hold_arrivals(world, aws)
    aws.channel.leave(new)
    aws.tick(LOG.append_timeout)
    assert arrived(world, "aws") == [("dora",)]
    assert aws.channel.served == aws.welcomed == [dora]
    assert "parted" not in old.events


def test_all_early_joiners_leave_before_they_are_served(world: World, main: Edge, aws: Edge) -> None:
    """Then nothing is to be said."""
    old, new = main.join("cat1", "cat"), aws.join("cat2", "cat")
    hold_arrivals(world, aws)
    aws.channel.leave(new)
    aws.tick(LOG.append_timeout)
    assert (arrived(world, "aws"), aws.calls.count("append")) == ([], 1)
    assert aws.channel.idle
    assert "parted" not in old.events
    bob = aws.join("bob")
    aws.say(bob, "b1")
    assert aws.said == ["ack b1 2"]


def test_one_of_two_connections_leaves_before_it_is_served(world: World, aws: Edge) -> None:
    """The account waits here still."""
    one, two = aws.join("cat1", "cat"), aws.join("cat2", "cat")
    hold_arrivals(world, aws)
    aws.channel.leave(one)
    aws.tick(LOG.append_timeout)
    assert arrived(world, "aws") == [("cat",)]
    assert aws.channel.served == [two]


# resuming (rule F3) -----------------------------------------------------------------------------


def test_resume(world: World, main: Edge) -> None:
    """What came after the position, once, then what follows; own lines are not shown."""
    main.join("ann")
    first = world.write("x")
    world.write("y")
    bob = main.join("bob", after=Position(1, first))
    world.write("z")
    assert bob.told == [f"joined home at 1-{first} missing=0", "line y", "line z"]


def test_resume_at_the_end(world: World, main: Edge) -> None:
    main.join("ann")
    last = world.write("x")
    assert main.join("bob", after=Position(1, last)).told == [f"joined home at 1-{last} missing=0"]


def test_resume_of_a_member(world: World, main: Edge) -> None:
    """Some libraries send JOIN twice: it is answered, and shown nothing twice."""
    main.join("ann")
    first = world.write("x")
    world.write("y")
    bob = main.join("bob", after=Position(1, first))
    main.rejoin(bob, after=Position(1, first))
    main.rejoin(bob, after=Position(1, 0))
    world.write("z")
    assert bob.lines == "y z"
    assert bob.events == [f"joined home at 1-{first} missing=0", *["joined home at 1-2"] * 2]
    assert "backfill" not in main.calls


def test_resume_from_before_the_history(world: World, main: Edge, aws: Edge) -> None:
    """The edge began with the newest segment: the older ones are read again, along the chain."""
    first = world.write("x")
    world.write("y")
    to = world.open("aws")
    world.seal(to)
    world.commit(to)
    aws.join("ann")
    world.write("z", "aws", 2)
    bob = aws.join("bob", after=Position(1, first))
    world.write("!", "aws", 2)
    assert bob.told == [f"joined home at 1-{first} missing=0", "line y", "line z", "line !"]
    again = aws.calls.count("backfill")
    aws.join("cat", after=Position(1, first))
    assert aws.calls.count("backfill") == again, "it is kept"


def test_resume_as_the_first_member(world: World, aws: Edge) -> None:
    first = world.write("x")
    world.write("y")
    to = world.open("aws")
    world.seal(to)
    world.commit(to)
    world.write("z", "aws", 2)
    bob = aws.join("bob", after=Position(1, first))
    assert bob.told == [f"joined home at 1-{first} missing=0", "line y", "line z"]


def test_lines_that_come_while_older_ones_are_read(world: World, main: Edge, aws: Edge) -> None:
    """Nothing twice and nothing out of order."""
    first = world.write("x")
    world.write("y")
    to = world.open("aws")
    world.seal(to)
    world.commit(to)
    aws.join("ann")
    aws.held.add("backfill")
    bob = aws.join("bob", after=Position(1, first))
    assert bob.told == []
    world.write("z", "aws", 2)
    aws.release("backfill")
    world.write("!", "aws", 2)
    assert bob.lines == "y z !"


def test_resume_from_what_has_expired(world: World, main: Edge) -> None:
    """What is left is shown, with a word that something is missing."""
    first = world.write("x")
    world.write("y")
    world.expire()
    world.write("z")
    bob = main.join("bob", after=Position(1, first))
    [joined, line] = bob.told
    assert joined.startswith("joined home at 1-")
    assert (joined.endswith("missing=-1"), line) == (True, "line z")


def test_resume_from_a_dead_log(world: World, main: Edge) -> None:
    """The position is of a log that is gone: a gap, and then what there is."""
    first = world.write("x")
    world.recreate("main")
    done(world.store.reopen({"main": "main/2"}))
    world.write("y", epoch=3)
    bob = main.join("bob", after=Position(1, first))
    assert bob.told == ["joined home at 3-0 missing=-1", "line y"]


def test_resume_while_the_older_log_is_away(world: World, main: Edge, aws: Edge) -> None:
    """It waits as long as a message may wait for its log; others come in meanwhile."""
    first = world.write("x")
    to = world.open("aws")
    world.seal(to)
    world.commit(to)
    aws.join("ann")
    world.write("z", "aws", 2)
    aws.failing.add("backfill")
    bob = aws.join("bob", after=Position(1, first))
    aws.tick(5.0)
    assert bob.told == []
    assert aws.join("cleo").told == [f"joined home at 2-{to.at + 1}"]
    aws.failing.clear()
    aws.tick(5.0)
    assert bob.told == [f"joined home at 1-{first} missing=0", "line z"]


def test_resume_while_the_older_log_is_away_for_too_long(world: World, main: Edge, aws: Edge) -> None:
    """It is told that something is missing rather than kept waiting for ever."""
    first = world.write("x")
    to = world.open("aws")
    world.seal(to)
    world.commit(to)
    aws.join("ann")
    world.write("z", "aws", 2)
    aws.failing.add("backfill")
    bob = aws.join("bob", after=Position(1, first))
    for _ in range(9):
        aws.tick(5.0)
    assert bob.told == []
    aws.tick(5.0)
    assert bob.told == [f"joined home at 2-{to.at} missing=-1", "line z"]


def test_resume_from_ahead(world: World, main: Edge) -> None:
    """The client knows of a switch that this edge has not met: it waits until it has (rule F2)."""
    main.join("ann")
    main.deaf = True
    to = world.open("aws")
    world.seal(to)
    bob = main.join("bob", after=Position(2, to.at))
    assert bob.told == []
    world.commit(to)
    for _ in range(3):
        main.tick(5.0)
    assert bob.told == [f"joined away at 2-{to.at} missing=0", "redirected to aws-2"]


def test_resume_from_ahead_within_a_segment(world: World, main: Edge) -> None:
    """The client came from an edge that has read further: what it has seen there is not shown again."""
    main.join("ann")
    main.deaf = True
    seen = world.write("x")
    bob = main.join("bob", after=Position(1, seen))
    main.deaf = False
    world.write("y")
    assert bob.lines == "y"


@pytest.mark.parametrize("how", ["compared", "read"])
def test_resume_from_where_nothing_is(world: World, main: Edge, how: str) -> None:
    """It waits until the log was asked since, and says that there is nothing: then the position was made up."""
    first = world.write("x")
    main.join("ann")
    bob = main.join("bob", after=Position(1, first + 7))
    for _ in range(4):
        main.tick(10.0)
    assert bob.told == []
    segment = main.channel.segment
    assert segment
    if how == "compared":
        main.channel.compared(segment, first, world.clock.now())
    else:
        main.channel.suspect(segment)
        world.run()
    assert bob.told == [f"joined home at 1-{first} missing=-1"]


def test_resume_at_an_early_cluster(world: World, main: Edge, aws: Edge) -> None:
    """Early is early: nothing is shown before the channel is there."""
    first = world.write("x")
    world.write("y")
    bob = aws.join("bob", after=Position(1, first))
    assert [event.split(" at ")[0] for event in bob.told] == ["joined away silent", "redirected to main-1"]


def test_history_is_bounded() -> None:
    """Beyond `recent` lines it is read again if it can be, and kept bounded."""
    world = World(edge=replace(EDGE, recent=3))
    world.claim()
    main = world.edge()
    main.join("ann")
    for number in range(6):
        world.write(str(number))
    assert [shown.message.id for shown in main.channel.recent] == ["3", "4", "5"]
    assert main.join("bob", after=Position(1, 3)).lines == "3 4 5"
    assert main.join("cat", after=Position(1, 1)).lines == "1 2 3 4 5"
    assert len(main.channel.recent) == 6, "the whole segment was read"
    world.write("6")
    assert [shown.message.id for shown in main.channel.recent] == ["4", "5", "6"]
