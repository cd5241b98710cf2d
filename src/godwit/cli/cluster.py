"""`godwit cluster`: the clusters of the network, and what becomes of them."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from godwit.cli.api import connect
from godwit.cli.options import ApiUrl, By, DryRun, Json, Reason, Token
from godwit.cli.wishes import Doing, act
from godwit.errors import InvalidRequest

app = typer.Typer(
    no_args_is_help=True,
    help="The clusters of the network, and what becomes of them. Example: godwit cluster list",
)

Cluster = Annotated[str, typer.Argument(metavar="CLUSTER", help="A configured cluster, such as main.")]


@app.command(name="list")
def list_clusters(api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """List the clusters: their addresses, how many channels live there, which are retired.

    Example: godwit cluster list
    """
    found = connect(api, token, os.environ).get("clusters")
    if as_json:
        typer.echo(json.dumps(found))
        return
    from godwit.cli.tables import clusters, show

    show(clusters(found["clusters"]))


@app.command()
def retire(
    cluster: Cluster,
    into: Annotated[str, typer.Option("--into", metavar="CLUSTER", help="What its addresses serve from then on.")],
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Have a cluster's addresses serve another cluster, for good: the end of a migration.

    Every channel must have left it. New connections are served by the other cluster at once; those that are there
    are asked to connect again, spread over minutes.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit cluster retire main --into aws --dry-run
    """
    doing = Doing(by, reason, dry_run, as_json)
    act(connect(api, token, os.environ), "retire", doing, args={"cluster": cluster, "into": into})


@app.command()
def restore(
    cluster: Cluster,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Bring a retired cluster back: its addresses serve it again.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit cluster restore main
    """
    act(connect(api, token, os.environ), "restore", Doing(by, reason, dry_run, as_json), args={"cluster": cluster})


@app.command()
def evacuate(
    cluster: Cluster,
    into: Annotated[str, typer.Option("--into", metavar="CLUSTER", help="Where its channels go.")],
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Take all channels off a cluster whose log is gone, by force; needs --reason.

    Only this may lose lines: those that nobody had read yet. They are counted in each move and told to clients. A
    cluster whose log answers is better emptied by a rollout, which loses nothing.

    Exit status: 0 begun, as a rollout of its own; 2 it was refused and nothing was changed.

    Example: godwit cluster evacuate main --into aws --reason 'its disks are gone'
    """
    if not reason.strip():
        raise InvalidRequest("to evacuate needs a reason, for the audit: add --reason TEXT")
    doing = Doing(by, reason, dry_run, as_json)
    act(connect(api, token, os.environ), "evacuate", doing, args={"cluster": cluster, "into": into})


@app.command()
def default(
    cluster: Cluster,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Say where channels live that nobody placed: all of them move there at once.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit cluster default aws
    """
    act(connect(api, token, os.environ), "default", Doing(by, reason, dry_run, as_json), args={"cluster": cluster})
