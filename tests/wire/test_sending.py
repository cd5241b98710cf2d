"""Both send loops: what each socket took, without waiting, whatever is wrong with one of them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from godwit.wire import sending
from godwit.wire.sending import SendAll

HUGE = b"x" * 8_000_000
"""More than any socket takes at once."""


def loops() -> list[SendAll]:
    """Those that there are here."""
    return [sending.send_each, *([sending.NATIVE] if sending.NATIVE else [])]


@pytest.fixture(params=loops(), ids=lambda loop: loop.__name__)
def send_all(request: pytest.FixtureRequest) -> SendAll:
    """Each loop in its turn."""
    loop: SendAll = request.param
    return loop


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """A hundred connections: more than the loop in C has room for on its stack."""
    made = [socket.socketpair() for _ in range(100)]
    for near, _ in made:
        near.setblocking(False)
    yield made
    for pair in made:
        for end in pair:
            end.close()


Pairs = list[tuple[socket.socket, socket.socket]]


def test_everybody_gets_the_same(send_all: SendAll, pairs: Pairs) -> None:
    assert send_all([near.fileno() for near, _ in pairs], b"line\r\n") == []
    assert [far.recv(100) for _, far in pairs] == [b"line\r\n"] * len(pairs)


def test_numbers_below_zero_are_passed_over(send_all: SendAll, pairs: Pairs) -> None:
    (one, far_one), (two, far_two) = pairs[:2]
    assert send_all([-1, one.fileno(), -1, two.fileno()], b"ab") == [(0, 0), (2, 0)]
    assert far_one.recv(100) == far_two.recv(100) == b"ab"


def test_what_a_socket_does_not_take_is_told_by_its_position(send_all: SendAll, pairs: Pairs) -> None:
    full, fine = pairs[0][0], pairs[1]
    ((position, sent),) = send_all([full.fileno()], HUGE)
    assert position == 0
    assert 0 < sent < len(HUGE)
    assert send_all([fine[0].fileno(), full.fileno()], b"ab") == [(1, 0)]
    assert fine[1].recv(100) == b"ab"
    pairs[0][1].close()
    assert send_all([full.fileno(), fine[0].fileno()], b"cd") == [(0, 0)]
    assert fine[1].recv(100) == b"cd"


def test_a_socket_that_is_gone_takes_nothing(send_all: SendAll, pairs: Pairs) -> None:
    gone, here = pairs[0][0], pairs[1]
    number = gone.fileno()
    gone.close()
    assert send_all([number, here[0].fileno()], b"ab") == [(0, 0)]
    assert here[1].recv(100) == b"ab"


def test_nobody_and_nothing(send_all: SendAll, pairs: Pairs) -> None:
    assert send_all([], b"ab") == []
    assert send_all([pairs[0][0].fileno()], b"") == []


def test_nonsense_is_refused(send_all: SendAll) -> None:
    with pytest.raises(TypeError):
        send_all(["one"], b"ab")  # type: ignore[list-item]


def test_the_loop_in_c_can_be_switched_off() -> None:
    assert sending.best(native=False) is sending.send_each
    assert sending.best() is (sending.NATIVE or sending.send_each)
    assert sending.which(native=False) == "Python, as edge.native says"


def test_it_is_told_when_the_loop_in_c_was_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "NATIVE", sending.send_each)
    assert sending.which() == "C"
    monkeypatch.setattr(sending, "NATIVE", None)
    assert sending.best() is sending.send_each
    assert "make native" in sending.which()


@pytest.mark.skipif(sending.NATIVE is None, reason="the loop in C was not built here: make native")
def test_the_loop_in_c_checks_what_it_is_given() -> None:
    assert sending.NATIVE is not None
    nonsense: list[tuple[Any, ...]] = [(), ([],), ((), b""), ([], "text"), ([], bytearray(b"x"))]
    for arguments in nonsense:
        with pytest.raises(TypeError):
            sending.NATIVE(*arguments)
    with pytest.raises(OverflowError):
        sending.NATIVE([1 << 80], b"x")
