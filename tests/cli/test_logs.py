"""Where the log of a command goes."""

from __future__ import annotations

import logging

import pytest
import structlog

from godwit.cli import chat, logs
from godwit.drill import demo as drill
from godwit.errors import InvalidRequest
from tests.cli.conftest import run


def speak() -> None:
    """Log something of every weight."""
    log = structlog.get_logger()
    for weight in ("debug", "info", "warning"):
        getattr(log, weight)("something_happened", weight=weight)


@pytest.mark.parametrize(("level", "lines"), [(logging.INFO, 2), (logging.WARNING, 1)])
def test_the_log_is_on_stderr(capsys: pytest.CaptureFixture[str], level: int, lines: int) -> None:
    """From the level on, an event a line, and nothing on stdout."""
    logs.to_stderr(level)
    speak()
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == lines
    assert "level=warning event=something_happened weight=warning" in told.err.splitlines()[-1]


@pytest.mark.parametrize("command", [("demo", "--json"), ("chat", "alice", "--address", "127.0.0.1:1")])
def test_what_clients_do_is_no_news(monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    """`demo` and `chat` log warnings only, and never to stdout."""

    async def work(*_: object, **__: object) -> None:
        speak()
        raise InvalidRequest("the end")

    monkeypatch.setattr(drill, "run", work)
    monkeypatch.setattr(chat, "talk", work)
    ran = run(*command)
    assert (ran.status, ran.out) == (2, "")
    warning, end = ran.err.splitlines()
    assert "weight=warning" in warning
    assert end == "godwit: the end"
