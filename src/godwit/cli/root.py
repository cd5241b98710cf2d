"""The tree of commands."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from godwit.cli import (
    account,
    audit,
    bench,
    changes,
    channel,
    chat,
    cluster,
    config,
    controller,
    demo,
    directory,
    doctor,
    edge,
    emote,
    migrate,
    process,
    rollout,
    serve,
    up,
)
from godwit.errors import GodwitError

REFUSED = 2
"""Exit status when something was refused; the reason is one line on stderr."""


class Root(TyperGroup):
    """Tells every error of Godwit as one line."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except GodwitError as error:
            typer.echo(f"godwit: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(REFUSED) from error


app = typer.Typer(
    cls=Root,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    # Local variables hold tokens; a traceback must not show them.
    pretty_exceptions_show_locals=False,
    help="Live chat that moves house without hanging up. Begin with: godwit demo, or godwit serve",
)
app.command("serve")(serve.serve)
app.command("edge")(edge.edge)
app.command("directory")(directory.directory)
app.command("controller")(controller.controller)
app.command("up")(up.up)
app.command("chat")(chat.chat)
app.add_typer(demo.app, name="demo")
app.command("bench")(bench.bench)
app.command("migrate")(migrate.migrate)
app.command("doctor")(doctor.doctor)
app.command("repair")(doctor.repair)
app.command("changes")(changes.changes)
app.add_typer(channel.app, name="channel")
app.add_typer(rollout.app, name="rollout")
app.add_typer(cluster.app, name="cluster")
app.add_typer(process.app, name="process")
app.add_typer(account.app, name="account")
app.add_typer(emote.app, name="emote")
app.add_typer(audit.app, name="audit")
app.add_typer(config.app, name="config")


def commands() -> list[str]:
    """Every command as it is typed, such as `channel move`."""
    found: list[str] = []

    def walk(command: Any, path: tuple[str, ...]) -> None:
        inner = getattr(command, "commands", None)
        if inner is None or getattr(command, "invoke_without_command", False):
            found.append(" ".join(path))
        if inner is None:
            return
        for name, child in inner.items():
            walk(child, (*path, name))

    walk(typer.main.get_command(app), ())
    return found
