"""What the commands share that run one process of many."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from godwit.cli import logs
from godwit.cli.serve import Program, allow_many_files, on_loop, run

if TYPE_CHECKING:
    from godwit.settings import Settings

Name = Annotated[
    str | None,
    typer.Option("--name", help="The process's name, which no other one may have: short for node.name."),
]

ReadyFile = Annotated[
    Path | None, typer.Option("--ready-file", help="Where to write addresses and admin token, if anywhere.")
]


def load(config: Path | None, sets: Sequence[str] | None, name: str | None) -> Settings:
    """The settings of a process.

    Raises:
        InvalidSetting: something cannot be.
    """
    from godwit import config as loading

    given = list(sets or [])
    if name is not None:
        given.append(f"node.name={name}")
    found = loading.load(config, os.environ, given).settings
    loading.check_exposure(found)
    return found


def run_process(make: Callable[[], Program], ready_file: Path | None, *, renews: bool = False) -> None:
    """Run a process until it is told to end.

    Args:
        renews: SIGHUP has it read its certificate anew.

    Raises:
        GodwitError: it could not start, or ended by itself.
    """
    logs.to_stderr(logging.INFO)
    allow_many_files()
    on_loop(run(make(), ready_file.absolute() if ready_file else None, _announce, renews=renews))


def _announce(told: Mapping[str, Any]) -> None:
    typer.echo(f"{told['api']}")
    for name, cluster in told["clusters"].items():
        for kind, address in cluster.items():
            if address:
                typer.echo(f"{name} {kind} {address}")
