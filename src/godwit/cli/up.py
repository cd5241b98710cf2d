"""`godwit up --nodes`: a whole network of many processes on one machine."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from godwit.cli import logs, ready
from godwit.cli.options import Set, WithParent
from godwit.cli.serve import run
from godwit.errors import InvalidRequest


def up(
    nodes: Annotated[
        bool, typer.Option("--nodes", help="Many processes: NATS, PostgreSQL, edges and the rest.")
    ] = False,
    clusters: Annotated[str, typer.Option("--clusters", help="Names, separated by commas.")] = "main,aws",
    nats: Annotated[int, typer.Option("--nats", help="NATS servers per cluster, 1 or 3.")] = 3,
    edges: Annotated[int, typer.Option("--edges", min=1, help="Edge processes per cluster.")] = 2,
    controllers: Annotated[int, typer.Option("--controllers", min=1, help="Controller processes.")] = 2,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Where logs and settings go; else a temporary directory.")
    ] = None,
    settings: Set = None,
    ready_file: Annotated[
        Path | None,
        typer.Option("--ready-file", envvar=ready.VARIABLE, help="Where to write addresses and admin token."),
    ] = None,
    with_parent: WithParent = False,
) -> None:
    """Start a whole network on this machine, for trying: the real NATS and PostgreSQL, and every role.

    The servers are those on PATH, or those of the extra 'local' of this package. What dies is started again.
    Stops at SIGTERM or Ctrl-C.

    Example: godwit up --nodes --nats 1
    """
    if not nodes:
        raise InvalidRequest("say --nodes for a network of many processes; 'godwit serve' runs one process")
    from godwit.local.nodes import LocalNetwork, Size
    from godwit.roles.child import end_with_parent

    if with_parent:
        # Ctrl-C is for whoever started us, who ends us in order; should he die, we are told.
        os.setsid()
        end_with_parent()
    named = tuple(name.strip() for name in clusters.split(",") if name.strip())
    logs.to_stderr(logging.INFO)
    path = ready.path_of(ready_file, os.environ).absolute()
    network = LocalNetwork(Size(named, nats, edges, controllers), directory, settings or ())

    def announce(told: Mapping[str, Any]) -> None:
        for name, about in told["processes"].items():
            where = about.get("tcp") or about.get("api") or about.get("url") or ""
            typer.echo(f"{name:<16} pid {about['pid']:<8} {where}")
        typer.echo(f"Directory and API: {told['api']}")
        typer.echo(f"Logs, settings, processes.json: {told['directory']}")
        typer.echo(f"Ready file: {path} (holds the admin token)")

    # Not uvloop: it cannot start a process as another user, which PostgreSQL needs when we are root.
    asyncio.run(run(network, path, announce))
