"""Faults on demand, to show that the account sees them.

`drop`, `repeat` and `swap` tamper with one line between the socket and the ledger. `skip-seal` is
the server's own doing: its move leaves the seal out when `GODWIT_DEMO_FAULT` says so.
"""

from __future__ import annotations

from typing import Literal

from godwit.drill.ledger import Reception, Role

Fault = Literal["none", "skip-seal", "drop", "repeat", "swap"]

FAULT_VARIABLE = "GODWIT_DEMO_FAULT"
"""Environment variable that asks a server under test for a fault of its own."""


class Tamper:
    """Passes receptions on, but for one fault at the `nth` line that one client hears in one channel.

    Args:
        role: the client is the first of this role to hear anything.
    """

    def __init__(self, fault: Fault, role: Role = "legacy", nth: int = 5) -> None:
        self._fault = fault if fault in ("drop", "repeat", "swap") else "none"
        self._role = role
        self._left = nth
        self._victim: tuple[str, str] | None = None
        self._held: list[Reception] = []

    def pass_on(self, line: Reception) -> list[Reception]:
        """What the ledger is told when `line` came."""
        if self._fault == "none" or line.role != self._role:
            return [line]
        if self._victim is None:
            self._victim = (line.client, line.channel)
        if (line.client, line.channel) != self._victim:
            return [line]
        self._left -= 1
        if self._left > 0:
            return [line]
        return self._tampered(line)

    def _tampered(self, line: Reception) -> list[Reception]:
        if self._fault == "swap":
            return self._swap(line)
        fault, self._fault = self._fault, "none"
        return [] if fault == "drop" else [line, line]

    def _swap(self, line: Reception) -> list[Reception]:
        """Hold lines until the first held one can change places with the next of its talker."""
        if not self._held or line.talker != self._held[0].talker:
            self._held.append(line)
            return []
        first, *between = self._held
        self._held.clear()
        self._fault = "none"
        return [line, *between, first]
