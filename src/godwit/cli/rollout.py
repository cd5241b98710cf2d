"""`godwit rollout`: moving many channels, wave by wave, and back."""

from __future__ import annotations

import json
import os
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from godwit.cli import issue, rollout_verbs
from godwit.cli.api import connect
from godwit.cli.options import ApiUrl, By, Channel, DryRun, Json, Reason, RolloutName, Token
from godwit.cli.wishes import Doing, act, pick
from godwit.errors import InvalidRequest

app = typer.Typer(
    no_args_is_help=True,
    help="Moving many channels, wave by wave, and back. Begin with: godwit rollout plan rollout.toml",
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The rollout, as docs/rollouts.md says how to write one.")]

PAGE = 1000
"""Items that one request lists."""


class Form(StrEnum):
    """How a report is written."""

    MD = "md"
    JSON = "json"


@app.command()
def plan(
    file: File,
    everything: Annotated[
        bool, typer.Option("--all", help="Name every channel that is left out, not only the first.")
    ] = False,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Show which channels would go in which wave, how long it takes, who is left out and why, and the plan's hash.

    Nothing is changed. The hash names exactly this plan: start takes it.

    Example: godwit rollout plan rollout.toml
    """
    from godwit.cli import plans, seen

    server = connect(api, token, os.environ)
    found = plans.ask(server, plans.read(server, file))
    seen.remember(found, os.environ)
    if as_json:
        typer.echo(json.dumps(found))
        return
    plans.show(found, everything=everything)
    typer.echo(f"start it with: godwit rollout start {plans.quoted(file)} --hash {found['hash']}")


@app.command()
def start(
    file: File,
    plan_hash: Annotated[str, typer.Option("--hash", help="Of the plan that you have seen.")] = "",
    replan: Annotated[
        bool, typer.Option("--replan", help="Start although the plan is no longer that of the hash.")
    ] = False,
    all_at_once: Annotated[
        bool, typer.Option("--all-at-once", help="One switch: waves follow each other without gates and soaks.")
    ] = False,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Start a rollout as it was planned. Without --hash it shows the plan and starts nothing.

    Exit status: 0 started; 2 it was refused and nothing was changed.

    Example: godwit rollout start rollout.toml --hash 8c1f0a6be2d97430
    """
    from godwit.cli import plans, seen

    server = connect(api, token, os.environ)
    definition = plans.read(server, file)
    if not plan_hash:
        found = plans.ask(server, definition)
        seen.remember(found, os.environ)
        if not as_json:
            plans.show(found, everything=False)
        command = f"godwit rollout start {plans.quoted(file)} --hash {found['hash']}"
        raise InvalidRequest(f"nothing is started without the hash of its plan; start it with: {command}")
    args = {"toml": definition, "hash": plan_hash, "replan": replan, "all_at_once": all_at_once}
    try:
        act(server, "start", Doing(by, reason, dry_run, as_json), args=args)
    except InvalidRequest as error:
        if "--replan" in str(error):
            plans.warn(plans.ask(server, definition), seen.recall(plan_hash, os.environ))
        raise


@app.command(name="list")
def list_rollouts(api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """List the rollouts, newest first.

    Example: godwit rollout list
    """
    found = connect(api, token, os.environ).get("rollouts")
    if as_json:
        typer.echo(json.dumps(found))
        return
    if not found["rollouts"]:
        typer.echo("there is no rollout yet: write one and try godwit rollout plan rollout.toml")
        return
    from godwit.cli.tables import rollouts, show

    show(rollouts(found["rollouts"]))


@app.command()
def status(
    name: RolloutName = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on showing it until it ends.")] = False,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Show how far a rollout is: waves, rate, time left, gates, issues, and why what waits is waiting.

    With --watch it is drawn again at each change; with --json too, one object a line.

    Example: godwit rollout status --watch
    """
    server = connect(api, token, os.environ)
    rollout = pick(server, name)["id"]
    if watch:
        from godwit.cli import watch as watching

        watching.follow(server, rollout, as_json=as_json)
        return
    found = server.get("rollouts", rollout)
    if as_json:
        typer.echo(json.dumps(found))
        return
    from godwit.cli.progress import draw
    from godwit.cli.tables import show

    show(draw(found, now=time.time()))


@app.command()
def explain(channel: Channel, api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """Say why a channel has not moved, or how it did: the same as godwit channel explain.

    Example: godwit rollout explain '#alice'
    """
    from godwit.cli.explain import explain as tell

    tell(connect(api, token, os.environ), channel, as_json=as_json)


@app.command()
def report(
    name: RolloutName = None,
    form: Annotated[
        Form | None, typer.Option("--format", help="md for people (by default), json for programs.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it there.")] = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Write the report of a rollout: what moved when, how long, who followed, which accounts never did.

    Example: godwit rollout report --out report.md
    """
    if as_json and form is Form.MD:
        raise InvalidRequest("say one of --json and --format md")
    server = connect(api, token, os.environ)
    form = Form.JSON if as_json else form or Form.MD
    text = server.text("rollouts", pick(server, name)["id"], "report", format=form.value)
    if out is None:
        typer.echo(text, nl=not text.endswith("\n"))
        return
    try:
        out.write_text(text if text.endswith("\n") else text + "\n")
    except OSError as error:
        raise InvalidRequest(f"cannot write {out}: {error.strerror}") from error
    typer.echo(f"{out} is written")


@app.command()
def items(
    name: RolloutName = None,
    state: Annotated[str | None, typer.Option("--state", help="waiting, moving, done, skipped or failed.")] = None,
    wave: Annotated[str | None, typer.Option("--wave", metavar="WAVE", help="Only of this wave.")] = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """List the channels of a rollout with their states. With --json one object a line.

    Example: godwit rollout items --state failed
    """
    from godwit.cli.tables import item

    server = connect(api, token, os.environ)
    rollout = pick(server, name)["id"]
    after: str | None = None
    while after != "":
        found = server.get("rollouts", rollout, "items", state=state, wave=wave, after=after, limit=PAGE)
        for row in found["items"]:
            typer.echo(json.dumps(row) if as_json else item(row))
        after = found["next"]


app.command()(rollout_verbs.pause)
app.command()(rollout_verbs.resume)
app.command()(rollout_verbs.abort)
app.command()(rollout_verbs.reverse)
app.command()(rollout_verbs.skip)
app.command()(rollout_verbs.retry)
app.command(name="set")(rollout_verbs.set_budget)
app.command()(rollout_verbs.approve)
app.add_typer(issue.app, name="issue")
