"""The follower: FOLLOW-1 to FOLLOW-6, move by move and under every order of events."""

from __future__ import annotations

import random
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from godwit.tmi import follow
from godwit.tmi.client_events import ChannelMessage, Gap, RoomState, ServerChanged
from godwit.tmi.follow import (
    _NEXT,
    REMEMBERED,
    Cancel,
    Follower,
    FollowState,
    Join,
    LookUp,
    Missing,
    Part,
    RetryLater,
    Show,
    Side,
)
from godwit.values import Addresses, Position
from tests.tmi.follow_world import World

A, B, C = Side("main"), Side("aws"), Side("event")
AWS = Addresses(tcp=("h:1",))


def room(
    cluster: str, epoch: int, position: str | None, *, home: bool = True, joined: bool = True, channel: str = "a"
) -> RoomState:
    place = Position.parse(position) if position else None
    return RoomState(channel, joined, {}, place, cluster, epoch, home)


def line(position: str) -> ChannelMessage:
    return ChannelMessage("a", position, "foo", "hi", False, {}, Position.parse(position))


def change(cluster: str, epoch: int) -> ServerChanged:
    return ServerChanged("a", cluster, epoch, AWS)


@pytest.fixture
def follower() -> Follower:
    """One that shows `main`, epoch 1, and has seen 1-10."""
    made = Follower("main")
    assert made.start() == [Join("main", None)]
    assert made.answered(A, room("main", 1, "1-10")) == []
    assert made.state is FollowState.SHOWING
    return made


def test_lines_are_shown_once_and_in_order(follower: Follower) -> None:
    """FOLLOW-1."""
    assert follower.line(A, line("1-11")) == [Show(line("1-11"))]
    assert follower.line(A, line("1-11")) == []
    assert follower.line(A, line("1-9")) == []
    assert follower.line(B, line("1-12")) == []
    assert follower.line(A, line("2-1")) == [Show(line("2-1"))]
    assert follower.seen == Position(2, 1)


def test_line_that_comes_again_behind_a_forced_move(follower: Follower) -> None:
    """FOLLOW-1: its id is known, so only its place counts."""
    again = ChannelMessage("a", "1-11", "foo", "hi", False, {}, Position(3, 5))
    assert follower.line(A, line("1-11")) == [Show(line("1-11"))]
    assert follower.line(A, again) == []
    assert follower.seen == Position(3, 5)
    for number in range(REMEMBERED):
        assert follower.line(A, line(f"3-{number + 6}")) != []
    last = ChannelMessage("a", f"3-{REMEMBERED + 5}", "foo", "hi", False, {}, Position(4, 1))
    assert follower.line(A, last) == []


def test_line_without_position_is_shown(follower: Follower) -> None:
    """FOLLOW-1: a server that gives none is not followed, but it is heard."""
    bare = ChannelMessage("a", "", "foo", "hi", False, {}, None)
    assert follower.line(A, bare) == [Show(bare)]
    assert follower.line(B, bare) == []
    assert follower.seen == Position(1, 10)


def test_move(follower: Follower) -> None:
    """FOLLOW-2: the old side is shown until the new one answers."""
    follower.line(A, line("1-11"))
    assert follower.changed(A, change("aws", 2)) == [Join("aws", Position(1, 11), AWS)]
    assert follower.state is FollowState.FOLLOWING
    assert follower.line(A, line("1-12")) == [Show(line("1-12"))]
    assert follower.line(A, line("2-6")) == [Show(line("2-6"))]
    assert follower.line(B, line("2-6")) == []
    assert follower.answered(B, room("aws", 2, "1-11")) == [Part(A)]
    assert (follower.state, follower.side, follower.home, follower.epoch) == (FollowState.SHOWING, B, "aws", 2)
    assert follower.line(B, line("1-12")) == []
    assert follower.line(A, line("2-7")) == []
    assert follower.line(B, line("2-6")) == []
    assert follower.line(B, line("2-7")) == [Show(line("2-7"))]


@pytest.mark.parametrize("epoch", [1, 0])
def test_old_hint_is_ignored(follower: Follower, epoch: int) -> None:
    """FOLLOW-3."""
    follower.changed(A, change("aws", 2))
    follower.answered(B, room("aws", 2, "1-10"))
    assert follower.changed(A, change("main", epoch)) == []
    assert follower.changed(B, change("event", 2)) == []
    assert follower.side == B


