"""Time does not run backwards, whoever sets the machine's clock."""

from __future__ import annotations

import time

from godwit.clock import SystemClock


class Machine:
    """A machine's two clocks, set by hand."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.since_start = 50.0

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += seconds
        self.since_start += seconds

    def clock(self) -> SystemClock:
        """What a process makes of them."""
        return SystemClock(lambda: self.wall, lambda: self.since_start)


def test_the_machines_time() -> None:
    before = time.time()
    now = SystemClock().now()
    assert before <= now <= time.time()


def test_a_clock_that_is_set_back_goes_on_at_its_pace() -> None:
    """C7: what is held for a lease is held for no longer."""
    machine = Machine()
    clock = machine.clock()
    assert clock.now() == 1_000_000.0
    machine.wall -= 3600.0
    assert clock.now() == 1_000_000.0
    machine.passes(7.0)
    assert clock.now() == 1_000_007.0


def test_a_clock_that_is_set_forward_is_followed() -> None:
    """Leases end early, which harms nobody."""
    machine = Machine()
    clock = machine.clock()
    clock.now()
    machine.wall += 100.0
    assert clock.now() == 1_000_100.0
    machine.wall -= 100.0
    machine.passes(1.0)
    assert clock.now() == 1_000_101.0
