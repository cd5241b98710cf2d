"""How often clients joined and were told, counted from raw lines."""

from __future__ import annotations

from godwit.drill.link import Link, Receiver
from godwit.drill.plan import Transport
from godwit.drill.rollout_joins import JoinBook, Tap, over_limit, past_span, windows


def book(limit: int = 2) -> JoinBook:
    """One in which everybody has the same limit, in ten seconds."""
    return JoinBook(lambda name: limit, 10.0)


def test_windows_begin_with_the_first_time_behind_the_last_one() -> None:
    assert windows([0, 1, 9.9, 10, 12, 25, 34], 10.0) == [3, 2, 2]
    assert windows([], 10.0) == []
    assert over_limit([0, 1, 9.9, 10, 12], 2, 10.0) == 1


def test_spans_begin_anywhere() -> None:
    """Two windows may hide a span that is fuller than both."""
    times = [0.0, 8.0, 9.0, 10.0, 11.0]
    assert over_limit(times, 3, 10.0) == 0
    assert past_span(times, 3, 10.0) == (1, 4)
    assert past_span([0.0, 10.0, 20.0], 1, 10.0) == (0, 1)


def test_joins_past_the_limit() -> None:
    """Of each client by itself."""
    kept = book()
    for at in (0, 1, 2, 3):
        kept.joined("ann", "a", "main", at)
    kept.joined("bob", "a", "main", 0)
    found = kept.verdict()
    assert (found.charged, found.free, found.over, found.most) == (5, 0, 2, 4)
    assert found.problems == ("ann sent 2 JOINs past its limit: 4 in a window of 2",)


def test_joins_that_moves_have_caused_are_free_once() -> None:
    """For the channel and the cluster that were named."""
    kept = book()
    kept.told("ann", "a", "aws", 2, 0.0)
    for channel, cluster in (("a", "main"), ("b", "aws"), ("a", "aws"), ("a", "aws")):
        kept.joined("ann", channel, cluster, 1.0)
    kept.joined("bob", "a", "aws", 1.0)
    found = kept.verdict()
    assert (found.charged, found.free) == (4, 1)


def test_a_newer_move_takes_the_place_of_an_older_one() -> None:
    """In whichever order they are told."""
    kept = book(9)
    kept.told("ann", "a", "aws", 2, 0.0)
    kept.told("ann", "a", "main", 3, 0.0)
    kept.told("ann", "a", "aws", 2, 0.0)
    kept.joined("ann", "a", "aws", 1.0)
    kept.joined("ann", "a", "main", 1.0)
    assert (kept.verdict().charged, kept.verdict().free) == (1, 1)


def test_being_told_of_more_than_one_may_join() -> None:
    kept = book()
    for at in (0, 9, 10, 11):
        kept.told("ann", "a", "", 0, at)
    found = kept.verdict()
    assert (found.told, found.told_over, found.most_told) == (4, 1, 3)
    assert found.problems == ("ann was told of 3 moves within 10 s: it may join 2",)


def test_the_most_is_that_of_the_client_with_the_highest_limit() -> None:
    kept = JoinBook({"bot": 5, "ann": 9_0, "zoe": 1}.__getitem__, 10.0)
    for name, times in (("bot", 3), ("zoe", 1), ("ann", 2)):
        for _ in range(times):
            kept.joined(name, "a", "main", 0.0)
    assert kept.verdict().most == 2


class Wire:
    """A link that keeps what is sent; `receiver` gets what comes."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.receiver: Receiver

    async def open(self, transport: Transport, address: str, receiver: Receiver) -> Link:
        self.receiver = receiver
        return self

    def send(self, line: str) -> None:
        self.sent.append(line)

    def close(self) -> None:
        self.receiver.closed("over")


class Ear:
    """Who gets the lines."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.reason = ""

    def line(self, data: bytes) -> None:
        self.lines.append(data)

    def closed(self, reason: str) -> None:
        self.reason = reason


async def test_a_tap_enters_what_goes_by_and_passes_it_on() -> None:
    """JOINs of many channels, with tags or without, and SERVERCHANGE with a destination or without."""
    kept, wire, ear = book(9), Wire(), Ear()
    tap = Tap(kept, "ann", wire.open, {"here:1": "aws"}, lambda: 1.0)
    link = await tap.open("ws", "ws://here:1/", ear)
    told = b"@godwit-cluster=aws;godwit-epoch=2 :tmi.twitch.tv SERVERCHANGE #a"
    lines = [told, b":tmi.twitch.tv SERVERCHANGE #b", b":x!x@x PRIVMSG #a :SERVERCHANGE #a"]
    for line in lines:
        wire.receiver.line(line)
    sent = ["JOIN #b,#c", "@godwit-after=1-2 JOIN #a", "PRIVMSG #a :JOIN #d"]
    for text in sent:
        link.send(text)
    assert (ear.lines, wire.sent) == (lines, sent)
    found = kept.verdict()
    assert (found.told, found.charged, found.free) == (2, 2, 1)
    link.close()
    assert ear.reason == "over"
