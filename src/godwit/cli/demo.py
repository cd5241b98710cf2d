"""`godwit demo`: the main job, shown and counted."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Annotated

import typer

from godwit.cli import logs
from godwit.cli.options import Json
from godwit.drill.faults import Fault
from godwit.drill.result import DemoOptions, help_of

_DEFAULT = DemoOptions()


def demo(
    channels: Annotated[int, typer.Option(help=help_of("channels"))] = _DEFAULT.channels,
    talkers: Annotated[int, typer.Option(help=help_of("talkers"))] = _DEFAULT.talkers,
    followers: Annotated[int, typer.Option(help=help_of("followers"))] = _DEFAULT.followers,
    legacy: Annotated[int, typer.Option(help=help_of("legacy"))] = _DEFAULT.legacy,
    moves: Annotated[int, typer.Option(help=help_of("moves"))] = _DEFAULT.moves,
    seed: Annotated[int, typer.Option(help=help_of("seed"))] = _DEFAULT.seed,
    fault: Annotated[Fault, typer.Option(hidden=True, help=help_of("fault"))] = _DEFAULT.fault,
    as_json: Json = False,
) -> None:
    """Start a server, fill it with clients that talk, move every channel there and back, count every line.

    Exit status: 0 if every count is exact, else 1.

    Example: godwit demo --channels 5 --json
    """
    options = DemoOptions(channels, talkers, followers, legacy, moves, seed, fault)
    logs.to_stderr(logging.WARNING)

    import msgspec

    from godwit.drill import demo as drill

    if as_json:
        result = asyncio.run(drill.run(options))
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    else:
        from godwit.drill.console import LiveTable, print_verdict

        with LiveTable() as table:
            result = asyncio.run(drill.run(options, table.show))
        print_verdict(result)
    raise typer.Exit(0 if result.ok else 1)