def test_hint_without_a_place(follower: Follower) -> None:
    """FOLLOW-3."""
    assert follower.changed(A, ServerChanged("a")) == [LookUp()]
    assert follower.located("main", 1) == []
    assert follower.located("aws", 2, AWS) == [Join("aws", Position(1, 10), AWS)]


def test_hint_without_an_epoch(follower: Follower) -> None:
    """FOLLOW-3: believed if it names another place, from a side that counts."""
    assert follower.changed(A, ServerChanged("a", "main")) == []
    assert follower.changed(C, ServerChanged("a", "aws")) == []
    assert follower.changed(A, ServerChanged("a", "aws")) == [Join("aws", Position(1, 10))]
    assert follower.answered(B, room("aws", 2, "1-10")) == [Part(A)]


def test_there_and_back_before_the_answer(follower: Follower) -> None:
    """FOLLOW-3: back where it is shown, the other JOIN is taken back and its late answer ignored."""
    follower.changed(A, change("aws", 2))
    assert follower.changed(A, change("main", 3)) == [Cancel("aws", A)]
    assert (follower.state, follower.side, follower.epoch) == (FollowState.SHOWING, A, 3)
    assert follower.answered(B, room("aws", 2, "1-10")) == []
    assert follower.line(A, line("3-5")) == [Show(line("3-5"))]


def test_on_and_on_before_the_answer(follower: Follower) -> None:
    """FOLLOW-3."""
    follower.changed(A, change("aws", 2))
    assert follower.changed(B, change("event", 3)) == [Join("event", Position(1, 10), AWS), Cancel("aws", A)]
    assert follower.answered(B, room("aws", 3, "1-10")) == []
    assert follower.answered(C, room("event", 3, "1-10")) == [Part(A)]


def test_there_and_back_after_the_answer(follower: Follower) -> None:
    """FOLLOW-2: what the left side still says does not disturb the way back to it."""
    follower.changed(A, change("aws", 2))
    follower.answered(B, room("aws", 2, "1-10"))
    assert follower.changed(B, change("main", 3)) == [Join("main", Position(1, 10), AWS)]
    assert follower.line(A, line("1-11")) == []
    assert follower.parted(A) == []
    assert follower.line(B, line("1-11")) == [Show(line("1-11"))]
    assert follower.answered(A, room("main", 3, "1-10")) == [Part(B)]
    assert follower.line(A, line("1-11")) == []
    assert follower.line(A, line("3-4")) == [Show(line("3-4"))]


@pytest.mark.parametrize(
    "answer",
    [
        room("aws", 1, "1-10", home=False),
        room("aws", 1, "1-10"),
        room("aws", 2, None, home=False),
        room("aws", 2, None),
        room("aws", 3, "1-10", home=False),
    ],
)
def test_answer_that_is_too_old_or_promises_nothing(follower: Follower, answer: RoomState) -> None:
    """FOLLOW-2, FOLLOW-4, JOIN-6: the old side goes on, the new one is asked again later."""
    follower.changed(A, change("aws", 2))
    assert follower.answered(B, answer) == [RetryLater()]
    assert follower.state is FollowState.POSTPONED
    assert follower.line(A, line("1-11")) == [Show(line("1-11"))]
    assert follower.retry() == [Join("aws", Position(1, 11), AWS)]
    assert follower.answered(B, room("aws", 2, "1-11")) == [Part(A)]


def test_change_of_settings_is_no_answer(follower: Follower) -> None:
    """FOLLOW-2, STATE-3."""
    follower.changed(A, change("aws", 2))
    assert follower.answered(B, room("aws", 2, "1-10", joined=False)) == []
    assert follower.state is FollowState.FOLLOWING


def test_failed_move(follower: Follower) -> None:
    """FOLLOW-4."""
    follower.changed(A, change("aws", 2))
    assert follower.failed("event") == []
    assert follower.failed("aws") == [RetryLater()]
    assert follower.failed("aws") == []
    assert follower.retry() == [Join("aws", Position(1, 10), AWS)]
    assert follower.lost(B) == [RetryLater()]
    assert follower.line(A, line("1-11")) == [Show(line("1-11"))]
    assert follower.answered(B, room("aws", 2, "1-10")) == [Part(A)]
    assert follower.retry() == []


