"""`godwit demo`: the main job, and a whole rollout, shown and counted."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from godwit.cli import logs
from godwit.cli.options import Json
from godwit.drill import rollout_plan
from godwit.drill.faults import Fault
from godwit.drill.result import DemoOptions, help_of
from godwit.drill.rollout_plan import RolloutFault, RolloutOptions
from godwit.errors import InvalidRequest

_DEFAULT = DemoOptions()
_ROLLOUT = RolloutOptions()

ENDED = 143
"""Exit status after SIGTERM or SIGHUP."""

Found = TypeVar("Found")

app = typer.Typer()


@app.callback(invoke_without_command=True)
def demo(
    context: typer.Context,
    channels: Annotated[int, typer.Option(help=help_of("channels"))] = _DEFAULT.channels,
    talkers: Annotated[int, typer.Option(help=help_of("talkers"))] = _DEFAULT.talkers,
    followers: Annotated[int, typer.Option(help=help_of("followers"))] = _DEFAULT.followers,
    legacy: Annotated[int, typer.Option(help=help_of("legacy"))] = _DEFAULT.legacy,
    moves: Annotated[int, typer.Option(help=help_of("moves"))] = _DEFAULT.moves,
    seed: Annotated[int, typer.Option(help=help_of("seed"))] = _DEFAULT.seed,
    fault: Annotated[Fault, typer.Option(hidden=True, help=help_of("fault"))] = _DEFAULT.fault,
    nodes: Annotated[bool, typer.Option("--nodes", help=help_of("nodes"))] = _DEFAULT.nodes,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="With --nodes: where its logs and settings go, and stay.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Start a server, fill it with clients that talk, move every channel there and back, count every line.

    Exit status: 0 if every count is exact, else 1.

    With --nodes every role has processes of its own, over NATS and PostgreSQL: those on PATH, or those of
    the extra 'local' of this package. Whatever ends the demo ends them all.

    Example: godwit demo --channels 5 --json
    """
    if context.invoked_subcommand:
        return
    options = DemoOptions(channels, talkers, followers, legacy, moves, seed, fault, nodes)
    if nodes:
        _check_programs()
    elif directory is not None:
        raise InvalidRequest("--dir is for --nodes")
    logs.to_stderr(logging.WARNING)

    import msgspec

    from godwit.drill import demo as drill

    if as_json:
        result = _run(drill.run(options, keep=directory))
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    else:
        from godwit.drill.console import LiveTable, print_verdict

        with LiveTable() as table:
            result = _run(drill.run(options, table.show, directory))
        print_verdict(result)
    raise typer.Exit(0 if result.ok else 1)


@app.command()
def rollout(
    channels: Annotated[int, typer.Option(help=rollout_plan.help_of("channels"))] = _ROLLOUT.channels,
    hot: Annotated[int, typer.Option(help=rollout_plan.help_of("hot"))] = _ROLLOUT.hot,
    crowd: Annotated[int, typer.Option(help=rollout_plan.help_of("crowd"))] = _ROLLOUT.crowd,
    joins: Annotated[int, typer.Option(help=rollout_plan.help_of("joins"))] = _ROLLOUT.joins,
    window: Annotated[float, typer.Option(help=rollout_plan.help_of("window"))] = _ROLLOUT.window,
    seed: Annotated[int, typer.Option(help=rollout_plan.help_of("seed"))] = _ROLLOUT.seed,
    fault: Annotated[RolloutFault, typer.Option(hidden=True, help=rollout_plan.help_of("fault"))] = _ROLLOUT.fault,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write the rollout's report there, as Markdown.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Move a network of thousands of channels in waves, back, and there again, while people talk; count every line.

    A gate pauses it in the middle, live channels wait for the end of their streams, and a verified bot in all
    channels is never told of more moves than it may join.

    Exit status: 0 if every count is exact, else 1.

    Example: godwit demo rollout --channels 1000 --hot 20 --crowd 100
    """
    options = RolloutOptions(channels, hot, crowd, joins, window, seed, fault)
    logs.to_stderr(logging.WARNING)

    import msgspec

    from godwit.drill import rollout as drill

    if as_json:
        result = _run(drill.run(options))
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    else:
        from godwit.drill.console import print_verdict

        result = _run(drill.run(options, typer.echo))
        print_verdict(result)
    if report is not None:
        report.write_text(result.report, encoding="utf-8")
    raise typer.Exit(0 if result.ok else 1)


def _check_programs() -> None:
    """Refuse to begin without the servers.

    Raises:
        InvalidRequest: one is missing; says how to get it.
    """
    from godwit.local import nats, postgres

    nats.program()
    postgres.programs()


def _run(drill: Coroutine[Any, Any, Found]) -> Found:
    """Run a drill to its end. What ends it before, be it Ctrl-C or a signal, lets it end what it has started."""

    async def told_to_end() -> Found:
        task = asyncio.current_task()
        assert task
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await drill

    try:
        return asyncio.run(told_to_end())
    except asyncio.CancelledError:
        raise typer.Exit(ENDED) from None
