"""Both receivers count exactly, whatever is lost, repeated, late or cut into pieces on the way."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from godwit.load.receiver import Account, Kind, PythonReceiver, Receiver, best_receiver, native

MAKERS = [
    PythonReceiver,
    pytest.param(best_receiver, marks=pytest.mark.skipif(not native(), reason="the native receiver is not built")),
]


class Peers:
    """Socket pairs: what a test sends on the one end, the receiver hears on the other."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self._stack = ExitStack()
        self.ends: list[socket.socket] = []

    def add(self, room: int, sender: int = -1, http: bool = False) -> int:
        """One more member."""
        ours, theirs = (self._stack.enter_context(end) for end in socket.socketpair())
        theirs.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_000_000)
        self.ends.append(ours)
        return self.receiver.add(theirs.fileno(), room, sender, http)

    def close(self) -> None:
        """Close all."""
        self._stack.close()


@pytest.fixture(params=MAKERS)
def receiver(request: pytest.FixtureRequest) -> Receiver:
    """One of the receivers."""
    maker: Callable[[], Receiver] = request.param
    return maker()


@pytest.fixture
def peers(receiver: Receiver) -> Iterator[Peers]:
    """Socket pairs around it."""
    found = Peers(receiver)
    yield found
    found.close()


def drain(receiver: Receiver) -> tuple[list[int], list[tuple[int, int, bytes]]]:
    """Take all that is there."""
    seen: list[int] = []
    events: list[tuple[int, int, bytes]] = []
    before = (-1, -1)
    while before != (before := (receiver.deliveries, len(events))):
        for _ in range(3):
            more, happened = receiver.poll(0)
            seen += more
            events += happened
    return seen, events


def line(sender: int, number: int, tags: str = "") -> bytes:
    """A line of a room."""
    return f"{tags}:s{sender}!s@s PRIVMSG #room :~{sender} {number:09d} xxxx\r\n".encode()


def account(receiver: Receiver) -> Account:
    """The account so far."""
    return Account(*receiver.account())


@pytest.fixture
def room(receiver: Receiver, peers: Peers) -> int:
    """A room of four: one sender, three who listen, all of them counted."""
    room = receiver.room()
    sender = receiver.sender(room)
    for member in (peers.add(room, sender), peers.add(room), peers.add(room), peers.add(room)):
        receiver.count(member)
    return room


def say(receiver: Receiver, lines: int, sender: int = 0) -> None:
    """Have a sender say lines."""
    for _ in range(lines):
        receiver.said(sender, time.monotonic_ns())


def test_all_well(receiver: Receiver, peers: Peers, room: int) -> None:
    """Everybody but the speaker hears each line; it is seen for the first time once."""
    say(receiver, 3)
    for end in peers.ends[1:]:
        end.sendall(line(0, 1) + line(0, 2) + line(0, 3))
    assert drain(receiver)[0] == [0, 0, 0]
    assert account(receiver)._replace(silence=0) == Account(9, 9, 0, 0, 0, 0, 0)
    assert receiver.deliveries == 9


@pytest.mark.parametrize("place", [1, 2, 3])
@pytest.mark.parametrize(
    ("heard", "found"),
    [
        ([1, 2, 4], (11, 0, 0)),
        ([1, 2, 3], (11, 0, 0)),
        ([2, 3, 4], (11, 0, 0)),
        ([], (8, 0, 0)),
        ([1, 2, 2, 3, 4], (12, 1, 0)),
        ([1, 2, 3, 4, 1], (12, 1, 0)),
        ([1, 3, 2, 4], (12, 0, 1)),
        ([4, 1, 3, 2, 2], (12, 1, 3)),
        ([1, 4, 3, 3], (11, 1, 1)),
    ],
)
def test_one_hears_otherwise(
    receiver: Receiver, peers: Peers, room: int, place: int, heard: list[int], found: tuple[int, int, int]
) -> None:
    """Whoever it is, and whether he hears it first or last."""
    say(receiver, 4)
    for at, end in enumerate(peers.ends[1:], 1):
        end.sendall(b"".join(line(0, number) for number in (heard if at == place else [1, 2, 3, 4])))
        if place % 2:
            drain(receiver)
    drain(receiver)
    assert account(receiver)[:4] == (12, *found)


def test_lines_for_one_alone(receiver: Receiver, peers: Peers, room: int) -> None:
    """A PING, a NOTICE and what was waited for may stand anywhere, and are told."""
    receiver.sender(room)
    say(receiver, 2)
    receiver.expect(2, b" 366 ")
    peers.ends[1].sendall(line(0, 1) + line(0, 2))
    drain(receiver)
    peers.ends[2].sendall(line(0, 1)[:20])
    drain(receiver)
    peers.ends[2].sendall(line(0, 1)[20:] + b"PING :x\r\n" + line(0, 2)[:1])
    drained = drain(receiver)[1]
    peers.ends[2].sendall(line(0, 2)[1:] + b":x 366 y #room :end\r\n")
    drained += drain(receiver)[1]
    peers.ends[3].sendall(b":x NOTICE #room :no\r\n" + line(0, 1) + line(0, 2))
    drain(receiver)
    assert drained == [(Kind.PING, 2, b"PING :x\r\n"), (Kind.READY, 2, b":x 366 y #room :end\r\n")]
    assert account(receiver)[:6] == (6, 6, 0, 0, 0, 1)


def test_echo_is_counted_apart(receiver: Receiver, peers: Peers, room: int) -> None:
    """A server may send a sender its own line."""
    say(receiver, 1)
    peers.ends[0].sendall(line(0, 1))
    drain(receiver)
    assert account(receiver)[:5] == (3, 0, 0, 0, 1)


