"""What one connection heard, counted exactly and cheaply: every line of a bench bears its talker and number."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

_LINE = re.compile(rb" PRIVMSG #\S+ :(\d+) (\d+) (\d+) ")


def text(talker: int, number: int, size: int = 0) -> str:
    """The text of a talker's line, with the time of its making; `number` counts from 1."""
    return f"{talker} {number} {time.monotonic_ns()} ".ljust(size, "x") + "."


@dataclass(frozen=True, slots=True)
class Account:
    """What was said, and what became of it at those who had to hear it."""

    said: int = 0
    expected: int = 0
    delivered: int = 0
    lost: int = 0
    repeated: int = 0
    misordered: int = 0

    @property
    def exact(self) -> bool:
        """Whether everything came once and in order."""
        return self.lost == self.repeated == self.misordered == 0 and self.expected == self.delivered


def add(accounts: Iterable[Account]) -> Account:
    """One account of several rooms or times."""
    listed = list(accounts)
    return Account(*(sum(getattr(account, field.name) for account in listed) for field in fields(Account)))


class Tally:
    """Counts the lines that come on one connection.

    Args:
        timed: keep how long each line was under way.

    Attributes:
        delays: seconds from each line's making to its arrival.
    """

    __slots__ = ("_last", "_missing", "_timed", "delays", "heard", "misordered", "repeated")

    def __init__(self, timed: bool = False) -> None:
        self._last: dict[bytes, int] = {}
        self._missing: set[tuple[bytes, int]] = set()
        self._timed = timed
        self.delays: list[float] = []
        self.heard = 0
        self.repeated = 0
        self.misordered = 0

    def feed(self, lines: bytes) -> None:
        """Take whole lines; those that are no lines of a bench are passed over."""
        now = time.monotonic_ns()
        last = self._last
        for talker, digits, made in _LINE.findall(lines):
            number = int(digits)
            self.heard += 1
            if number == last.get(talker, 0) + 1:
                last[talker] = number
            else:
                self._irregular(talker, number)
            if self._timed:
                self.delays.append((now - int(made)) / 1e9)

    def account(self, said: Mapping[int, int]) -> Account:
        """Settle the account.

        Args:
            said: talker -> how many lines it said, if this connection had to hear them.
        """
        expected = sum(said.values())
        lost = len(self._missing) + sum(said[talker] - self._last.get(b"%d" % talker, 0) for talker in said)
        return Account(0, expected, self.heard - self.repeated, lost, self.repeated, self.misordered)

    def _irregular(self, talker: bytes, number: int) -> None:
        last = self._last.get(talker, 0)
        if number > last:
            self._missing.update((talker, missing) for missing in range(last + 1, number))
            self._last[talker] = number
        elif (talker, number) in self._missing:
            self._missing.remove((talker, number))
            self.misordered += 1
        else:
            self.repeated += 1
