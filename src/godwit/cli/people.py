"""`godwit channel` for followers and subscribers."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from typing import Annotated, Any

import typer

from godwit.cli.api import connect
from godwit.cli.moderation import Login, pages
from godwit.cli.options import ApiUrl, By, Channel, Json, Token, actor
from godwit.cli.times import clock
from godwit.web.names import channel_name, login_name


class Tier(StrEnum):
    """Of a subscription."""

    ONE = "1000"
    TWO = "2000"
    THREE = "3000"
    PRIME = "prime"


def followers(name: Channel, api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """List who follows a channel, and since when.

    Example: godwit channel followers '#alice'
    """
    path = ("channels", channel_name(name), "followers")
    found = pages(connect(api, token, os.environ), "followers", *path, cursor="user_id")
    if as_json:
        typer.echo(json.dumps({"followers": found}))
        return
    for row in found:
        typer.echo(_follower(row))


def follow(
    name: Channel,
    login: Login,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Such as 2024-01-31T18:00Z; else from now on.")
    ] = None,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Say that an account follows a channel; followers-only mode asks since when.

    Example: godwit channel follow '#alice' bob --since 2024-01-31
    """
    body = {"since": since, "by": actor(by)}
    path = ("channels", channel_name(name), "followers", login_name(login))
    found = connect(api, token, os.environ).put(*path, body=body)
    typer.echo(json.dumps(found) if as_json else _follower(found))


def unfollow(name: Channel, login: Login, by: By = None, api: ApiUrl = None, token: Token = None) -> None:
    """Say that an account follows a channel no more.

    Example: godwit channel unfollow '#alice' bob
    """
    account = login_name(login)
    connect(api, token, os.environ).delete("channels", channel_name(name), "followers", account, by=actor(by))
    typer.echo(f"{account} does not follow #{channel_name(name)}")


def subscribers(name: Channel, api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """List who has a subscription to a channel.

    Example: godwit channel subscribers '#alice' --json
    """
    path = ("channels", channel_name(name), "subscribers")
    found = pages(connect(api, token, os.environ), "subscribers", *path, cursor="user_id")
    if as_json:
        typer.echo(json.dumps({"subscribers": found}))
        return
    for row in found:
        typer.echo(_subscriber(row))


def subscribe(
    name: Channel,
    login: Login,
    months: Annotated[int, typer.Option("--months", min=0, help="For how many months in all.")] = 1,
    tier: Annotated[Tier, typer.Option("--tier", help="Of the subscription.")] = Tier.ONE,
    by: By = None,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Say that an account has a subscription to a channel.

    Example: godwit channel subscribe '#alice' bob --months 14
    """
    body = {"months": months, "tier": tier.value, "by": actor(by)}
    path = ("channels", channel_name(name), "subscribers", login_name(login))
    found = connect(api, token, os.environ).put(*path, body=body)
    typer.echo(json.dumps(found) if as_json else _subscriber(found))


def unsubscribe(name: Channel, login: Login, by: By = None, api: ApiUrl = None, token: Token = None) -> None:
    """Remove a subscription with its months.

    Example: godwit channel unsubscribe '#alice' bob
    """
    account = login_name(login)
    connect(api, token, os.environ).delete("channels", channel_name(name), "subscribers", account, by=actor(by))
    typer.echo(f"{account} has no subscription to #{channel_name(name)}")


def _follower(row: dict[str, Any]) -> str:
    return f"{row['login']}  since {clock(row['since'])}"


def _subscriber(row: dict[str, Any]) -> str:
    return f"{row['login']}  {row['tier']}, {row['months']} months"
