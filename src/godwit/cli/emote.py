"""`godwit emote`: words that clients show as pictures."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from godwit.cli.api import connect
from godwit.cli.importing import File, bring
from godwit.cli.moderation import pages
from godwit.cli.options import ApiUrl, By, Json, Token, actor
from godwit.web.names import channel_name

app = typer.Typer(
    no_args_is_help=True, help="Words that clients show as pictures. Example: godwit emote add PogBird 300001"
)

Of = Annotated[
    str | None, typer.Option("--channel", metavar="CHANNEL", help="For this channel alone; else for everybody.")
]
Code = Annotated[str, typer.Argument(metavar="CODE", help="The word, as it is written in chat.")]


@app.command(name="list")
def list_emotes(
    channel: Of = None,
    first: Annotated[bool, typer.Option("--first", help="Those that every server begins with.")] = False,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """List emotes that were added, for everybody or for one channel.

    Example: godwit emote list --channel '#alice'
    """
    server = connect(api, token, os.environ)
    if first:
        found = server.get("emotes", "first")["emotes"]
    else:
        found = pages(server, "emotes", "emotes", cursor="code", channel=channel_name(channel) if channel else "")
    if as_json:
        typer.echo(json.dumps({"emotes": found}))
        return
    for row in found:
        typer.echo(f"{row['code']}  {row['id']}")


@app.command()
def add(
    code: Code,
    emote: Annotated[str, typer.Argument(metavar="ID", help="By which clients find the picture.")],
    channel: Of = None,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Add an emote, or give another picture to the word. Edges know it within a minute or two.

    Example: godwit emote add alicePog 300002 --channel '#alice'
    """
    body = {"code": code, "id": emote, "channel": channel_name(channel) if channel else "", "by": actor(by)}
    found = connect(api, token, os.environ).post("emotes", body=body)
    where = f"in #{found['channel']}" if found["channel"] else "everywhere"
    typer.echo(json.dumps(found) if as_json else f"{found['code']} is {found['id']} {where}")


@app.command()
def remove(code: Code, channel: Of = None, by: By = None, api: ApiUrl = None, token: Token = None) -> None:
    """Remove an emote that was added.

    Example: godwit emote remove PogBird
    """
    name = channel_name(channel) if channel else ""
    connect(api, token, os.environ).delete("emotes", code=code, channel=name, by=actor(by))
    typer.echo(f"{code} is removed")


@app.command(name="import")
def import_emotes(file: File, by: By = None, api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """Add many emotes: columns code, id, channel (empty for everybody).

    A row that is refused is told with its line; the others are written.

    Exit status: 0 all rows were written; 1 some were refused; 2 the file was refused.

    Example: godwit emote import emotes.csv
    """
    bring(connect(api, token, os.environ), file, actor(by), "import", "emotes", as_json=as_json)
