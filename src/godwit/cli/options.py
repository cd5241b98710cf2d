"""Options that several commands take."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

ApiUrl = Annotated[
    str | None,
    typer.Option("--api", envvar="GODWIT_API", help="Address of the server's API; else the ready file says it."),
]

Token = Annotated[
    str | None,
    typer.Option("--token", envvar="GODWIT_TOKEN", help="The admin token; else the ready file says it."),
]

By = Annotated[str | None, typer.Option("--by", help="Who does it, for the audit; else your user name.")]

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]

Reason = Annotated[str, typer.Option("--reason", help="Why, for the audit.")]

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Do the real checks and say what would be done; nothing is changed.")
]

Rollout = Annotated[
    str | None, typer.Option("--rollout", metavar="NAME", help="Its name or id; needless while only one is under way.")
]

RolloutName = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Its name or id; needless while only one is under way.")
]

Channel = Annotated[
    str, typer.Argument(metavar="CHANNEL", help="Such as '#alice'; quote it, since # begins a comment.")
]

Config = Annotated[Path | None, typer.Option("--config", help="A TOML file with settings.")]

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting, such as edge.ping_interval=60; may be repeated."),
]

WithParent = Annotated[
    bool, typer.Option("--end-with-parent", hidden=True, help="For a process that starts this one, and ends it.")
]


def actor(by: str | None) -> str:
    """Who acts: as given, else the user that runs the command."""
    if by:
        return by
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "cli"
