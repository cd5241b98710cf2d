"""Where a rollout stands and what may happen next."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from godwit.rollout import progress
from godwit.rollout.values import (
    Budget,
    Candidate,
    Definition,
    Facts,
    Hold,
    Item,
    Rollout,
    RolloutState,
    Tally,
    Wave,
    WaveProgress,
    WaveState,
)
from godwit.rollout.verbs import ALL, ARROWS
from godwit.values import Move, Placement, Segment

NOW = 10_000.0
DEFINITION = Definition(
    "autumn", "aws", (Wave("staff"), Wave("all", rest=True)), offline_for=600.0, starts_within=900.0
)
HERE = Placement("a", Segment("main", 1, 0, "main/1"))
ITEM = Item("r", "a", 0, "main")
FREE = Candidate(HERE, Facts("a"))


def rollout(state: RolloutState = "running", *waves: WaveState, **changes: Any) -> Rollout:
    made = tuple(WaveProgress(one) for one in waves or ("moving", "pending"))
    return Rollout(
        "r", msgspec.structs.replace(DEFINITION, **changes.pop("definition", {})), "", state, made, Budget(), **changes
    )


def but(one: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(one, **changes)


# why a channel does not move --------------------------------------------------------------------


def test_may_move() -> None:
    assert progress.obstacle(rollout(), ITEM, FREE, now=NOW) == ""


@pytest.mark.parametrize(
    ("given", "item", "candidate", "says"),
    [
        ({}, {"state": "skipped"}, {}, "skipped"),
        ({}, {"state": "failed", "error": "odd"}, {}, "failed: odd"),
        ({}, {"state": "done"}, {}, "done"),
        ({}, {"state": "moving", "move": "m"}, {}, "move m is under way"),
        ({"state": "paused", "why": "a gate"}, {}, {}, "the rollout is paused: a gate"),
        ({"state": "aborted"}, {}, {}, "the rollout is aborted"),
        ({"state": "reversing"}, {}, {}, "the rollout is reversing"),
        ({}, {"wave": 1}, {}, "its wave 'all' has not begun"),
        (
            {"waves": (WaveProgress("checking"), WaveProgress())},
            {},
            {},
            "the gates of its wave 'staff' have not passed",
        ),
        ({}, {}, {"hold": Hold("a", "olga", "a party", 0.0)}, "held by olga: a party"),
        ({}, {}, {"live": True}, "live: it waits for its stream to end"),
        ({}, {}, {"live_since": NOW - 5}, "its stream ended 5 s ago, it waits for 600 s"),
        ({}, {}, {"facts": Facts("a", starts_at=NOW + 60)}, "its stream is planned to start in 60 s"),
        ({}, {}, {"facts": Facts("a", starts_at=NOW)}, "its stream is planned to start in 0 s"),
    ],
)
def test_obstacle(given: dict[str, Any], item: dict[str, Any], candidate: dict[str, Any], says: str) -> None:
    """One reason, in one line."""
    assert progress.obstacle(but(rollout(), **given), but(ITEM, **item), but(FREE, **candidate), now=NOW) == says


@pytest.mark.parametrize(
    "candidate",
    [{"live_since": NOW - 600}, {"facts": Facts("a", starts_at=NOW + 900)}, {"facts": Facts("a", starts_at=NOW - 1)}],
)
def test_no_obstacle_any_more(candidate: dict[str, Any]) -> None:
    """To the second."""
    assert progress.obstacle(rollout(), ITEM, but(FREE, **candidate), now=NOW) == ""


@pytest.mark.parametrize(
    ("item", "given"),
    [(but(ITEM, force=True), {}), (ITEM, {"definition": but(DEFINITION, evacuate=True, sources=("main",))})],
)
def test_by_force(item: Item, given: dict[str, Any]) -> None:
    """Live ones go too; held ones do not."""
    forced = but(rollout(), **given)
    live = but(FREE, live=True, facts=Facts("a", starts_at=NOW))
    assert progress.obstacle(forced, item, live, now=NOW) == ""
    assert "held by" in progress.obstacle(forced, item, but(live, hold=Hold("a", "olga", "x", 0.0)), now=NOW)


def test_first_reason_that_holds() -> None:
    busy = but(FREE, live=True, hold=Hold("a", "olga", "a party", 0.0))
    assert progress.obstacle(rollout("paused"), but(ITEM, state="done"), busy, now=NOW) == "done"
    assert progress.obstacle(rollout("paused"), ITEM, busy, now=NOW) == "the rollout is paused"
    assert progress.obstacle(rollout(), ITEM, busy, now=NOW) == "held by olga: a party"


@pytest.mark.parametrize(
    ("state", "waves", "wave", "begun"),
    [
        ("running", ("pending", "pending"), 0, -1),
        ("running", ("checking", "pending"), 0, -1),
        ("running", ("moving", "pending"), 0, 0),
        ("running", ("soaking", "pending"), 0, 0),
        ("running", ("done", "checking"), 1, 0),
        ("running", ("done", "moving"), 1, 1),
        ("running", ("done", "done"), 1, 1),
        ("reversing", ("checking", "pending"), 0, 1),
    ],
)
def test_begun(state: RolloutState, waves: tuple[WaveState, ...], wave: int, begun: int) -> None:
    """What goes back need not wait for waves."""
    assert progress.begun(rollout(state, *waves, wave=wave)) == begun


def test_goals() -> None:
    worked_for = {state: progress.goals(rollout(state)) for state in ALL}
    assert worked_for.pop("running") == ("there", "back")
    assert worked_for.pop("reversing") == ("back",)
    assert set(worked_for.values()) == {()}


# where to, from where, and when -----------------------------------------------------------------


def test_destination_and_sources() -> None:
    assert progress.destination(ITEM, DEFINITION) == "aws"
    assert progress.destination(but(ITEM, goal="back", origin="event"), DEFINITION) == "event"
    assert progress.sources(DEFINITION, ["main", "aws", "event"]) == ["main", "event"]
    assert progress.sources(but(DEFINITION, sources=("main",)), ["main", "aws", "event"]) == ["main"]


def test_notice_due() -> None:
    """Cold ones need none, and those that were told wait from then on."""
    told = but(DEFINITION, notice="soon", notice_before=30.0)
    assert progress.notice_due(DEFINITION, ITEM, now=NOW) == NOW
    assert progress.notice_due(told, but(ITEM, cold=True), now=NOW) == NOW
    assert progress.notice_due(told, ITEM, now=NOW) is None
    assert progress.notice_due(told, but(ITEM, noticed=NOW - 10), now=NOW) == NOW + 20


def test_move_of() -> None:
    """The same id for the same try; only the way there of an evacuation gives up lines."""
    move = progress.move_of(rollout(by="olga"), but(ITEM, tries=2), FREE, cold=True, now=NOW)
    assert move == Move(
        "r.a.3", "a", "aws", "wished", by="olga", reason="rollout autumn, wave staff",
        history=(("wished", NOW),), rollout="r", cold=True,
    )  # fmt: skip
    forced = progress.move_of(rollout(reason="fire"), but(ITEM, goal="back", force=True), FREE, cold=False, now=NOW)
    assert (forced.target, forced.forced, forced.evacuate, forced.reason) == ("main", True, False, "fire")
    evacuation = rollout(definition={"evacuate": True, "sources": ("main",)}, reason="fire")
    there = progress.move_of(evacuation, ITEM, FREE, cold=False, now=NOW)
    back = progress.move_of(evacuation, but(ITEM, goal="back"), FREE, cold=False, now=NOW)
    assert [(move.forced, move.evacuate) for move in (there, back)] == [(True, True), (True, False)]


# what comes of it -------------------------------------------------------------------------------


def arrive(item: Item, cluster: str, error: str = "") -> Item:
    place = but(HERE, segment=Segment(cluster, 2, 0, "x"))
    return progress.arrive(rollout(), item, Move("m", "a", "aws", "cancelled", error=error), place, now=NOW)


def test_arrive() -> None:
    """Where the channel is decides, not how the move ended."""
    moving = but(ITEM, state="moving", tries=1, noticed=5.0, error="before")
    assert arrive(moving, "aws", "another move came first") == but(moving, state="done", error="", since=NOW)
    again = but(moving, state="waiting", error="it went live", fails=1, noticed=0.0, since=NOW)
    assert arrive(moving, "main", "it went live") == again
    assert arrive(moving, "event").error == "it was brought elsewhere since"


def test_arrive_with_another_goal() -> None:
    """It was turned back while it moved."""
    turned = but(ITEM, state="moving", goal="back")
    assert arrive(turned, "aws").state == "waiting"
    assert arrive(turned, "main").state == "done"


def test_given_up() -> None:
    """After so many in a row; what was done for another goal does not count."""
    tired = but(ITEM, state="moving", tries=77, fails=progress.MOST_FAILS - 1)
    assert arrive(but(tired, fails=progress.MOST_FAILS - 2), "main", "odd").state == "waiting"
    failed = arrive(tired, "main", "odd")
    assert (failed.state, failed.error) == ("failed", "given up after 20 tries: odd")


@pytest.mark.parametrize("before", ALL)
@pytest.mark.parametrize("after", ALL)
def test_turn(before: RolloutState, after: RolloutState) -> None:
    """By the table only, and noted with who and why."""
    if after not in ARROWS[before]:
        with pytest.raises(ValueError, match=f"that is {before} cannot become {after}"):
            progress.turn(rollout(before), after, by="olga", why="so", now=NOW)
        return
    turned = progress.turn(rollout(before), after, by="olga", why="so", now=NOW)
    assert (turned.state, turned.why, turned.history) == (after, "so", ((after, NOW, "olga", "so"),))


def test_was_reversing() -> None:
    """However often it was paused since."""
    one = progress.turn(rollout(), "reversing", by="olga", why="", now=NOW)
    for _ in range(2):
        one = progress.turn(one, "paused", by="olga", why="", now=NOW)
        assert progress.was_reversing(one)
        one = progress.turn(one, "reversing", by="olga", why="", now=NOW)
    assert not progress.was_reversing(progress.turn(rollout(), "paused", by="olga", why="", now=NOW))
    assert not progress.was_reversing(rollout())


def test_set_wave_and_rewind() -> None:
    one = rollout("running", "done", "moving", wave=1, default_back=True, default_before=FREE.placement.segment)
    soaking = progress.set_wave(one, "soaking", now=NOW)
    assert soaking.waves == (WaveProgress("done"), WaveProgress("soaking", NOW))
    approved = but(soaking, waves=(WaveProgress("done", 0.0, ("boss",)), soaking.waves[1]))
    again = progress.rewind(approved, now=NOW)
    assert (again.wave, again.waves) == (0, (WaveProgress("pending", NOW),) * 2)
    assert (again.default_before, again.default_back) == (None, False)


@pytest.mark.parametrize(
    ("found", "state"),
    [
        ([("back", "done")], "reversed"),
        ([], "reversed"),
        ([("back", "done"), ("there", "skipped")], "reversed"),
        ([("back", "done"), ("there", "done")], "finished"),
        ([("back", "failed"), ("there", "done")], "finished"),
        ([("back", "done"), ("there", "waiting")], "paused"),
        ([("there", "done"), ("there", "waiting")], "paused"),
        ([("back", "waiting"), ("there", "done")], None),
        ([("back", "moving")], None),
        ([("there", "moving"), ("back", "done")], None),
    ],
)
def test_after_reverse(found: list[tuple[Any, Any]], state: str | None) -> None:
    """Its end is told from what its channels are to be and are."""
    tallies = [Tally(0, goal, kind, 1) for goal, kind in found]
    assert progress.after_reverse(rollout("reversing"), tallies) == state
    aborted = rollout("reversing", history=(("aborted", NOW, "olga", ""), ("reversing", NOW, "olga", "")))
    assert progress.after_reverse(aborted, tallies) == ("aborted" if state == "paused" else state)


@pytest.mark.parametrize(("fails", "seconds"), [(0, 0.0), (1, 2.0), (5, 32.0), (9, 300.0), (400, 300.0)])
def test_pause_after(fails: int, seconds: float) -> None:
    """They double, up to five minutes; the reason tells the error and the rest."""
    assert progress.pause_after(fails) == seconds
    waiting = but(ITEM, fails=fails, error="odd", since=NOW)
    reason = progress.obstacle(rollout(), waiting, FREE, now=NOW + 1.0)
    expected = f"its last move was not done (odd), it is tried again in {seconds - 1.0:.0f} s"
    assert reason == (expected if fails else "")
    assert progress.obstacle(rollout(), waiting, FREE, now=NOW + seconds) == ""


def test_stale_notice() -> None:
    """A channel that moves long after it was announced is announced again."""
    told = but(ITEM, noticed=NOW)
    definition = but(DEFINITION, notice="soon", notice_before=30.0)
    assert progress.notice_due(definition, told, now=NOW + 10.0) == NOW + 30.0
    assert progress.notice_due(definition, told, now=NOW + 29.0 + progress.NOTICE_KEEPS) == NOW + 30.0
    assert progress.notice_due(definition, told, now=NOW + 31.0 + progress.NOTICE_KEEPS) is None


def test_counts() -> None:
    tallies = [
        Tally(0, "there", "done", 2),
        Tally(0, "back", "done", 3),
        Tally(0, "there", "moving", 1),
        Tally(1, "there", "done", 9),
    ]
    assert progress.counts(tallies, 0) == {"done": 5, "moving": 1}
    assert progress.counts(tallies, 2) == {}


def test_is_over() -> None:
    assert [state for state in ALL if progress.is_over(rollout(state))] == ["reversed", "aborted", "finished"]
