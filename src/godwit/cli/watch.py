"""Following a rollout: drawn again at each change on a terminal, else a line for each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import typer
from rich.console import Console
from rich.live import Live

from godwit.cli.api import Api
from godwit.cli.progress import draw, line
from godwit.cli.wishes import ENDED

POLL = 10
"""Seconds that one request waits for a change; what is shown is never older."""


def follow(server: Api, rollout: str, *, as_json: bool, console: Console | None = None) -> None:
    """Show a rollout until it ends, or the user leaves.

    Args:
        as_json: print each status as one object a line.
        console: where to; None for the terminal.
    """
    target = console or Console()
    if as_json:
        _each(server, rollout, lambda status: typer.echo(json.dumps(status)))
    elif target.is_terminal:
        with Live(console=target, auto_refresh=False, vertical_overflow="visible") as live:
            _each(server, rollout, lambda status: live.update(draw(status, now=time.time()), refresh=True))
    else:
        _each(server, rollout, _Lines())


def _each(server: Api, rollout: str, show: Callable[[dict[str, Any]], None]) -> None:
    status = server.get("rollouts", rollout)
    show(status)
    while status["state"] not in ENDED:
        status = server.get("rollouts", rollout, wait=POLL, version=status["version"])
        show(status)


class _Lines:
    """Prints a status as a line, unless it says the same as the last one."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, status: dict[str, Any]) -> None:
        said = line(status)
        if said != self._last:
            typer.echo(f"{time.strftime('%H:%M:%S', time.gmtime())}  {said}")
        self._last = said