def test_refused_with_a_further_hint(follower: Follower) -> None:
    """FOLLOW-3, FOLLOW-4: a newer one is followed; one that is not newer waits for patience to end."""
    follower.changed(A, change("aws", 2))
    assert follower.changed(B, change("main", 1)) == []
    assert follower.failed("aws") == [RetryLater()]
    assert follower.changed(B, change("event", 3)) == [Join("event", Position(1, 10), AWS), Cancel("aws", A)]
    assert follower.state is FollowState.FOLLOWING


def test_lost_connection(follower: Follower) -> None:
    """FOLLOW-5."""
    follower.line(A, line("1-11"))
    again = Side("main", 1)
    assert follower.lost(A) == [Join("main", Position(1, 11))]
    assert follower.state is FollowState.ASKING
    assert follower.line(again, line("1-12")) == []
    assert follower.answered(again, room("main", 1, "1-11")) == []
    assert follower.line(again, line("1-12")) == [Show(line("1-12"))]
    assert follower.line(A, line("1-13")) == []


def test_lost_while_following(follower: Follower) -> None:
    """FOLLOW-5: the JOIN that is out will do."""
    follower.changed(A, change("aws", 2))
    assert follower.lost(A) == []
    assert follower.state is FollowState.ASKING
    assert follower.answered(B, room("aws", 2, "1-10")) == []
    assert follower.side == B


def test_put_out_after_the_new_side_failed(follower: Follower) -> None:
    """FOLLOW-5."""
    follower.changed(A, change("aws", 2))
    follower.failed("aws")
    assert follower.parted(A) == [Join("aws", Position(1, 10), AWS)]
    assert follower.state is FollowState.ASKING


def test_places_are_tried_in_turn(follower: Follower) -> None:
    """FOLLOW-5: where it lives and where it was shown last; shown elsewhere, home is asked for again."""
    follower.changed(A, change("aws", 2))
    follower.lost(A)
    assert follower.failed("aws") == [RetryLater()]
    assert follower.state is FollowState.WAITING
    assert follower.retry() == [Join("main", Position(1, 10))]
    assert follower.failed("main") == [RetryLater()]
    assert follower.retry() == [Join("aws", Position(1, 10), AWS)]
    assert follower.failed("aws") == [RetryLater()]
    assert follower.retry() == [Join("main", Position(1, 10))]
    assert follower.answered(A, room("main", 2, "1-10", home=False)) == [RetryLater()]
    assert follower.changed(A, change("aws", 2)) == []
    assert (follower.state, follower.side, follower.home) == (FollowState.POSTPONED, A, "aws")
    assert follower.line(A, line("2-5")) == [Show(line("2-5"))]
    assert follower.retry() == [Join("aws", Position(2, 5), AWS)]
    assert follower.answered(B, room("aws", 2, "2-5")) == [Part(A)]


def test_first_join_elsewhere() -> None:
    """FOLLOW-5: bridged, it is shown until the way home is known and taken."""
    follower = Follower("main")
    follower.start()
    assert follower.answered(A, room("main", 2, "2-7", home=False)) == []
    assert follower.line(A, line("2-8")) == [Show(line("2-8"))]
    assert follower.changed(A, change("aws", 2)) == [Join("aws", Position(2, 8), AWS)]
    assert follower.answered(B, room("aws", 2, "2-8")) == [Part(A)]


def test_first_join_refused() -> None:
    """FOLLOW-3, FOLLOW-4: SERVERCHANGE alone."""
    follower = Follower("main")
    follower.start()
    assert follower.changed(A, change("aws", 2)) == [Join("aws", None, AWS), Cancel("main", None)]
    assert follower.answered(B, room("aws", 2, "2-8")) == []
    assert follower.seen == Position(2, 8)


def test_late_answer_to_a_join_that_did_not_resume() -> None:
    """FOLLOW-2: it begins behind what was missed meanwhile, so it doesn't count; the one asked for does."""
    follower = Follower("main")
    follower.start()
    follower.failed("main")
    assert follower.retry() == [Join("main", None)]
    follower.answered(A, room("main", 1, "1-5"))
    assert follower.parted(A) == [Join("main", Position(1, 5))]
    assert follower.answered(A, room("main", 1, "1-6")) == [RetryLater()]
    assert follower.answered(A, room("main", 1, "1-5")) == []
    assert follower.line(A, line("1-6")) == [Show(line("1-6"))]


