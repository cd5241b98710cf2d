"""The kernel's row sends what Godwit sends: every line to all who hear it, and an acknowledgement to who speaks."""

from __future__ import annotations

import socket
import threading

import pytest

from bench.kernel import tagged
from bench.targets import godwit
from godwit.load.receiver import native


@pytest.mark.skipif(not native(), reason="not built")
@pytest.mark.parametrize("every", [0, 2])
def test_who_is_sent_what(every: int) -> None:
    """Each window is a write to each: lines to those who hear, and to the last of each room as many answers."""
    from godwit.load._native import blast

    pairs = [socket.socketpair() for _ in range(4)]
    heard: list[bytes] = [b""] * len(pairs)

    def read(number: int) -> None:
        while data := pairs[number][1].recv(65536):
            heard[number] += data

    readers = [threading.Thread(target=read, args=(number,)) for number in range(len(pairs))]
    for reader in readers:
        reader.start()
    last = blast([ours.fileno() for ours, _ in pairs], b"<", b">\n", b"ack\n", every, 3, 7, 0.01)
    for (ours, _), reader in zip(pairs, readers, strict=True):
        ours.close()
        reader.join()
    for _, theirs in pairs:
        theirs.close()
    assert last > 7
    assert (last - 7) % 3 == 0
    lines = b"".join(b"<%09d>\n" % number for number in range(8, last + 1))
    assert heard == ([lines, b"ack\n" * (last - 7)] * 2 if every else [lines] * 4)


def test_what_godwit_sends_with_tags() -> None:
    """A line in two parts, its number between them, and the answer to it."""
    with godwit() as target:
        said = tagged(target.tcp)
    assert said.head.startswith(b"@")
    assert said.head.endswith(b" PRIVMSG #tagged :~0 ")
    assert said.tail.endswith(b"x\r\n")
    assert b";id=" in said.ack
    assert said.ack.endswith(b" USERSTATE #tagged\r\n")
