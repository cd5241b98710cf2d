"""`godwit process`: the processes of the network."""

from __future__ import annotations

import json
import os

import typer

from godwit.cli.api import connect
from godwit.cli.options import ApiUrl, Json, Token

app = typer.Typer(
    no_args_is_help=True,
    help="The processes of the network: edges, directories, controllers. Example: godwit process list",
)


@app.callback()
def _process() -> None:
    """Keep `list` a word of its own: a group of one command would lose it."""


@app.command(name="list")
def list_processes(api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """List the processes: since when they run, when they were last seen, how wrong their clocks are.

    One that ended without a word is listed as dead for a day, or until its name is taken again.

    Example: godwit process list
    """
    found = connect(api, token, os.environ).get("processes")
    if as_json:
        typer.echo(json.dumps(found))
        return
    from godwit.cli.tables import processes, show

    show(processes(found["processes"]))
