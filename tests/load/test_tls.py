"""A crowd over TLS counts as one without, whoever keeps the account."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from godwit.load import crowd as crowds
from godwit.load import loops
from godwit.load.bench import Plan, run
from godwit.load.crowd import Crowd, LoadFailed, Shape
from godwit.load.dialects import Dialect
from godwit.load.loops import closed, prime
from godwit.load.receiver import PythonReceiver, Receiver, best_receiver
from godwit.load.tls import trusting
from godwit.local.certificate import own_certificate
from tests.load.server import all_well, serving

SMALL = Shape(rooms=2, members=4, senders=2)


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "PATIENCE", 5.0)
    monkeypatch.setattr(loops, "DRAIN", 0.3)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One that signs itself."""
    return own_certificate(tmp_path_factory.mktemp("certificate"), datetime.now(UTC))


@pytest.fixture
def served(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """What the server has."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


@pytest.mark.parametrize("make", [PythonReceiver, best_receiver])
@pytest.mark.parametrize("size", [80, 30_000])
def test_a_closed_loop(make: type[Receiver], size: int, served: ssl.SSLContext) -> None:
    """Lines that fit into a record and those that take two."""
    shape = Shape(rooms=2, members=4, senders=2, size=size)
    with serving(tls=served) as address:
        crowd = Crowd(address, Dialect(), shape, make(), tls=trusting(anyone=True))
        crowd.connect(at_once=3)
        prime(crowd)
        result = closed(crowd, 4, 0.05, 0.01)
        crowd.close()
    assert result.exact
    assert result.said > 4
    assert result.expected == result.said * 3


@pytest.mark.parametrize("make", [PythonReceiver, best_receiver])
def test_a_line_that_is_lost(make: type[Receiver], served: ssl.SSLContext) -> None:
    """Is counted."""
    with serving(lambda number, line: [] if number == 3 else all_well(number, line), tls=served) as address:
        crowd = Crowd(address, Dialect(), SMALL, make(), tls=trusting(anyone=True))
        crowd.connect()
        result = closed(crowd, 4, 0.05)
        crowd.close()
    assert result.lost == 3


def test_a_certificate_that_is_trusted(certificate: tuple[Path, Path], served: ssl.SSLContext) -> None:
    """By name and signature."""
    context = trusting(anyone=False)
    context.load_verify_locations(certificate[0])
    with serving(tls=served) as address:
        assert run(address, Dialect(), Plan(SMALL), lambda text: None, tls=context).connections == 8


def test_a_certificate_that_is_not_trusted(served: ssl.SSLContext) -> None:
    """Nobody gets in, and the reason is told."""
    with serving(tls=served) as address, pytest.raises(LoadFailed, match="let 0 of 8 in, then: its certificate is not"):
        run(address, Dialect(), Plan(SMALL), lambda text: None, tls=trusting(anyone=False))


def test_a_server_without_tls() -> None:
    """Is no server for this."""
    with serving() as address, pytest.raises(LoadFailed, match="let 0 of 8 in"):
        Crowd(address, Dialect(), SMALL, tls=trusting(anyone=True)).connect()


def test_who_hangs_up(served: ssl.SSLContext) -> None:
    """Before or after the handshake."""
    with serving(most=3, tls=served) as address, pytest.raises(LoadFailed, match=r"let \d of 8 in, then: "):
        Crowd(address, Dialect(), SMALL, tls=trusting(anyone=True)).connect()
