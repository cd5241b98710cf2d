"""`godwit rollout issue`: what was found wrong in a wave; the next wave waits until it is resolved."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from godwit.cli.api import connect
from godwit.cli.options import ApiUrl, By, DryRun, Json, Reason, Rollout, Token
from godwit.cli.wishes import Doing, act, pick

app = typer.Typer(
    no_args_is_help=True,
    help="What was found wrong; the next wave waits until it is resolved. Example: godwit rollout issue list",
)


@app.command()
def add(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is wrong, in one line.")],
    wave: Annotated[
        str | None, typer.Option("--wave", metavar="WAVE", help="Where; else the wave of the turn.")
    ] = None,
    rollout: Rollout = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Write down something that is wrong: the next wave waits for it.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit rollout issue add 'songbot answers twice' --wave partners
    """
    server = connect(api, token, os.environ)
    args = {"text": text} if wave is None else {"text": text, "wave": wave}
    act(server, "issue-add", Doing(by, reason, dry_run, as_json), rollout=pick(server, rollout)["id"], args=args)


@app.command()
def resolve(
    issue: Annotated[str, typer.Argument(metavar="ISSUE", help="Its id, as 'issue list' shows it.")],
    resolution: Annotated[str, typer.Argument(metavar="RESOLUTION", help="How, in one line.")] = "",
    rollout: Rollout = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Say that an issue is resolved.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit rollout issue resolve 3f2a 'fixed in songbot 2.1'
    """
    server = connect(api, token, os.environ)
    args = {"issue": issue, "resolution": resolution}
    act(server, "issue-resolve", Doing(by, reason, dry_run, as_json), rollout=pick(server, rollout)["id"], args=args)


@app.command(name="list")
def list_issues(rollout: Rollout = None, api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """List the issues of a rollout, oldest first.

    Example: godwit rollout issue list
    """
    server = connect(api, token, os.environ)
    found = server.get("rollouts", pick(server, rollout)["id"], "issues")
    if as_json:
        typer.echo(json.dumps(found))
        return
    from godwit.cli.tables import issues, show

    show(issues(found["issues"]))
