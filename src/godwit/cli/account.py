"""`godwit account`: accounts, what is known of them, and their tokens."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from typing import Annotated, Any

import typer

from godwit.cli import tokens
from godwit.cli.api import connect
from godwit.cli.importing import File, bring
from godwit.cli.options import ApiUrl, By, Json, Reason, Token, actor
from godwit.web.names import login_name

app = typer.Typer(
    no_args_is_help=True,
    help="Accounts, what is known of them, and tokens to log in with. Example: godwit account add alice",
)

app.command("tokens")(tokens.tokens)
app.command("revoke")(tokens.revoke)

PAGE = 1000
"""Accounts that one request lists."""

NONE = "none"
"""What options say that take a fact back."""


class UserType(StrEnum):
    """What an account is everywhere."""

    STAFF = "staff"
    ADMIN = "admin"
    GLOBAL_MOD = "global_mod"
    NONE = "none"


class Bot(StrEnum):
    """What is known of a bot."""

    KNOWN = "known"
    VERIFIED = "verified"
    NONE = "none"


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


@app.command()
def show(login: Login, api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """Show what is known of an account.

    Example: godwit account show alice
    """
    found = connect(api, token, os.environ).get("accounts", login_name(login))
    typer.echo(json.dumps(found) if as_json else _told(found))


@app.command(name="set")
def change(
    login: Login,
    display_name: Annotated[str | None, typer.Option("--display-name", help="The name as shown.")] = None,
    color: Annotated[str | None, typer.Option("--color", help="Such as '#FF0000'; none for no colour.")] = None,
    user_type: Annotated[
        UserType | None, typer.Option("--user-type", help="staff, admin and global_mod moderate everywhere.")
    ] = None,
    bot: Annotated[Bot | None, typer.Option("--bot", help="A verified bot has higher limits.")] = None,
    badges: Annotated[
        str | None, typer.Option("--badges", help="Shown everywhere, such as 'partner/1 turbo/1'; none for no badge.")
    ] = None,
    suspended: Annotated[
        bool | None, typer.Option("--suspended/--not-suspended", help="It may say nothing anywhere.")
    ] = None,
    channel_suspended: Annotated[
        bool | None, typer.Option("--channel-suspended/--channel-open", help="The channel of its name is closed.")
    ] = None,
    reason: Reason = "",
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Say what is known of an account; what no option names stays. Edges see it within a minute or two.

    Example: godwit account set alice --badges 'partner/1' --color '#FF0000'
    """
    given = {
        "display_name": display_name,
        "color": "" if color == NONE else color,
        "user_type": _value(user_type),
        "bot": _value(bot),
        "badges": "" if badges == NONE else badges,
        "suspended": suspended,
        "channel_suspended": channel_suspended,
    }
    body = {name: value for name, value in given.items() if value is not None}
    found = connect(api, token, os.environ).put(
        "accounts", login_name(login), body={**body, "reason": reason, "by": actor(by)}
    )
    typer.echo(json.dumps(found) if as_json else _told(found))


@app.command(name="import")
def import_accounts(file: File, by: By = None, api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """Add many accounts, or change what is known of them.

    Columns: login, user_id, display_name, color, user_type, bot, badges, suspended, channel_suspended; only login is
    needed. A row that is refused is told with its line; the others are written.

    Exit status: 0 all rows were written; 1 some were refused; 2 the file was refused.

    Example: godwit account import accounts.csv
    """
    bring(connect(api, token, os.environ), file, actor(by), "import", "accounts", as_json=as_json)


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


def _value(option: StrEnum | None) -> str | None:
    return None if option is None else "" if option.value == NONE else option.value


def _told(row: dict[str, Any]) -> str:
    """What is known of an account, in one line."""
    parts = [f"{row['login']}: user id {row['user_id']}, shown as {row['display_name'] or row['login']}"]
    parts += [row[name] for name in ("color", "user_type") if row[name]]
    parts += [f"{row['bot']} bot"] if row["bot"] else []
    parts += [f"badges {' '.join(row['badges'])}"] if row["badges"] else []
    parts += ["suspended"] if row["suspended"] else []
    parts += ["its channel is suspended"] if row["channel_suspended"] else []
    return ", ".join(parts)