def test_early_join_is_not_shown() -> None:
    """FOLLOW-2, JOIN-7: where nothing is promised nothing counts."""
    follower = Follower("aws")
    follower.start()
    assert follower.answered(B, room("aws", 1, None, home=False)) == [RetryLater()]
    assert follower.changed(B, change("main", 1)) == [Join("main", None, AWS), Cancel("aws", None)]


def test_reconnect(follower: Follower) -> None:
    """FOLLOW-4, RC-1: a new connection to the same cluster, make-before-break."""
    again = Side("main", 1)
    assert follower.reconnect(A) == [Join("main", Position(1, 10))]
    assert follower.reconnect(A) == []
    assert follower.line(A, line("1-11")) == [Show(line("1-11"))]
    assert follower.answered(A, room("main", 1, "1-10")) == []
    assert follower.answered(again, room("main", 1, "1-10")) == [Part(A)]
    assert follower.line(again, line("1-11")) == []
    assert follower.line(again, line("1-12")) == [Show(line("1-12"))]


def test_resume_of_an_earlier_session() -> None:
    """FOLLOW-5, JOIN-5; a gap moves what was seen, so that it is told once."""
    follower = Follower("main", Position(1, 4))
    assert follower.start() == [Join("main", Position(1, 4))]
    follower.answered(A, room("main", 1, "1-9"))
    assert follower.seen == Position(1, 9)
    gap = Gap("a", None, "some are missing")
    assert follower.gap(A, gap) == [Missing(gap)]
    assert follower.gap(B, gap) == []


def test_leaving(follower: Follower) -> None:
    """FOLLOW-2: nothing is shown afterwards, and starting again resumes."""
    follower.changed(A, change("aws", 2))
    assert follower.leave() == [Part(A), Cancel("aws", A)]
    assert follower.leave() == []
    assert follower.line(A, line("1-11")) == []
    assert follower.answered(B, room("aws", 2, "1-10")) == []
    assert follower.changed(A, change("main", 3)) == []
    assert follower.start() == [Join("aws", Position(1, 10), AWS)]
    assert follower.start() == []


def test_every_state_can_be_left_and_reached() -> None:
    reached = {state for (_, _), state in _NEXT.items()}
    assert reached == set(FollowState) == {state for state, _ in _NEXT}


# every order of events ----------------------------------------------------------------------------


def play(world: World, choices: list[int]) -> None:
    for choice in choices:
        steps = world.choices()
        steps[choice % len(steps)]()
        positions = [message.position for message in world.shown]
        assert positions == sorted(set(positions)), "shown twice or out of order"  # type: ignore[type-var]
    world.settle()


@settings(max_examples=400)
@given(
    st.lists(st.integers(0, 10_000), max_size=30) | st.lists(st.integers(0, 10_000), min_size=60, max_size=120),
    st.integers(2, 3),
    st.booleans(),
    st.sampled_from(["tags", "tags", "parameter", "none"]),
)
def test_nothing_is_lost_repeated_or_reordered(choices: list[int], clusters: int, bridge: bool, hints: str) -> None:
    """FOLLOW-1 to FOLLOW-5, whatever is delayed, lost, refused or moved on."""
    world = World(["main", "aws", "event"][:clusters], bridge=bridge, hints=hints)
    play(world, choices)
    assert world.shown == world.expected()
    assert world.follower.side is not None
    if hints == "tags":
        assert world.follower.side.cluster == world.place().cluster


class Noted(Follower):
    """A follower that notes which rows of the table it uses."""

    used: ClassVar[set[tuple[FollowState, follow._Step]]] = set()

    def _take(self, step: follow._Step) -> bool:
        if (self.state, step) in _NEXT:
            self.used.add((self.state, step))
        return super()._take(step)


def test_schedules_visit_every_row_of_the_table() -> None:
    """The test above is worth what its schedules reach: all rows but those of leaving."""
    for seed in range(300):
        source = random.Random(seed)
        world = World(["main", "aws", "event"], bridge=seed % 2 == 0, make=Noted)
        play(world, [source.randrange(10_000) for _ in range(100)])
        assert world.shown == world.expected()
    assert {row for row in _NEXT if row[1] is not follow._Step.LEFT} <= Noted.used
