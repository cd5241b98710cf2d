"""Clocks that differ are noticed, at the start and later."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from godwit import clocks
from godwit.clock import FakeClock, SystemClock
from godwit.clocks import Clocks, measure
from godwit.errors import InvalidRequest, StoreUnavailable


class There:
    """Another clock, to which the way takes a while."""

    def __init__(self, ours: FakeClock, ahead: float, way: float = 0.0) -> None:
        self.ahead = ahead
        self.away = False
        self._ours = ours
        self._way = way

    async def ask(self) -> float:
        if self.away:
            raise StoreUnavailable("gone")
        self._ours.advance(self._way / 2)
        there = self._ours.now() - self.ahead
        self._ours.advance(self._way / 2)
        return there


@pytest.mark.parametrize(
    ("ahead", "way", "measured"),
    [(0.0, 0.0, 0.0), (30.0, 0.0, 30.0), (-30.0, 0.0, -30.0), (0.0, 60.0, 0.0), (30.0, 4.0, 28.0), (-30.0, 4.0, -28.0)],
)
async def test_measure(ahead: float, way: float, measured: float) -> None:
    """How long the answer took is not held against anybody."""
    ours = FakeClock()
    assert await measure(ours, There(ours, ahead, way).ask) == measured


async def test_the_one_that_differs_most_is_told() -> None:
    ours = FakeClock()
    found = Clocks(ours, {"one": There(ours, 6.0).ask, "two": There(ours, -30.0).ask, "three": There(ours, 0.0).ask})
    with pytest.raises(InvalidRequest, match=r"^this machine.s clock is 30 s behind that of two: set both by NTP"):
        await found.require()
    assert found.ahead == {"one": 6.0, "two": -30.0, "three": 0.0}


async def test_a_little_is_nothing() -> None:
    ours = FakeClock()
    found = Clocks(ours, {"one": There(ours, 5.0).ask})
    await found.require()
    assert await found.agree() == ""
    await Clocks(ours, {}).require()


async def test_a_clock_that_goes_wrong_later_makes_the_process_not_ready() -> None:
    """Told once; who does not answer changes nothing."""
    ours = FakeClock()
    there = There(ours, 0.0)
    found = Clocks(ours, {"one": there.ask})
    await found.require()
    with capture_logs() as logs:
        there.ahead = 30.0
        await found.look()
        assert await found.agree() == "this machine's clock is 30 s ahead of that of one"
        there.away = True
        await found.look()
        assert await found.agree() != ""
        there.away, there.ahead = False, 0.0
        await found.look()
        assert await found.agree() == ""
    assert [entry["event"] for entry in logs] == ["clock_differs", "clock_not_compared", "clock_agrees"]


async def test_it_is_looked_at_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "EVERY", 0.0)
    ours, asked = FakeClock(), asyncio.Event()

    async def ask() -> float:
        asked.set()
        return ours.now()

    running = asyncio.create_task(Clocks(ours, {"one": ask}).run())
    async with asyncio.timeout(30.0):
        await asked.wait()
    running.cancel()
    await asyncio.wait([running])


def test_a_test_may_put_the_machine_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(clocks.machine(), SystemClock)
    monkeypatch.setenv(clocks.OFFSET, "-30")
    assert -31.0 < clocks.machine().now() - SystemClock().now() < -29.0
