"""`godwit channel`: where channels are, moving them, and who is who there (`moderation.py`, `people.py`)."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from godwit.cli import moderation, people
from godwit.cli.api import Api, connect
from godwit.cli.options import ApiUrl, By, Channel, DryRun, Json, Reason, Token, actor
from godwit.cli.times import clock
from godwit.cli.wishes import Doing, act
from godwit.errors import InvalidRequest
from godwit.web.names import channel_name

app = typer.Typer(
    no_args_is_help=True, help="Where channels are, and moving them. Example: godwit channel show '#alice'"
)

POLL = 25
"""Seconds that one request waits for a move's next step."""


class Wait(StrEnum):
    """What `move` waits for."""

    DRAINING = "draining"
    SETTLED = "settled"


class Tier(StrEnum):
    """What waves select by."""

    STAFF = "staff"
    PARTNER = "partner"
    AFFILIATE = "affiliate"
    NONE = "none"


class What(StrEnum):
    """What may be imported."""

    FACTS = "facts"
    ROLES = "roles"
    FOLLOWERS = "followers"
    SUBSCRIBERS = "subscribers"


class Opt(StrEnum):
    """What a channel's owner asked for."""

    IN = "in"
    OUT = "out"
    NONE = "none"


@app.command()
def show(name: Channel, api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """Show where a channel is and how its last move went.

    Example: godwit channel show '#alice' --json
    """
    found = connect(api, token, os.environ).get("channels", channel_name(name))
    if as_json:
        typer.echo(json.dumps(found))
        return
    typer.echo(f"#{found['channel']} is on {found['cluster']}, epoch {found['epoch']}, {found['state']}")
    if found["state"] == "draining":
        typer.echo(f"the drain of {', '.join(found['previous'])} ends at {clock(found['drain_until'])}")
    elif found["previous"]:
        typer.echo(f"it was on {', '.join(found['previous'])} before")
    if found["default"]:
        typer.echo("nobody placed it: it is where the default placement says")
    typer.echo(f"live: {'yes' if found['live'] else 'no'}")
    if found["move"]:
        typer.echo(_summary(found["move"]))


@app.command()
def move(
    name: Channel,
    to: Annotated[str, typer.Option("--to", metavar="CLUSTER", help="The cluster to go to.")],
    wait: Annotated[
        Wait, typer.Option("--wait", help="Return when the switch is committed, or when the drain is over too.")
    ] = Wait.DRAINING,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return when the wish is recorded.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Move although the channel is live; needs --reason.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit.")] = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Move a channel to another cluster while people talk.

    Prints each state with its time. Returns when the switch is committed: the new cluster is home, the old one drains.

    Exit status: 0 done; 1 the move was cancelled or failed; 2 it was refused and nothing was changed.

    Example: godwit channel move '#alice' --to aws
    """
    channel = channel_name(name)
    server = connect(api, token, os.environ)
    wish = {"to": to, "force": force, "reason": reason, "by": actor(by), "dry_run": dry_run}
    found = server.post("channels", channel, "move", body=wish)
    if dry_run:
        way = f"#{channel} would go from {found['from']} to {found['to']} under epoch {found['epoch']}"
        typer.echo(json.dumps(found) if as_json else f"dry run, nothing is changed: {way}")
        return
    steps = _Steps(silent=as_json)
    steps.show(found)
    if not no_wait:
        found = _follow(server, found, wait, steps)
    if as_json:
        typer.echo(json.dumps(found))
    if found["state"] in ("cancelled", "failed"):
        why = f": {found['error']}" if found["error"] else ""
        typer.echo(f"godwit: the move of #{channel} to {found['to']} was not done ({found['state']}{why})", err=True)
        raise typer.Exit(1)


@app.command()
def live(name: Channel, by: By = None, api: ApiUrl = None, token: Token = None) -> None:
    """Say that a channel's stream runs: it is moved by force only.

    Example: godwit channel live '#alice'
    """
    _set_live(name, True, by, connect(api, token, os.environ))


@app.command()
def offline(name: Channel, by: By = None, api: ApiUrl = None, token: Token = None) -> None:
    """Say that a channel's stream has ended: it may be moved.

    Example: godwit channel offline '#alice'
    """
    _set_live(name, False, by, connect(api, token, os.environ))


@app.command()
def hold(
    name: Channel,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Keep a channel where it is: rollouts leave it waiting until it is released.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit channel hold '#alice' --reason 'tournament until Sunday'
    """
    args = {"channel": channel_name(name)}
    act(connect(api, token, os.environ), "hold", Doing(by, reason, dry_run, as_json), args=args)


@app.command()
def release(
    name: Channel,
    reason: Reason = "",
    dry_run: DryRun = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """End a hold: rollouts may move the channel again.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit channel release '#alice'
    """
    args = {"channel": channel_name(name)}
    act(connect(api, token, os.environ), "release", Doing(by, reason, dry_run, as_json), args=args)


@app.command()
def explain(name: Channel, api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """Say why a channel has not moved, or how it did: one reason, since when, which rollout and wave, its moves.

    Example: godwit channel explain '#alice'
    """
    from godwit.cli.explain import explain as tell

    tell(connect(api, token, os.environ), name, as_json=as_json)


@app.command()
def facts(
    name: Channel,
    tier: Annotated[Tier | None, typer.Option("--tier", help="Which waves take it.")] = None,
    opt: Annotated[Opt | None, typer.Option("--opt", help="in asked to move early, out to move last.")] = None,
    members: Annotated[int | None, typer.Option("--members", min=0, help="The most it has had at once.")] = None,
    rate: Annotated[float | None, typer.Option("--rate", min=0, help="Messages per second at its peak.")] = None,
    starts_at: Annotated[
        str | None, typer.Option("--starts-at", metavar="TIME", help="Its next stream, such as 2030-01-31T18:00Z.")
    ] = None,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Show what is known of a channel, or change what options name: waves select by it.

    Example: godwit channel facts '#alice' --tier partner --opt in --members 100
    """
    from godwit.cli import facts as known

    given = known.given(tier=tier, opt=opt, members=members, rate=rate, starts_at=starts_at)
    found = known.change(connect(api, token, os.environ), channel_name(name), given, actor(by))
    typer.echo(json.dumps(found) if as_json else known.told(found))


@app.command(name="import")
def import_rows(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One row a line: JSON, or CSV with a heading.")],
    what: Annotated[What, typer.Option("--what", help="What the rows are.")] = What.FACTS,
    add: Annotated[bool, typer.Option("--add", help="Add accounts that rows name and that are not there.")] = False,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Write what is known of many channels.

    Columns: facts: channel, tier, opt, members, rate, starts_at; roles: channel, login, role (mod, vip or none);
    followers: channel, login, since; subscribers: channel, login, months, tier, active.

    A row that is refused is told with its line; the others are written. Roles count from the beginning: whatever was
    decided in the channel itself is later.

    Exit status: 0 all rows were written; 1 some were refused; 2 the file was refused.

    Example: godwit channel import mods.csv --what roles
    """
    from godwit.cli import importing

    path = ("channels", "import") if what is What.FACTS else ("import", what.value)
    importing.bring(connect(api, token, os.environ), file, actor(by), *path, as_json=as_json, add=add)


for _command in (
    *(moderation.bans, moderation.ban, moderation.timeout, moderation.unban),
    *(moderation.roles, moderation.role, moderation.unrole, moderation.usernotice),
    *(people.followers, people.follow, people.unfollow, people.subscribers, people.subscribe, people.unsubscribe),
):
    app.command()(_command)


def _set_live(name: str, value: bool, by: str | None, server: Api) -> None:
    channel = channel_name(name)
    server.post("channels", channel, "live", body={"live": value, "by": actor(by)})
    typer.echo(f"#{channel} is {'live' if value else 'offline'}")


def _follow(server: Api, found: dict[str, Any], wait: Wait, steps: _Steps) -> dict[str, Any]:
    """Wait until a move has come far enough, showing each step."""
    enough = {"settled", "cancelled", "failed", wait.value}
    while found["state"] not in enough:
        try:
            found = server.get(
                "moves", found["id"], "wait", until=wait.value, after_version=found["version"], timeout=POLL
            )
        except InvalidRequest as error:
            raise InvalidRequest(
                f"lost sight of move {found['id']}, last seen {found['state']}; it may go on: {error}"
            ) from error
        steps.show(found)
    return found


class _Steps:
    """Prints each state of a move once, with its time."""

    def __init__(self, silent: bool) -> None:
        self._silent = silent
        self._shown = 0

    def show(self, found: dict[str, Any]) -> None:
        """Print the states that are new."""
        if self._silent:
            return
        history = found["history"]
        for step in history[self._shown :]:
            since = step["time"] - history[0]["time"]
            typer.echo(f"{clock(step['time'])}  +{since:.3f} s  {step['state']}")
        self._shown = len(history)


def _summary(found: dict[str, Any]) -> str:
    way = f"{found['from']} -> {found['to']}" if found["from"] else f"to {found['to']}"
    forced = ", by force" if found["forced"] else ""
    reason = f", because: {found['reason']}" if found["reason"] else ""
    error = f", {found['error']}" if found["error"] else ""
    return f"last move {found['id']}: {way}, {found['state']}{error}{forced}, wished by {found['by']}{reason}"
