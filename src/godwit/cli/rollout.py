"""`godwit rollout`: moving many channels, wave by wave, and back."""

from __future__ import annotations

import json
import math
import os
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from godwit.cli import issue
from godwit.cli.api import Api, connect
from godwit.cli.options import ApiUrl, By, DryRun, Json, Reason, Rollout, Token
from godwit.cli.wishes import Doing, act, pick
from godwit.errors import InvalidRequest
from godwit.web.names import channel_name, shown

app = typer.Typer(
    no_args_is_help=True,
    help="Moving many channels, wave by wave, and back. Begin with: godwit rollout plan rollout.toml",
)
app.add_typer(issue.app, name="issue")

File = Annotated[Path, typer.Argument(metavar="FILE", help="The rollout, as docs/rollouts.md says how to write one.")]
Name = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Its name or id; needless while only one is under way.")
]
Channel = Annotated[
    str, typer.Argument(metavar="CHANNEL", help="Such as '#alice'; quote it, since # begins a comment.")
]
Force = Annotated[bool, typer.Option("--force", help="Move live channels too; needs --reason.")]

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
    from godwit.cli import plans

    server = connect(api, token, os.environ)
    found = plans.ask(server, plans.read(server, file))
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
    from godwit.cli import plans

    server = connect(api, token, os.environ)
    definition = plans.read(server, file)
    if not plan_hash:
        found = plans.ask(server, definition)
        if not as_json:
            plans.show(found, everything=False)
        command = f"godwit rollout start {plans.quoted(file)} --hash {found['hash']}"
        raise InvalidRequest(f"nothing is started without the hash of its plan; start it with: {command}")
    args = {"toml": definition, "hash": plan_hash, "replan": replan, "all_at_once": all_at_once}
    try:
        act(server, "start", Doing(by, reason, dry_run, as_json), args=args)
    except InvalidRequest:
        # Whoever named another plan sees what it is now, beside the refusal.
        found = plans.ask(server, definition)
        if found["hash"] != plan_hash and not as_json:
            plans.show(found, everything=False)
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
    from godwit.cli.tables import rollouts, show

    show(rollouts(found["rollouts"]))


@app.command()
def status(
    name: Name = None,
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
def pause(
    name: Name = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Begin no more moves; those under way come to their end.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit rollout pause --reason 'bots complain'
    """
    _verb("pause", name, connect(api, token, os.environ), Doing(by, reason, dry_run, as_json))


@app.command()
def resume(
    name: Name = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Go on after a pause.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit rollout resume
    """
    _verb("resume", name, connect(api, token, os.environ), Doing(by, reason, dry_run, as_json))


@app.command()
def abort(
    name: Name = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """End a rollout where it stands, in every state: what has moved stays moved.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit rollout abort --reason 'not this week'
    """
    _verb("abort", name, connect(api, token, os.environ), Doing(by, reason, dry_run, as_json))


@app.command()
def reverse(
    name: Name = None,
    channel: Annotated[str, typer.Option("--channel", metavar="CHANNEL", help="Only this one.")] = "",
    wave: Annotated[str, typer.Option("--wave", metavar="WAVE", help="Only the channels of this wave.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All of them, the default placement too.")] = False,
    force: Force = False,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Move channels back to where they came from, as gently as they went: one, a wave, or all.

    Exit status: 0 it goes back now; 2 it was refused and nothing was changed.

    Example: godwit rollout reverse --all --reason 'p99 doubled'
    """
    if (bool(channel), bool(wave), everything).count(True) != 1:
        raise InvalidRequest("say what goes back: one of --channel '#name', --wave NAME or --all")
    _reason_for(force, reason)
    args: dict[str, object] = {"all": True} if everything else {"wave": wave} if wave else {}
    if channel:
        args["channel"] = channel_name(channel)
    if force:
        args["force"] = True
    _verb("reverse", name, connect(api, token, os.environ), Doing(by, reason, dry_run, as_json), args)


@app.command()
def skip(
    channel: Channel,
    rollout: Rollout = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Leave a channel out of a rollout: it stays where it is, and its wave ends without it.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit rollout skip '#alice'
    """
    args = {"channel": channel_name(channel)}
    _verb("skip", rollout, connect(api, token, os.environ), Doing(by, reason, dry_run, as_json), args)


@app.command()
def retry(
    channel: Annotated[
        str | None, typer.Argument(metavar="CHANNEL", help="Only this one; else all that failed.")
    ] = None,
    rollout: Rollout = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Try channels again that failed or were skipped.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit rollout retry '#alice'
    """
    args = {} if channel is None else {"channel": channel_name(channel)}
    _verb("retry", rollout, connect(api, token, os.environ), Doing(by, reason, dry_run, as_json), args)


@app.command()
def explain(channel: Channel, api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """Say why a channel has not moved, or how it did: the same as godwit channel explain.

    Example: godwit rollout explain '#alice'
    """
    from godwit.cli.explain import explain as tell

    tell(connect(api, token, os.environ), channel, as_json=as_json)


@app.command(name="set")
def set_budget(
    budget: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE...", help="in_flight, cold_in_flight, hot_per_second, ...")
    ],
    rollout: Rollout = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Change the budget of a rollout while it runs: in_flight, cold_in_flight, hot_per_second, cold_per_second.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit rollout set in_flight=40 hot_per_second=2
    """
    args = {"budget": dict(_pair(text) for text in budget)}
    _verb("set", rollout, connect(api, token, os.environ), Doing(by, reason, dry_run, as_json), args)


@app.command()
def approve(
    wave: Annotated[str, typer.Argument(metavar="WAVE", help="The wave's name.")],
    gate: Annotated[
        str | None, typer.Argument(metavar="GATE", help="A gate's name; else those that wait for an approval.")
    ] = None,
    rollout: Rollout = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Let a wave pass its approval, or one named gate whatever it says; that needs --reason.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit rollout approve partners
    """
    args = {"wave": wave} if gate is None else {"wave": wave, "gate": gate}
    _verb("approve", rollout, connect(api, token, os.environ), Doing(by, reason, dry_run, as_json), args)


@app.command()
def report(
    name: Name = None,
    form: Annotated[Form, typer.Option("--format", help="Markdown for people, JSON for programs.")] = Form.MD,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it there.")] = None,
    api: ApiUrl = None,
    token: Token = None,
) -> None:
    """Write the report of a rollout: what moved when, how long, who followed, which accounts never did.

    Example: godwit rollout report --out report.md
    """
    server = connect(api, token, os.environ)
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
    name: Name = None,
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


def _verb(verb: str, name: str | None, server: Api, doing: Doing, args: dict[str, Any] | None = None) -> None:
    """Carry out a verb that concerns one rollout."""
    act(server, verb, doing, rollout=pick(server, name)["id"], args=args)


def _reason_for(force: bool, reason: str) -> None:
    if force and not reason.strip():
        raise InvalidRequest("force needs a reason, for the audit: add --reason TEXT")


def _pair(text: str) -> tuple[str, float]:
    key, equals, value = text.partition("=")
    try:
        if not equals:
            raise ValueError
        number = float(value)
        if not math.isfinite(number):
            raise ValueError
    except ValueError:
        raise InvalidRequest(f"{shown(text)} is no budget: write it like in_flight=40") from None
    return key.strip(), int(number) if number.is_integer() else number
