"""What a report counts, and what it keeps."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from godwit.rollout.outcome import Failure, Reporter, Spread, Straggler, spread
from godwit.rollout.report import Report, report
from godwit.rollout.values import Budget, Definition, Event, Issue, Item, Rollout, Sample, Wave, WaveProgress
from godwit.values import Move, MoveState, Segment

ROLLOUT = Rollout(
    "r1",
    Definition("to-aws", "aws", (Wave("staff"), Wave("all", rest=True)), sources=("main",)),
    "0123456789abcdef",
    "finished",
    (WaveProgress(), WaveProgress()),
    Budget(),
    by="eve",
    reason="retire main",
    created=1000.0,
    history=(("running", 1000.0, "eve", ""), ("finished", 5000.0, "controller", "all waves are done")),
)


def item(channel: str, wave: int = 0, state: str = "done", **fields: Any) -> Item:
    return Item("r1", channel, wave, "main", state=state, **fields)  # type: ignore[arg-type]


def move(
    channel: str, begun: float, committed: float, *, cold: bool = False, back: bool = False, unshown: int = 0
) -> Move:
    return Move(
        f"r1.{channel}.{begun}",
        channel,
        "main" if back else "aws",
        "settled",
        source=Segment("aws" if back else "main", 1, 0, "s"),
        history=(("wished", begun), ("sealed", committed - 1), ("draining", committed), ("settled", committed + 60)),
        rollout="r1",
        cold=cold,
        forced=unshown > 0,
        unshown=unshown,
    )


def ended(channel: str, state: MoveState, error: str = "") -> Move:
    return Move(f"r1.{channel}.x", channel, "aws", state, error=error, history=(("wished", 1.0),), rollout="r1")


def test_an_empty_rollout_has_a_report() -> None:
    made = report(ROLLOUT, [], [])
    assert made.total.channels == 0
    assert made.waves[0].hot == Spread()
    assert (made.moves, made.stragglers, made.failures) == ((), (), ())


def test_items_are_counted_by_wave() -> None:
    states = ["done", "done", "waiting", "moving", "skipped", "failed"]
    items = [item(f"c{number}", state=state) for number, state in enumerate(states)]
    made = report(ROLLOUT, [*items, item("back", 1, goal="back")], [])
    staff, rest = made.waves
    assert (staff.channels, staff.there, staff.waiting, staff.moving, staff.skipped, staff.failed) == (6, 2, 1, 1, 1, 1)
    assert (rest.channels, rest.there, rest.back) == (1, 0, 1)
    assert (made.total.channels, made.total.there, made.total.back) == (7, 2, 1)


@pytest.mark.parametrize("moves_first", [False, True])
def test_moves_are_timed_by_wave_and_kind(moves_first: bool) -> None:
    items = [item("ann"), item("bob"), item("cid", 1)]
    moves = [
        move("ann", 2000.0, 2003.0),
        move("bob", 2001.0, 2002.0, cold=True),
        move("cid", 3000.0, 3005.0),
        move("cid", 4000.0, 4001.0, back=True),
    ]
    reporter = Reporter(ROLLOUT)
    if moves_first:
        for one in moves:
            reporter.move(one)
    for other in items:
        reporter.item(other)
    if not moves_first:
        for one in moves:
            reporter.move(one)
    made = reporter.report()
    staff, rest = made.waves
    assert staff.hot == Spread(1, 3.0, 3.0, 3.0)
    assert staff.cold == Spread(1, 1.0, 1.0, 1.0)
    assert (staff.first, staff.last) == (2002.0, 2003.0)
    assert rest.hot == Spread(2, 1.0, 5.0, 5.0)
    assert (made.total.hot.count, made.total.first, made.total.last) == (3, 2002.0, 4001.0)
    assert [(one.channel, one.source, one.target, one.time) for one in made.moves] == [
        ("bob", "main", "aws", 2002.0),
        ("ann", "main", "aws", 2003.0),
        ("cid", "main", "aws", 3005.0),
        ("cid", "aws", "main", 4001.0),
    ]


def test_moves_of_others_are_passed_over() -> None:
    other = msgspec.structs.replace(move("ann", 1.0, 2.0), rollout="")
    assert report(ROLLOUT, [item("ann")], [other]).total.hot.count == 0


def test_percentiles() -> None:
    assert spread([]) == Spread()
    assert spread([5.0]) == Spread(1, 5.0, 5.0, 5.0)
    assert spread(map(float, range(1, 101))) == Spread(100, 50.0, 99.0, 100.0)
    assert spread(map(float, range(1, 1001))) == Spread(1000, 500.0, 990.0, 1000.0)


def test_who_followed_and_who_never_did() -> None:
    items = [
        item("ann", before=10, followed=8, stayed=("nightbot", "tom", "tom")),
        item("bob", before=5, followed=4, stayed=("nightbot",)),
        item("cid", 1, before=300, followed=100, stayed=tuple(f"u{number}" for number in range(100))),
        item("dee", 1, state="moving", before=50),
    ]
    made = report(ROLLOUT, items, [])
    assert (made.waves[0].before, made.waves[0].followed) == (15, 12)
    assert (made.total.before, made.total.followed) == (365, 112)
    assert made.stragglers[:3] == (Straggler("nightbot", 2), Straggler("tom", 1), Straggler("u0", 1))
    assert len(made.stragglers) == 102
    assert made.stayed_unnamed == 100


def test_what_went_wrong_is_listed() -> None:
    items = [
        item("ann", state="failed", error="given up after 20 tries"),
        item("bob", verified="the seal is missing"),
        item("cid", verified="ok (records before 3-1 have expired)"),
        item("dee", 1),
    ]
    moves = [
        ended("dee", "failed", "no cluster 'aws'"),
        ended("cid", "cancelled", "#cid went live"),
        ended("bob", "cancelled", "#cid went live"),
        ended("ann", "cancelled"),
        ended("ann", "wished"),
    ]
    made = report(ROLLOUT, items, moves)
    assert made.failures == (
        Failure("ann", "staff", "given up", "given up after 20 tries"),
        Failure("bob", "staff", "verification", "the seal is missing"),
        Failure("dee", "all", "move", "no cluster 'aws'"),
    )
    assert made.cancelled == {"#cid went live": 2, "no reason was kept": 1}


def test_unshown_lines_are_added_up_and_listed_first() -> None:
    moves = [*(move(f"c{number}", 1.0, 2.0) for number in range(5)), move("ann", 3.0, 9.0, cold=True, unshown=7)]
    reporter = Reporter(ROLLOUT, listed=2)
    for name in ("c0", "c1", "c2", "c3", "c4", "ann"):
        reporter.item(item(name))
    for one in moves:
        reporter.move(one)
    made = reporter.report()
    assert made.unshown == 7
    assert [(one.channel, one.unshown, one.forced) for one in made.moves] == [("c0", 0, False), ("ann", 7, True)]
    assert made.moves_unlisted == 4


def test_lists_are_bounded_and_the_rest_is_counted() -> None:
    reporter = Reporter(ROLLOUT, listed=3)
    for number in range(10):
        reporter.item(item(f"c{number}", state="failed", error="x", stayed=(f"u{number}",)))
        reporter.move(move(f"c{number}", 1.0, 2.0, cold=number != 9))
    made = reporter.report()
    assert (len(made.failures), made.failures_unlisted) == (3, 7)
    assert (len(made.stragglers), made.stragglers_unlisted) == (3, 7)
    assert (len(made.moves), made.moves_unlisted) == (3, 7)
    assert [one.channel for one in made.moves if not one.cold] == ["c9"]


def test_gates_and_issues_by_time() -> None:
    def said(time: float, verdict: str, **more: Any) -> Event:
        details = {"name": "to-aws", "gate": "p99", "wave": "staff", "verdict": verdict, "detail": "", **more}
        return Event("rollout.gate", time, rollout="r1", details=details)

    events = [
        said(3.0, "fail", value=0.5, detail="too slow"),
        said(2.0, "pass", value=0.1),
        msgspec.structs.replace(said(1.0, "fail"), rollout="r2"),
        Event("rollout.wave", 1.0, rollout="r1"),
        Event("rollout.gate", 4.0, rollout="r1", details={"by": "eve", "why": "seen", "did": "wave staff: ok passes"}),
    ]
    issues = [Issue("i2", "r1", 1, "late", "eve", 9.0), Issue("i1", "r1", 0, "early", "eve", 8.0)]
    samples = [
        ("staff", Sample("p99", 1.0, "pass", value=0.1)),
        ("staff", Sample("p99", 2.0, "inconclusive")),
        ("all", Sample("p99", 2.0, "fail", value=0.9)),
        ("staff", Sample("p99", 3.0, "pass", value=0.3)),
    ]
    made = report(ROLLOUT, [], [], issues, events, samples)
    assert [(line.time, line.verdict, line.detail, line.value) for line in made.gates] == [
        (2.0, "pass", "", 0.1),
        (3.0, "fail", "too slow", 0.5),
        (4.0, "approved", "wave staff: ok passes (eve: seen)", None),
    ]
    assert [issue.id for issue in made.issues] == ["i1", "i2"]
    rest, staff = made.gate_sums
    assert (staff.passed, staff.failed, staff.inconclusive, staff.least, staff.most) == (2, 0, 1, 0.1, 0.3)
    assert (rest.wave, rest.failed, rest.most) == ("all", 1, 0.9)


def test_a_report_is_json() -> None:
    made = report(ROLLOUT, [item("ann", stayed=("tom",))], [move("ann", 1.0, 2.0)])
    assert msgspec.json.decode(msgspec.json.encode(made), type=Report) == made


def test_the_order_of_items_and_moves_changes_nothing() -> None:
    items = [item(f"c{number}", number % 2, before=2, followed=1, stayed=(f"u{number % 3}",)) for number in range(20)]
    moves = [move(f"c{number}", number, number + 1.0 + number % 4) for number in range(20)]
    shuffled = random.Random(7)
    first = report(ROLLOUT, items, moves)
    for _ in range(3):
        shuffled.shuffle(items)
        shuffled.shuffle(moves)
        assert report(ROLLOUT, items, moves) == first
