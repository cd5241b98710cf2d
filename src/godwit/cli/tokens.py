"""`godwit account tokens` and `godwit account revoke`: what lets accounts in, and what no longer does."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from godwit.cli.api import connect
from godwit.cli.options import ApiUrl, By, Json, Token, actor
from godwit.cli.times import clock
from godwit.web.names import login_name

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="The account's login.")]


def tokens(login: Login, api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """List the tokens of an account: id, when it was made, scopes.

    Example: godwit account tokens alice
    """
    found = connect(api, token, os.environ).get("accounts", login_name(login), "tokens")
    if as_json:
        typer.echo(json.dumps(found))
        return
    for row in found["tokens"]:
        scopes = " ".join(row["scopes"]) or "all scopes"
        typer.echo(f"{row['id']}  {clock(row['created'])}  {'revoked' if row['revoked'] else scopes}")


def revoke(
    login: Login,
    token_id: Annotated[
        str | None, typer.Argument(metavar="TOKEN-ID", help="One token; without it all that lets the account in.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit.")] = "",
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
) -> None:
    """Revoke a token of an account, or all; what is connected with it ends within 5 s.

    Without a token's id, what an identity provider has issued for the account so far is void, too.

    Example: godwit account revoke alice
    """
    name, server = login_name(login), connect(api, token, os.environ)
    if token_id is None:
        server.post("accounts", name, "end", body={"by": actor(by), "reason": reason})
        typer.echo(f"nothing lets {name} in any more but what is given from now on")
    else:
        server.delete("accounts", name, "tokens", token_id, by=actor(by))
        typer.echo(f"token {token_id} of {name} is revoked")
