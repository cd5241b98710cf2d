"""`godwit serve`: all roles in one process."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, runtime_checkable

import typer

from godwit.cli import collecting, logs, ready
from godwit.cli.options import Config, Set, WithParent
from godwit.ending import end
from godwit.errors import GodwitError, InvalidRequest

if TYPE_CHECKING:
    from godwit.settings import Settings

READY = "godwit: ready"
"""The line on stderr that says that everything listens and the ready file is written."""


UNDONE = 60.0
"""Seconds that a program may take to undo a start; ending a network of many takes its time."""


class Ports(StrEnum):
    """Where the port numbers come from."""

    FIXED = "fixed"
    AUTO = "auto"


class Program(Protocol):
    """What is served (`godwit.app.App`)."""

    def start(self) -> Coroutine[Any, Any, Mapping[str, Any]]:
        """Listen everywhere; returns what the ready file says."""
        ...

    async def wait_stopped(self) -> None:
        """Wait for its end, whatever causes it."""
        ...

    async def stop(self) -> None:
        """Drain the edges and end."""
        ...


@runtime_checkable
class Reloads(Protocol):
    """A program that can be told, by SIGHUP, to read its certificate anew."""

    def reload(self) -> None:
        """Read it now."""
        ...


def serve(
    config: Config = None,
    settings: Set = None,
    ports: Annotated[Ports, typer.Option("--ports", help="auto takes free ports.")] = Ports.FIXED,
    ready_file: Annotated[
        Path | None,
        typer.Option("--ready-file", envvar=ready.VARIABLE, help="Where to write addresses and admin token."),
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on: short for edge.host and directory.host.")
    ] = None,
    tls: Annotated[
        bool,
        typer.Option("--tls", help="Listen for TLS too, with a certificate of its own beside the store (loopback)."),
    ] = False,
    with_parent: WithParent = False,
) -> None:
    """Run a chat server: all clusters, the directory, the API and the controller in one process.

    Stops at SIGTERM or Ctrl-C; clients are told to reconnect and get a grace time first. SIGHUP reads the
    certificate of edge.certificate anew.

    Example: godwit serve --ports auto --set edge.ping_interval=60
    """
    from godwit import config as loading
    from godwit.roles.child import end_with_parent

    if with_parent:
        end_with_parent()
    given = list(settings or [])
    if host is not None:
        given += [f"edge.host={host}", f"directory.host={host}"]
    found = loading.load(config, os.environ, given).settings
    loading.check_exposure(found)
    renews = bool(found.edge.certificate)
    if tls:
        found = with_own_certificate(found)
    if ports is Ports.FIXED:
        loading.check_ports(found)
        check_free(found)
    logs.to_stderr(logging.INFO)
    allow_many_files()
    path = ready.path_of(ready_file, os.environ).absolute()

    from godwit.app import App

    def announce(told: Mapping[str, Any]) -> None:
        from godwit.cli.banner import show

        show(found, told, path)

    on_loop(run(App(found, ports_auto=ports is Ports.AUTO), path, announce, renews=renews))


async def run(
    program: Program,
    path: Path | None,
    announce: Callable[[Mapping[str, Any]], None],
    *,
    renews: bool = False,
) -> None:
    """Run `program` until SIGTERM or SIGINT, or its own end.

    Args:
        path: where the ready file goes while it runs, if there is to be one.
        announce: tells people what listens where.
        renews: SIGHUP has it read its certificate anew; else SIGHUP, such as of a terminal that closes, ends it.

    Raises:
        InvalidRequest: it could not start.
        GodwitError: it ended by itself.
    """
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def ask() -> None:
        # A second signal finds Python's own handling: whoever is in a hurry gets an end at once.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        asked.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)
    starting = asyncio.create_task(program.start(), name="start")
    stopping = asyncio.create_task(asked.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        await end(starting, again=UNDONE)
        return
    try:
        told = starting.result()
    except OSError as error:
        stopping.cancel()
        raise InvalidRequest(f"cannot start: {_reason(error)}") from error
    with collecting.seldom():
        try:
            if path is not None:
                ready.write(path, told)
            announce(told)
            if renews and isinstance(program, Reloads):
                loop.add_signal_handler(signal.SIGHUP, program.reload)
            print(READY, file=sys.stderr, flush=True)
            ended = asyncio.create_task(program.wait_stopped())
            waiting = {ended, stopping}
            done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            if ended in done:
                await ended
                raise GodwitError("the server ended by itself; the log above tells why")
        finally:
            loop.remove_signal_handler(signal.SIGHUP)
            if path is not None:
                ready.remove(path, os.getpid())
            await program.stop()


def with_own_certificate(settings: Settings) -> Settings:
    """The same settings, with a certificate that signs itself, made beside the store if it is not there (TLS-3).

    Raises:
        InvalidRequest: there is another certificate, or it listens beyond loopback, where nobody could trust this one.
    """
    from godwit.config import is_loopback
    from godwit.local.certificate import own_certificate

    if settings.edge.certificate:
        raise InvalidRequest("--tls makes a certificate, and edge.certificate names one: give one of the two")
    if not is_loopback(settings.edge.host):
        raise InvalidRequest(
            f"--tls is for this machine only, and edge.host is {settings.edge.host}: get a certificate for the name "
            "that clients use, and set edge.certificate and edge.key"
        )
    directory = Path(settings.store.path).absolute().parent
    try:
        certificate, key = own_certificate(directory, datetime.now(UTC))
    except OSError as error:
        raise InvalidRequest(f"cannot write a certificate to {directory}: {error.strerror or error}") from error
    return replace(settings, edge=replace(settings.edge, certificate=str(certificate), key=str(key)))


def check_free(settings: Settings) -> None:
    """Refuse to start where somebody else listens already.

    Raises:
        InvalidRequest: which ports, and what to do.
    """
    from godwit.config import listeners

    taken: dict[str, list[str]] = {}
    for what, setting, host, port in listeners(settings):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            socket.create_server((host, port), family=family).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise InvalidRequest(f"cannot listen on {host}:{port} ({what}): {error.strerror or error}") from error
            taken.setdefault(setting, []).append(f"{port} ({what})")
    if taken:
        listed = ", ".join(port for found in taken.values() for port in found)
        raise InvalidRequest(
            f"in use already: {listed}; stop what listens there, set {' and '.join(taken)}, or add --ports auto"
        )


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{error}; stop what listens there, set other ports, or add --ports auto"
    return str(error)


def on_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` on uvloop where it can be had, else on asyncio's own loop."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        asyncio.run(work)
        return
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(work)


def allow_many_files() -> None:
    """Raise the limit of open files to what the system allows: each connection takes one."""
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
