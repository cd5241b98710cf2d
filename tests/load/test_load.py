"""A crowd on a real server of the test's own: it comes in, speaks, and counts what becomes of it."""

from __future__ import annotations

import pytest

from godwit.load import crowd as crowds
from godwit.load import loops
from godwit.load.bench import Plan, run
from godwit.load.crowd import Crowd, LoadFailed, Shape
from godwit.load.dialects import Dialect
from godwit.load.loops import closed, prime, steady
from godwit.load.receiver import Account, PythonReceiver, Receiver, best_receiver
from tests.load.server import Fault, serving

SMALL = Shape(rooms=2, members=4, senders=2)


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "PATIENCE", 0.3)
    monkeypatch.setattr(loops, "DRAIN", 0.2)


@pytest.fixture(params=[PythonReceiver, best_receiver])
def receiver(request: pytest.FixtureRequest) -> Receiver:
    """One of the receivers."""
    found: Receiver = request.param()
    return found


@pytest.mark.parametrize("name", ["twitch", "irc"])
def test_closed_loop(receiver: Receiver, name: str) -> None:
    """What is said is heard by all others of the room, and goes on from what was heard."""
    with serving() as address:
        crowd = Crowd(address, Dialect(name), SMALL, receiver)  # type: ignore[arg-type]
        crowd.connect(at_once=3)
        prime(crowd)
        result = closed(crowd, 4, 0.05, 0.01)
        crowd.close()
    assert result.exact
    assert result.said > 4
    assert result.expected == result.said * 3
    assert result.messages <= result.said
    assert result.server_cpu == -1
    assert 0 < result.p50_ms <= result.p99_ms <= result.max_ms


def test_open_loop(receiver: Receiver) -> None:
    """Lines are said at the rate, whatever becomes of them."""
    with serving() as address:
        crowd = Crowd(address, Dialect(), SMALL, receiver)
        crowd.connect()
        result = steady(crowd, 1000, 0.1, 0.02, lambda: 1.0)
        crowd.close()
    assert result.exact
    assert result.said
    assert result.server_cpu == 0


def lose(number: int, line: bytes) -> list[bytes]:
    """The third is lost."""
    return [] if number == 3 else [line]


def repeat(number: int, line: bytes) -> list[bytes]:
    """The third comes twice."""
    return [line, line] if number == 3 else [line]


@pytest.mark.parametrize(("fault", "name"), [(lose, "lost"), (repeat, "repeated")])
def test_what_goes_wrong_is_counted(receiver: Receiver, fault: Fault, name: str) -> None:
    """Once for each who should have heard it."""
    with serving(fault) as address:
        crowd = Crowd(address, Dialect(), Shape(members=5, senders=1), receiver)
        crowd.connect()
        result = steady(crowd, 1000, 0.05, 0.0)
        crowd.close()
    assert not result.exact
    assert {wrong: getattr(result, wrong) for wrong in ("lost", "repeated", "misordered")} == {
        "lost": 0,
        "repeated": 0,
        "misordered": 0,
        name: 4,
    }


def test_order_is_counted(receiver: Receiver) -> None:
    """A line that comes after a later one of its sender."""
    held: list[bytes] = []

    def swap(number: int, line: bytes) -> list[bytes]:
        if number == 3:
            held.append(line)
            return []
        return [line, *held] if number == 4 else [line]

    with serving(swap) as address:
        crowd = Crowd(address, Dialect(), Shape(members=3, senders=1), receiver)
        crowd.connect()
        result = steady(crowd, 1000, 0.05, 0.0)
        crowd.close()
    assert (result.lost, result.repeated, result.misordered) == (0, 0, 2)


def test_what_all_listen_for(receiver: Receiver) -> None:
    """Everybody who hears it counts, once."""
    with serving(lambda number, line: [b":x RECONNECT\r\n", line]) as address:
        crowd = Crowd(address, Dialect(), SMALL, receiver)
        crowd.connect()
        crowd.listen(b" RECONNECT")
        assert crowd.told == 0
        prime(crowd)
        crowd.close()
    assert crowd.told == 8


def test_who_is_not_let_in() -> None:
    """Is told with what the server did."""
    reasons = "the server hung up|Connection reset|Broken pipe"
    with serving(most=3) as address, pytest.raises(LoadFailed, match=rf"let \d of 8 in, then: ({reasons})"):
        Crowd(address, Dialect(), SMALL).connect()


def test_a_server_that_says_nothing() -> None:
    """Is not waited for without end: plain IRC's USER is never answered with what NATS says."""
    with serving() as address, pytest.raises(LoadFailed, match="let 0 of 8 in, and then none"):
        Crowd(address, Dialect("nats"), SMALL).connect()


def test_nobody_there() -> None:
    """Says so."""
    with serving() as address:
        pass
    with pytest.raises(LoadFailed, match="Connection refused"):
        Crowd(address, Dialect(), SMALL).connect()


def test_too_many_for_the_limit_of_files() -> None:
    """Says what to do."""
    with pytest.raises(LoadFailed, match="ulimit -Hn"):
        Crowd("127.0.0.1:1", Dialect(), Shape(members=100_000_000)).connect()


def test_a_bench() -> None:
    """Comes in, measures, and says it as one object."""
    told: list[str] = []
    with serving() as address:
        plan = Plan(Shape(members=4, senders=1, channel="here"), window=2, seconds=0.05, warm_up=0.0)
        outcome = run(address, Dialect(), plan, told.append)
        only_in = run(address, Dialect(), Plan(Shape(members=4, senders=0)), told.append)
    assert outcome.exact
    assert outcome.as_dict().keys() >= {"connects_per_s", "deliveries_per_s", "lost", "load_busy", "native", "p99_ms"}
    assert any("4 connections came in" in text for text in told)
    assert only_in.result is None
    assert only_in.exact


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (Plan(Shape(members=0)), "at least one member"),
        (Plan(Shape(members=2, senders=3)), "no more senders"),
        (Plan(Shape(), window=1, rate=1.0), "either a window or a rate"),
        (Plan(Shape(senders=0), rate=1.0), "somebody who speaks"),
        (Plan(Shape(members=1, senders=1), rate=1.0), "--members 2"),
        (Plan(Shape(), window=1, seconds=0.0), "above 0"),
    ],
)
def test_plans_that_cannot_be(plan: Plan, reason: str) -> None:
    """Nobody is connected to."""
    with pytest.raises(LoadFailed, match=reason):
        run("127.0.0.1:1", Dialect(), plan, lambda text: None)


def test_a_process_that_is_not_there() -> None:
    """Is told before anything begins."""
    with pytest.raises(LoadFailed, match="leave --pid out"):
        run("127.0.0.1:1", Dialect(), Plan(Shape()), lambda text: None, pid=2**22 + 1)


def test_what_is_under_way_is_heard_before_the_account_is_taken() -> None:
    """An account takes a while; what came meanwhile would seem to be late."""
    under_way = [2, 1, 0, 0]
    taken: list[int] = []
    heard = PythonReceiver()

    class Waiting(Crowd):
        def __init__(self) -> None:
            self.receiver = heard
            self._blocked = []

        def tend(self, seconds: float) -> list[int]:
            heard.deliveries += under_way[0] > 0
            if len(under_way) > 1:
                del under_way[0]
            return []

        def account(self) -> Account:
            taken.append(under_way[0])
            return Account(2, heard.deliveries, 0, 0, 0, 0, 0)

    assert Waiting().settle(10).heard == 2
    assert taken == [0]
