"""`godwit serve`, with a program that does nothing."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from godwit import config
from godwit.cli import ready, serve
from godwit.errors import GodwitError, InvalidRequest
from tests.cli.conftest import run, told


class Program:
    """A program that a test can end."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.ended = asyncio.Event()
        self.stops = 0

    async def start(self) -> Mapping[str, Any]:
        """Start, or fail."""
        if self.error:
            raise self.error
        return told("http://127.0.0.1:1", os.getpid())

    async def wait_stopped(self) -> None:
        """Wait for the test."""
        await self.ended.wait()

    async def stop(self) -> None:
        """Note that it was asked."""
        self.stops += 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals) -> None:
    """The ready file is there while it runs, and `godwit: ready` comes after it."""
    path = tmp_path / "ready.json"
    program = Program()
    seen: list[str] = []
    before = signal.getsignal(number)

    def announce(_: Mapping[str, Any]) -> None:
        seen.append(ready.read(path).api)
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)

    await serve.run(program, path, announce)
    assert seen == ["http://127.0.0.1:1"]
    assert capsys.readouterr().err == "godwit: ready\n"
    assert program.stops == 1
    assert not path.exists()
    assert signal.getsignal(number) in (before, signal.SIG_DFL, signal.default_int_handler)


async def test_an_end_of_its_own_is_an_error(tmp_path: Path) -> None:
    """Nobody asked for it."""
    program = Program()
    with pytest.raises(GodwitError, match="ended by itself"):
        await serve.run(program, tmp_path / "ready.json", lambda _: program.ended.set())
    assert program.stops == 1
    assert os.listdir(tmp_path) == []


async def test_a_ready_file_that_cannot_be_written_ends_it(tmp_path: Path) -> None:
    """Nobody would find it."""
    program = Program()
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidRequest, match="cannot write the ready file"):
        await serve.run(program, tmp_path / "file" / "ready.json", lambda _: None)
    assert program.stops == 1


async def test_a_port_that_is_taken_at_the_last_moment(tmp_path: Path) -> None:
    """What to do is told."""
    error = OSError(errno.EADDRINUSE, "cannot listen on 127.0.0.1:6667: Address already in use")
    with pytest.raises(InvalidRequest, match=r"127\.0\.0\.1:6667.*--ports auto"):
        await serve.run(Program(error), tmp_path / "ready.json", lambda _: None)
    with pytest.raises(InvalidRequest, match=r"cannot start: .*denied"):
        await serve.run(Program(PermissionError(errno.EACCES, "denied")), tmp_path / "ready.json", lambda _: None)
    assert os.listdir(tmp_path) == []


def test_ports_in_use_are_told_in_one_line() -> None:
    """All of them, before anything is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as free:
        port, other = taken.getsockname()[1], free.getsockname()[1]
        free.close()
        sets = ["clusters=main", "edge.ws=false", f"directory.port={other}", f"edge.tcp_port={port}"]
        arguments = [part for text in sets for part in ("--set", text)]
        assert run("serve", *arguments).refusal == (
            f"in use already: {port} (main tcp); stop what listens there, set edge.tcp_port, or add --ports auto"
        )


def test_a_host_that_is_not_ours() -> None:
    """The address is named."""
    settings = config.load(None, {}, ["edge.host=192.0.2.1"]).settings
    with pytest.raises(InvalidRequest, match=r"cannot listen on 192\.0\.2\.1:6667 \(main tcp\): "):
        serve.check_free(settings)


def test_beyond_loopback_it_refuses() -> None:
    """`--host` stands for both listeners; the settings to change are named."""
    text = run("serve", "--host", "0.0.0.0").refusal
    assert "edge.host = 0.0.0.0 and directory.host = 0.0.0.0" in text
    assert "auth.mode" in text
    text = run("serve", "--host", "0.0.0.0", "--ports", "auto", "--set", "auth.mode=tokens").refusal
    assert "directory.public.main.tcp" in text


def test_a_wrong_setting() -> None:
    """One line, status 2."""
    assert "did you mean edge.ping_interval?" in run("serve", "--set", "edge.ping_intervall=1").refusal


async def test_a_signal_ends_the_start_too(tmp_path: Path) -> None:
    """Such as when it waits for a store that does not answer."""

    class Waiting(Program):
        async def start(self) -> Mapping[str, Any]:
            os.kill(os.getpid(), signal.SIGTERM)
            try:
                await asyncio.Event().wait()
            finally:
                self.stops += 1
            raise AssertionError("it never comes to that")

    program = Waiting()
    before = signal.getsignal(signal.SIGTERM)
    await serve.run(program, tmp_path / "ready.json", lambda _: None)
    assert program.stops == 1
    assert not os.path.exists(tmp_path / "ready.json")  # noqa: ASYNC240
    assert signal.getsignal(signal.SIGTERM) == before


async def test_a_process_without_a_ready_file() -> None:
    program = Program()

    def announce(_: Mapping[str, Any]) -> None:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)

    await serve.run(program, None, announce)
    assert program.stops == 1


class Renewing(Program):
    """A program that has a certificate."""

    def __init__(self) -> None:
        super().__init__()
        self.reloads = 0

    def reload(self) -> None:
        """Note that it was asked, and end: the test has seen it."""
        self.reloads += 1
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.row("TLS-2")
async def test_sighup_renews_the_certificate() -> None:
    program, before = Renewing(), signal.getsignal(signal.SIGHUP)

    def announce(_: Mapping[str, Any]) -> None:
        asyncio.get_running_loop().call_later(0.0, os.kill, os.getpid(), signal.SIGHUP)

    await serve.run(program, None, announce, renews=True)
    assert (program.reloads, program.stops) == (1, 1)
    assert signal.getsignal(signal.SIGHUP) == before


async def test_without_a_certificate_sighup_is_left_alone() -> None:
    """So that a server ends with the terminal that it was started in."""
    program, before, seen = Renewing(), signal.getsignal(signal.SIGHUP), []

    def announce(_: Mapping[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: seen.append(signal.getsignal(signal.SIGHUP)))
        loop.call_soon(os.kill, os.getpid(), signal.SIGTERM)

    await serve.run(program, None, announce)
    assert seen == [before]


@pytest.mark.row("TLS-3")
def test_an_own_certificate_lies_beside_the_store(tmp_path: Path) -> None:
    settings = config.load(None, {}, [f"store.path={tmp_path / 'godwit.sqlite3'}"]).settings
    found = serve.with_own_certificate(settings).edge
    assert (found.certificate, found.key) == (str(tmp_path / "godwit-tls.crt"), str(tmp_path / "godwit-tls.key"))
    assert replace(found, certificate="", key="") == settings.edge


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (["edge.certificate=some.crt"], "give one of the two"),
        (["edge.host=192.0.2.1"], "this machine only"),
        (["store.path=missing/godwit.sqlite3"], "cannot write a certificate"),
    ],
)
def test_when_there_is_no_own_certificate(sets: list[str], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        serve.with_own_certificate(config.load(None, {}, sets).settings)
