"""The bench's count of what one connection heard."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from bench.tally import Account, Tally, add, text


def lines(*said: tuple[int, int]) -> bytes:
    """Lines of `(talker, number)` as they come from a server."""
    return b"".join(b":t!t@t.tmi.twitch.tv PRIVMSG #bench :%s\r\n" % text(*one).encode() for one in said)


def counted(said: Iterable[tuple[int, int]]) -> Account:
    """The account of a connection that had to hear three lines of talker 1 and two of talker 2."""
    tally = Tally()
    for one in said:
        tally.feed(lines(one))
    return tally.account({1: 3, 2: 2})


ALL = [(1, 1), (2, 1), (1, 2), (1, 3), (2, 2)]


@pytest.mark.parametrize(
    ("said", "account"),
    [
        (ALL, Account(expected=5, delivered=5)),
        (ALL[:-1], Account(expected=5, delivered=4, lost=1)),
        (ALL[1:], Account(expected=5, delivered=4, lost=1)),
        ([], Account(expected=5, lost=5)),
        ([*ALL, (1, 2)], Account(expected=5, delivered=5, repeated=1)),
        ([(1, 2), *ALL[:2], *ALL[3:]], Account(expected=5, delivered=5, misordered=1)),
        ([*ALL, (1, 4)], Account(expected=5, delivered=6, lost=-1)),
        ([*ALL, (3, 1)], Account(expected=5, delivered=6)),
    ],
)
def test_what_is_counted(said: list[tuple[int, int]], account: Account) -> None:
    """Only the first one is exact."""
    assert counted(said) == account
    assert account.exact == (said == ALL)


def test_several_lines_at_once() -> None:
    """And other lines between them."""
    tally = Tally()
    tally.feed(lines(*ALL[:3]) + b":tmi.twitch.tv PONG tmi.twitch.tv :flush\r\n" + lines(*ALL[3:]))
    assert tally.account({1: 3, 2: 2}).exact


def test_delays_are_kept_if_asked_for() -> None:
    """One for each line."""
    plain, timed = Tally(), Tally(timed=True)
    for tally in (plain, timed):
        tally.feed(lines(*ALL))
    assert plain.delays == []
    assert len(timed.delays) == 5
    assert min(timed.delays) >= 0


def test_accounts_add_up() -> None:
    """Field by field."""
    assert add([Account(1, 2, 3, 4, 5, 6), Account(1, 1, 1, 1, 1, 1)]) == Account(2, 3, 4, 5, 6, 7)
