"""The rooms of a bench are moderated: what is checked there does stop others."""

from __future__ import annotations

import socket

import pytest

from bench.moderation import BANNED, TIMED_OUT, Unmoderated
from bench.targets import godwit
from bench.versus import talking
from godwit.load.crowd import Shape
from godwit.load.dialects import Dialect
from godwit.load.loops import steady

SMALL = Shape(rooms=2, members=3, senders=1)


def refused(address: str, login: str, room: str) -> str:
    """Why an account may not talk."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), 10) as peer:
        for data, _ in Dialect(tagged=True).steps(login, room, True, False):
            peer.sendall(data)
        peer.sendall(f"PRIVMSG #{room} :hello\r\n".encode())
        heard = b""
        while b"msg-id=" not in heard:
            heard += peer.recv(65536)
    return heard.partition(b"msg-id=")[2].split(b" ")[0].decode()


def test_a_moderated_room() -> None:
    """Who speaks in it is let through, the others are not; it is furnished once, whoever comes."""
    with godwit() as target:
        for _ in range(2):
            with talking(target, "godwit", SMALL) as crowd:
                assert steady(crowd, 200, 0.1, 0.0).exact
                rooms = {room for room, _ in crowd.speakers()}
                assert rooms == target.furnished == {"r2m3x0", "r2m3x1"}
                for room in rooms:
                    reasons = [refused(target.tcp, login, room) for login in (BANNED, TIMED_OUT, "stranger")]
                    assert reasons == ["msg_banned", "msg_timedout", "msg_followersonly_zero"]


def test_what_cannot_be_furnished(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is told, not benched."""
    with godwit() as target:
        monkeypatch.setitem(target.ready, "admin_token", "wrong")
        with pytest.raises(Unmoderated, match="accounts: "), talking(target, "godwit", SMALL):
            pass
