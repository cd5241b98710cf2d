"""`godwit edge`: the connections of one cluster's clients, as one process of many."""

from __future__ import annotations

from typing import Annotated

import typer

from godwit.cli.options import Config, Set
from godwit.cli.processes import Name, ReadyFile, load, run_process
from godwit.cli.serve import Ports, Program


def edge(
    cluster: Annotated[str, typer.Option("--cluster", help="Whose clients to serve.")],
    name: Name = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that share the ports.")] = 1,
    config: Config = None,
    settings: Set = None,
    ports: Annotated[Ports, typer.Option("--ports", help="auto takes free ports.")] = Ports.FIXED,
    ready_file: ReadyFile = None,
) -> None:
    """Run an edge of one cluster. Needs PostgreSQL, NATS and an admin token: docs/operate.md tells how.

    At SIGTERM it accepts nobody any more, sends its clients RECONNECT over edge.drain_spread seconds, and ends.
    SIGHUP reads the certificate of edge.certificate anew.

    Example: godwit edge --cluster aws --config godwit.toml
    """
    found = load(config, settings, name)

    def make() -> Program:
        from godwit.roles.edge import Edge
        from godwit.roles.workers import Workers

        auto = ports is Ports.AUTO
        if workers == 1:
            return Edge(found, cluster, ports_auto=auto)
        return Workers(found, cluster, workers, config=config, sets=settings or (), ports_auto=auto)

    run_process(make, ready_file, renews=True)
