"""`godwit config`: the settings as a server started here would have them."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from godwit.cli.options import Config, Json, Set

app = typer.Typer(
    no_args_is_help=True,
    help="The settings as a server started here would have them. Example: godwit config explain edge.ping_interval",
)


@app.command()
def show(config: Config = None, settings: Set = None, as_json: Json = False) -> None:
    """Show every setting, its value, and where it was said. Secrets are hidden.

    Example: godwit config show --config godwit.toml
    """
    from godwit import config as loading

    loaded = loading.load(config, os.environ, settings or [])
    texts = {name: loading.shown(name, loading.value_of(loaded.settings, name)) for name in loading.names()}
    if as_json:
        typer.echo(
            json.dumps(
                {
                    name: {
                        "value": loading.HIDDEN if text == loading.HIDDEN else json.loads(text),
                        "from": loaded.origins.get(name, "default"),
                    }
                    for name, text in texts.items()
                }
            )
        )
        return
    for name, text in texts.items():
        typer.echo(f"{name} = {text}  ({loaded.origins.get(name, 'default')})")


@app.command()
def check(
    config: Config = None,
    settings: Set = None,
) -> None:
    """Say whether a server would start with these settings, and what there is in C; exit status 2 and one line if not.

    Example: godwit config check --config godwit.toml
    """
    from godwit import config as loading
    from godwit.wire import sending

    found = loading.load(config, os.environ, settings or []).settings
    loading.check_exposure(found)
    loading.check_ports(found)
    typer.echo("the settings are fine")
    typer.echo(f"lines go to clients by a loop in {sending.which(found.edge.native)}")


@app.command()
def explain(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A setting's dotted name.")],
    config: Config = None,
    settings: Set = None,
) -> None:
    """Say what a setting means, what it takes, and how to give it.

    Example: godwit config explain move.drain
    """
    from godwit import config as loading
    from godwit.settings import rows

    known = {name: (default, text) for name, default, text in rows()}
    if key not in known:
        raise loading.unknown(key)
    default, text = known[key]
    loaded = loading.load(config, os.environ, settings or [])
    value = loading.value_of(loaded.settings, key)
    typer.echo(f"{key}: {text}")
    typer.echo(f"takes:    {loading.expected(key)}")
    typer.echo(f"default:  {loading.shown(key, default)}")
    typer.echo(f"now:      {loading.shown(key, value)} ({loaded.origins.get(key, 'default')})")
    section, _, name = key.rpartition(".")
    where = f"{name} = ... under [{section}]" if section else f"{name} = ... at the top"
    typer.echo(f"give it:  --set {key}=...   or {loading.env_name(key)}=...   or {where} in the file of --config")
