"""`godwit account`: who may log in where auth.mode is tokens."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from godwit.cli import tokens
from godwit.cli.api import connect
from godwit.cli.options import ApiUrl, By, Json, Token, actor
from godwit.web.names import login_name

app = typer.Typer(
    no_args_is_help=True, help="Who may log in where auth.mode is tokens. Example: godwit account add alice"
)

app.command("tokens")(tokens.tokens)
app.command("revoke")(tokens.revoke)

PAGE = 1000
"""Accounts that one request lists."""

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="The account's login.")]


@app.command()
def add(
    login: Login,
    display_name: Annotated[str, typer.Option("--display-name", help="The name as shown, such as Alice.")] = "",
    bot: Annotated[str, typer.Option("--bot", help="known or verified: a bot; verified ones have higher limits.")] = "",
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Add an account; it owns the channel of its name. One that is there already is shown.

    Example: godwit account add alice --display-name Alice
    """
    body = {"login": login_name(login), "display_name": display_name, "bot": bot, "by": actor(by)}
    found = connect(api, token, os.environ).post("accounts", body=body)
    typer.echo(json.dumps(found) if as_json else f"{found['login']} has the user id {found['user_id']}")


@app.command(name="token")
def make_token(
    login: Login,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="What it allows, such as chat:read; again for more. Else all that can be typed."),
    ] = None,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Make a token for an account and print it, this once: only its hash is stored.

    Example: godwit account token alice --scope chat:read
    """
    body = {"by": actor(by), **({"scopes": scope} if scope else {})}
    found = connect(api, token, os.environ).post("accounts", login_name(login), "token", body=body)
    if as_json:
        typer.echo(json.dumps(found))
        return
    typer.echo(f"oauth:{found['token']}")
    typer.echo(f"This is the password of {found['login']}. It is not shown again.", err=True)


@app.command(name="list")
def list_accounts(api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """List all accounts by login.

    Example: godwit account list --json
    """
    server = connect(api, token, os.environ)
    found = []
    page = server.get("accounts", limit=PAGE)["accounts"]
    found += page
    while len(page) == PAGE:
        page = server.get("accounts", after=page[-1]["login"], limit=PAGE)["accounts"]
        found += page
    if as_json:
        typer.echo(json.dumps({"accounts": found}))
        return
    for row in found:
        typer.echo(f"{row['login']}  {row['user_id']}  {row['display_name']}")


@app.command()
def remove(login: Login, by: By = None, api: ApiUrl = None, token: Token = None) -> None:
    """Remove an account and its tokens.

    Example: godwit account remove alice
    """
    name = login_name(login)
    connect(api, token, os.environ).delete("accounts", name, by=actor(by))
    typer.echo(f"{name} is removed")
