"""What all clients of a drill report to."""

from __future__ import annotations

from collections.abc import Callable

from godwit.drill.faults import Tamper
from godwit.drill.ledger import Ledger, Reception


class Witness:
    """Stands between the clients and the ledger.

    Args:
        now: the time in seconds, by any one clock.

    Attributes:
        problems: what went wrong, in words.
    """

    def __init__(self, ledger: Ledger, tamper: Tamper, now: Callable[[], float]) -> None:
        self.ledger = ledger
        self.now = now
        self.problems: list[str] = []
        self._tamper = tamper
        self._connections = 0

    def connection_number(self) -> int:
        """A number for one more connection."""
        self._connections += 1
        return self._connections

    def heard(self, line: Reception) -> None:
        """Enter a line, unless a fault was asked for."""
        for told in self._tamper.pass_on(line):
            self.ledger.heard(told)
