"""`godwit changes`: following the public feed of what moved."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any

import typer

from godwit.cli.api import reach
from godwit.cli.options import ApiUrl, Json
from godwit.cli.times import clock

POLL = 25
"""Seconds that one request waits for a change."""


def changes(
    since: Annotated[
        int | None,
        typer.Option("--since", metavar="NUMBER", min=0, help="Begin behind this one; else with what comes."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Print what there is and leave, instead of waiting.")] = False,
    api: ApiUrl = None,
    as_json: Json = False,
) -> None:
    """Follow the public feed: every channel that moved, and every change of the default. Needs no token.

    With --json one object a line.

    Example: godwit changes --since 0 --once
    """
    server = reach(api, os.environ)
    number = server.get("changes")["next"] if since is None else since
    if since is None and not as_json:
        typer.echo(f"from number {number} on", err=True)
    while True:
        found = server.get("changes", since=number, wait=0 if once else POLL)
        if found.get("reset"):
            typer.echo(
                f"godwit: what came after number {number} is no longer kept: ask again where your channels are; "
                f"going on from {found['next']}",
                err=True,
            )
        for change in found["changes"]:
            typer.echo(json.dumps(change) if as_json else _line(change))
        number = found["next"]
        if once and not found["changes"]:
            return


def _line(change: dict[str, Any]) -> str:
    if change["kind"] == "retired":
        into = change["into"]
        what = f"{change['cluster']} is retired into {into}" if into else f"{change['cluster']} serves itself again"
    else:
        who = f"#{change['channel']}" if change.get("channel") else "every channel that nobody placed"
        left = f"{change['from']} -> " if change.get("from") else "to "
        what = f"{who}  {left}{change['cluster']}, epoch {change['epoch']}"
    return f"{change['number']}  {clock(change['time'])}  {what}"
