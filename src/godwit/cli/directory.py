"""`godwit directory`: directory, API and feed, as one process of many."""

from __future__ import annotations

from typing import Annotated

import typer

from godwit.cli.options import Config, Set
from godwit.cli.processes import Name, ReadyFile, load, run_process
from godwit.cli.serve import Ports, Program


def directory(
    name: Name = None,
    config: Config = None,
    settings: Set = None,
    ports: Annotated[Ports, typer.Option("--ports", help="auto takes a free port.")] = Ports.FIXED,
    ready_file: ReadyFile = None,
) -> None:
    """Run the directory with the API. Needs PostgreSQL, NATS and an admin token: docs/operate.md tells how.

    Example: godwit directory --config godwit.toml
    """
    found = load(config, settings, name)

    def make() -> Program:
        from godwit.roles.directory import Directory

        return Directory(found, ports_auto=ports is Ports.AUTO)

    run_process(make, ready_file)
