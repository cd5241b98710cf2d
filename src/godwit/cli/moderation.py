"""`godwit channel` for moderation: bans, timeouts, roles, and what a channel is shown."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from typing import Annotated, Any

import typer

from godwit.cli.api import Api, connect
from godwit.cli.options import ApiUrl, By, Channel, Json, Reason, Token, actor
from godwit.cli.times import clock
from godwit.errors import InvalidRequest
from godwit.values import LONGEST_TIMEOUT
from godwit.web.names import channel_name, login_name, shown

PAGE = 1000
"""Rows that one request lists."""

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="The account's login.")]


class Role(StrEnum):
    """What somebody may be in a channel."""

    MOD = "mod"
    VIP = "vip"


def bans(name: Channel, api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """List bans and timeouts that stand: who, by whom, since when, until when, why.

    Example: godwit channel bans '#alice'
    """
    found = pages(connect(api, token, os.environ), "bans", "channels", channel_name(name), "bans")
    if as_json:
        typer.echo(json.dumps({"bans": found}))
        return
    for row in found:
        until = f" until {clock(row['until'])}" if row["until"] else ""
        why = f", because: {row['reason']}" if row["reason"] else ""
        typer.echo(f"{row['login']}  {row['kind']}{until}, by {row['by']} since {clock(row['since'])}{why}")


def ban(
    name: Channel,
    login: Login,
    reason: Reason = "",
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Ban an account from a channel for good. It need not be there.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit channel ban '#alice' mallory --reason spam
    """
    body = {"login": _login(login), "reason": reason, "by": actor(by)}
    tell(connect(api, token, os.environ).post("channels", channel_name(name), "bans", body=body), as_json=as_json)


def timeout(
    name: Channel,
    login: Login,
    seconds: Annotated[
        int, typer.Option("--seconds", min=1, max=LONGEST_TIMEOUT, help="How long; two weeks at most.")
    ] = 600,
    reason: Reason = "",
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Keep an account from talking in a channel for a while.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit channel timeout '#alice' mallory --seconds 3600
    """
    body = {"login": _login(login), "seconds": seconds, "reason": reason, "by": actor(by)}
    tell(connect(api, token, os.environ).post("channels", channel_name(name), "bans", body=body), as_json=as_json)


def unban(
    name: Channel,
    login: Login,
    reason: Reason = "",
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """End a ban or a timeout.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit channel unban '#alice' mallory
    """
    _taken(connect(api, token, os.environ), name, "bans", login, by, reason, as_json=as_json)


def roles(name: Channel, api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """List moderators and VIPs: who made them so, and since when.

    Example: godwit channel roles '#alice' --json
    """
    found = pages(connect(api, token, os.environ), "roles", "channels", channel_name(name), "roles")
    if as_json:
        typer.echo(json.dumps({"roles": found}))
        return
    for row in found:
        typer.echo(f"{row['login']}  {row['role']}, by {row['by']} since {clock(row['since'])}")


def role(
    name: Channel,
    login: Login,
    wanted: Annotated[Role, typer.Argument(metavar="mod|vip", help="What the account is to be.")],
    reason: Reason = "",
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Make an account a moderator or a VIP of a channel; it takes the place of the role that it had.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit channel role '#alice' bob mod
    """
    body = {"role": wanted.value, "reason": reason, "by": actor(by)}
    server = connect(api, token, os.environ)
    tell(server.put("channels", channel_name(name), "roles", _login(login), body=body), as_json=as_json)


def unrole(
    name: Channel,
    login: Login,
    reason: Reason = "",
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Take a moderator's or a VIP's role away.

    Exit status: 0 done; 2 it was refused and nothing was changed.

    Example: godwit channel unrole '#alice' bob
    """
    _taken(connect(api, token, os.environ), name, "roles", login, by, reason, as_json=as_json)


def usernotice(
    name: Channel,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="sub, resub, subgift, raid, announcement, ...")],
    login: Login,
    text: Annotated[str, typer.Option("--text", help="What the account says along with it.")] = "",
    param: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=VALUE", help="A msg-param tag, such as cumulative-months=14; again."),
    ] = None,
    system_msg: Annotated[
        str | None, typer.Option("--system-msg", help="What clients show that do not know the kind; else it is made.")
    ] = None,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Show a channel that something has happened around an account: a sub, a raid, an announcement (USERNOTICE).

    Exit status: 0 done; 2 it was refused and nothing was shown.

    Example: godwit channel usernotice '#alice' resub bob --text hi --param cumulative-months=14
    """
    body: dict[str, object] = {
        "kind": kind,
        "login": _login(login),
        "text": text,
        "params": dict(map(_pair, param or [])),
        "by": actor(by),
    }
    if system_msg is not None:
        body["system_msg"] = system_msg
    server = connect(api, token, os.environ)
    tell(server.post("channels", channel_name(name), "usernotices", body=body), as_json=as_json)


def tell(wish: dict[str, Any], *, as_json: bool) -> None:
    """Print what came of a wish that was waited for."""
    if as_json:
        typer.echo(json.dumps(wish))
    elif wish["state"] == "new":
        typer.echo(f"recorded as wish {wish['id']}; the controller has not acted on it yet")
    else:
        typer.echo(wish["answer"])


def pages(server: Api, name: str, *path: str, cursor: str = "login", **query: object) -> list[dict[str, Any]]:
    """All rows of a list that is told in pages.

    Args:
        name: of the list in the answer.
        cursor: what of a row names the place behind it.
    """
    found: list[dict[str, Any]] = []
    page = server.get(*path, limit=PAGE, **query)[name]
    found += page
    while len(page) == PAGE:
        page = server.get(*path, limit=PAGE, after=page[-1][cursor], **query)[name]
        found += page
    return found


def _taken(server: Api, name: str, what: str, login: str, by: str | None, reason: str, *, as_json: bool) -> None:
    path = ("channels", channel_name(name), what, _login(login))
    tell(server.delete(*path, by=actor(by), reason=reason or None), as_json=as_json)


def _login(login: str) -> str:
    return login_name(login.removeprefix("@"))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise InvalidRequest(f"{shown(text)} is no tag: write it like cumulative-months=14")
    return name, value