def test_who_comes_late_need_not_know(receiver: Receiver, peers: Peers, room: int) -> None:
    """What was said before a member was counted is not expected of it."""
    say(receiver, 2)
    for end in peers.ends[1:]:
        end.sendall(line(0, 1) + line(0, 2))
    drain(receiver)
    receiver.count(peers.add(room))
    say(receiver, 1)
    for end in peers.ends[1:]:
        end.sendall(line(0, 3))
    drain(receiver)
    assert account(receiver)[:4] == (10, 10, 0, 0)


def test_end_of_a_connection(receiver: Receiver, peers: Peers, room: int) -> None:
    """It is told, and what it missed is lost."""
    say(receiver, 1)
    peers.ends[1].close()
    peers.ends[2].sendall(line(0, 1))
    assert [event[:2] for event in drain(receiver)[1]] == [(Kind.CLOSED, 1)]
    assert account(receiver)[:2] == (3, 1)


def frame(data: bytes, opcode: int = 1) -> bytes:
    """A server's frame."""
    length = bytes((len(data),)) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big")
    return bytes((0x80 | opcode,)) + length + data


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_websocket(receiver: Receiver, peers: Peers, piece: int) -> None:
    """Frames of any size, in any pieces, after the HTTP answer."""
    room = receiver.room()
    receiver.sender(room)
    members = [peers.add(room, http=True) for _ in range(2)]
    answer = b"HTTP/1.1 101 Switching Protocols\r\nX: y\r\n\r\n"
    for end in peers.ends:
        end.sendall(answer)
    assert sorted(drain(receiver)[1]) == [(Kind.READY, number, b"") for number in members]
    for member in members:
        receiver.count(member)
    say(receiver, 9)
    lines = [line(0, number) for number in range(1, 10)]
    stream = frame(lines[0]) + frame(b"", 10) + frame(b"".join(lines[1:6])) + b"".join(map(frame, lines[6:]))
    for end in peers.ends:
        for at in range(0, len(stream), piece):
            end.sendall(stream[at : at + piece])
            drain(receiver)
    assert account(receiver)[:4] == (18, 18, 0, 0)


def test_websocket_refused(receiver: Receiver, peers: Peers) -> None:
    """The answer is the reason."""
    peers.add(receiver.room(), http=True)
    peers.ends[0].sendall(b"HTTP/1.1 429 Slow down\r\n\r\n")
    [(kind, _, reason)] = drain(receiver)[1]
    assert kind == Kind.CLOSED
    assert reason.startswith(b"HTTP/1.1 429")


def test_latencies_and_silence(receiver: Receiver, peers: Peers, room: int) -> None:
    """Latency counts from when a line was due; both are kept only while it is measured."""
    say(receiver, 1)
    peers.ends[1].sendall(line(0, 1))
    drain(receiver)
    receiver.measure(True)
    assert sum(receiver.histogram()) == 0
    receiver.said(0, time.monotonic_ns() - 1_000_000_000)
    peers.ends[1].sendall(line(0, 2))
    drain(receiver)
    [slot] = [index for index, count in enumerate(receiver.histogram()) if count]
    assert slot >= 64 + 13 * 32
    assert account(receiver).silence == 0
    receiver.said(0, time.monotonic_ns())
    peers.ends[1].sendall(line(0, 3))
    drain(receiver)
    assert sum(receiver.histogram()) == 2
    assert account(receiver).silence > 0


@pytest.mark.parametrize("seed", range(30))
def test_anything_on_the_way(receiver: Receiver, peers: Peers, seed: int) -> None:
    """Random streams, cut at random places, against an account of its own."""
    chance = random.Random(seed)
    tidy = seed % 3 == 0
    room = receiver.room()
    senders = [receiver.sender(room) for _ in range(3)]
    for sender in (*senders[:2], *([-1] * 6)):
        receiver.count(peers.add(room, sender))
    order = [chance.choice(senders) for _ in range(400)]
    stream: list[tuple[int, int]] = []
    for sender in order:
        stream.append((sender, receiver.said(sender, time.monotonic_ns())))
    neutral = b"MSG room 1 20\r\n" if seed % 2 else b""
    pieces: list[list[bytes]] = []
    wanted = heard = repeated = misordered = 0
    for place in range(len(peers.ends)):
        mine = [one for one in stream if place >= 2 or one[0] != senders[place]]
        wanted += len(mine)
        if not tidy:
            mine = [one for one in mine if chance.random() > 0.01]
            for _ in range(chance.choice([0, 0, 3])):
                mine.insert(chance.randrange(len(mine)), chance.choice(mine))
            for _ in range(chance.choice([0, 0, 3])):
                mine.insert(chance.randrange(len(mine)), mine.pop(chance.randrange(len(mine))))
        known: set[tuple[int, int]] = set()
        highest = dict.fromkeys(senders, 0)
        for sender, number in mine:
            repeated += (sender, number) in known
            misordered += (sender, number) not in known and number < highest[sender]
            known.add((sender, number))
            highest[sender] = max(highest[sender], number)
        heard += len(known)
        data = b"".join(neutral + line(*one) + (b"PING :x\r\n" if chance.random() < 0.01 else b"") for one in mine)
        cuts = sorted(chance.randrange(len(data)) for _ in range(40))
        pieces.append([data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)])
    while any(pieces):
        place = chance.randrange(len(pieces))
        count = chance.randrange(20)
        now, pieces[place] = pieces[place][:count], pieces[place][count:]
        for piece in now:
            peers.ends[place].sendall(piece)
            receiver.poll(0)
    drain(receiver)
    assert account(receiver)[:4] == (wanted, heard, repeated, misordered)
