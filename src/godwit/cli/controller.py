"""`godwit controller`: what moves channels, as one process of many."""

from __future__ import annotations

from godwit.cli.options import Config, Set
from godwit.cli.processes import Name, ReadyFile, load, run_process
from godwit.cli.serve import Program


def controller(
    name: Name = None,
    config: Config = None,
    settings: Set = None,
    ready_file: ReadyFile = None,
) -> None:
    """Run a controller; of several one leads, and another goes on within seconds when that one dies.

    Needs PostgreSQL, NATS and an admin token: docs/operate.md tells how.

    Example: godwit controller --config godwit.toml
    """
    found = load(config, settings, name)

    def make() -> Program:
        from godwit.roles.controller import Controller

        return Controller(found)

    run_process(make, ready_file)
