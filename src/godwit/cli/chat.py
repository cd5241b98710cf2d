"""`godwit chat`: read and talk from a terminal."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from godwit.cli import logs, ready
from godwit.errors import InvalidRequest, SayRefused, SayUnknown
from godwit.values import Addresses
from godwit.web.names import channel_name, login_name

if TYPE_CHECKING:
    from godwit.client.client import Client
    from godwit.client.events import Event

READ = 4096
"""Bytes read from the terminal at once."""


def chat(
    name: Annotated[
        str, typer.Argument(metavar="CHANNEL", help="Such as '#alice'; quote it, since # begins a comment.")
    ],
    nick: Annotated[str | None, typer.Option("--nick", help="Log in with this name; without it you only read.")] = None,
    password: Annotated[
        str,
        typer.Option("--password", envvar="GODWIT_CHAT_PASSWORD", help="Your oauth: token; on an open server any."),
    ] = "oauth:anything",
    address: Annotated[
        str | None,
        typer.Option("--address", help="host:port or ws://host:port/; else the ready file's first cluster."),
    ] = None,
) -> None:
    """Read a channel and talk in it, line by line, wherever it moves. End with Ctrl-D or Ctrl-C.

    Example: godwit chat '#alice' --nick bob
    """
    channel = channel_name(name)
    login = login_name(nick) if nick is not None else None
    servers, transport, directory = _where(address)
    logs.to_stderr(logging.WARNING)

    from godwit.client.client import Client

    client = Client(login, password if login else "", servers=servers, directory=directory, transport=transport)
    try:
        asyncio.run(talk(client, channel, login, keyboard(), typer.echo))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _where(address: str | None) -> tuple[str | dict[str, Addresses], Literal["tcp", "ws"], str | None]:
    """Servers, transport and directory for a client: as given, else as the ready file says.

    Raises:
        InvalidRequest: nothing says where a server is.
    """
    if address is not None:
        if "://" in address and not address.startswith("ws://"):
            raise InvalidRequest(f"{address!r} is not an address: write host:port, or ws://host:port/")
        if "://" not in address and not address.rpartition(":")[2].isdecimal():
            raise InvalidRequest(f"{address!r} is not an address: write host:port, or ws://host:port/")
        return address, "ws" if address.startswith("ws://") else "tcp", None
    found = ready.read(ready.path_of(None, os.environ))
    by_tcp = {name: Addresses(tcp=(cluster.tcp,)) for name, cluster in found.clusters.items() if cluster.tcp}
    if by_tcp:
        return by_tcp, "tcp", found.api
    by_ws = {name: Addresses(ws=(cluster.ws,)) for name, cluster in found.clusters.items() if cluster.ws}
    if not by_ws:
        raise InvalidRequest("the server of the ready file listens nowhere: give --address")
    return by_ws, "ws", found.api


async def talk(
    client: Client, channel: str, login: str | None, lines: AsyncIterator[str], show: Callable[[str], object]
) -> None:
    """Join a channel, show what happens there, and say what is typed.

    Args:
        login: None only reads; then the end of `lines` ends nothing.
        lines: what is typed; their end is the end, once everything is said.
        show: prints a line.

    Raises:
        ClientError: the login or the JOIN was refused.
    """
    async with client:
        await client.join(channel)
        show(f"-- in #{channel} as {login}" if login else f"-- reading #{channel}; to talk, give --nick")
        try:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(_read(client, show))
                async for line in lines:
                    if login is None:
                        show("-- not said: you are anonymous; to talk, give --nick")
                    elif line.strip():
                        await _say(client, channel, line.strip(), show)
                if login is not None:
                    reading.cancel()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None


async def _say(client: Client, channel: str, text: str, show: Callable[[str], object]) -> None:
    try:
        await client.say(channel, text)
    except (SayRefused, SayUnknown) as error:
        show(f"-- not acknowledged: {clean(str(error))}")


async def _read(client: Client, show: Callable[[str], object]) -> None:
    async for event in client:
        show(text_of(event))


def clean(text: str) -> str:
    """`text` without what would steer a terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def text_of(event: Event) -> str:
    """What a terminal shows of an event."""
    from godwit.client import events

    match event:
        case events.Message(author=author, text=text, action=True):
            shown = f"* {author} {text}"
        case events.Message(author=author, text=text):
            shown = f"{author}: {text}"
        case events.Gap(missing=missing):
            shown = f"-- {'some' if missing is None else missing} lines are missing here"
        case events.Notice(text=text):
            shown = f"-- {text}"
        case events.Moved(channel=channel, cluster=cluster):
            shown = f"-- #{channel} has moved to {cluster or 'another cluster'}"
        case events.Interrupted(reason=reason):
            shown = f"-- connection lost ({reason}); coming back"
        case events.Resumed(cluster=cluster):
            shown = f"-- back on {cluster or 'the server'}"
    return clean(shown)


async def keyboard(descriptor: int = 0) -> AsyncIterator[str]:
    """The lines that come in on a descriptor, until its end.

    A thread reads it, as a terminal, a pipe and a file can all be read that way. It reads past Python's own buffers:
    their locks, held by a thread that waits for a key, would not let the process end.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    def tell(data: bytes) -> bool:
        try:
            loop.call_soon_threadsafe(arrived.put_nowait, data)
        except RuntimeError:
            return False
        return bool(data)

    def read() -> None:
        try:
            while tell(os.read(descriptor, READ)):
                pass
        except OSError:
            tell(b"")

    threading.Thread(target=read, name="keyboard", daemon=True).start()
    rest = b""
    while data := await arrived.get():
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")
