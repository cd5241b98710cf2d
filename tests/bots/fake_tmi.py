"""The least chat server that the bots' libraries accept, so that the bots can be tested by themselves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

HOST = ":tmi.twitch.tv"

Send = Callable[[str], Awaitable[None]]


class Peer:
    """One connection: its answers to lines, and the lines it sent into the channel."""

    def __init__(self, send: Send, spoken: asyncio.Queue[tuple[str, str]]) -> None:
        self._send = send
        self._spoken = spoken
        self._nick = ""
        self._tags = False
        self.joined = asyncio.Event()

    async def line(self, line: str) -> None:
        """Act on a line of the client."""
        command, _, rest = line.strip().partition(" ")
        match command:
            case "CAP":
                names = rest.partition(":")[2] or rest.removeprefix("REQ ")
                self._tags |= "twitch.tv/tags" in names
                await self._send(f"{HOST} CAP * ACK :{names}\r\n")
            case "NICK":
                self._nick = rest
                texts = {"001": "Welcome, GLHF!", "002": "Your host is tmi.twitch.tv", "003": "-", "004": "-"}
                texts |= {"375": "-", "372": "You are in a maze of twisty passages, all alike.", "376": ">"}
                await self._send("".join(f"{HOST} {code} {rest} :{text}\r\n" for code, text in texts.items()))
            case "JOIN":
                await self._burst(rest)
            case "PING":
                await self._send(f"{HOST} PONG tmi.twitch.tv {rest}\r\n" if rest else "PONG :tmi.twitch.tv\r\n")
            case "PRIVMSG":
                await self._spoken.put((self._nick, rest.partition(":")[2]))

    async def _burst(self, channel: str) -> None:
        nick = self._nick
        lines = [
            f":{nick}!{nick}@{nick}.tmi.twitch.tv JOIN {channel}",
            f":{nick}.tmi.twitch.tv 353 {nick} = {channel} :{nick}",
            f":{nick}.tmi.twitch.tv 366 {nick} {channel} :End of /NAMES list",
        ]
        if self._tags:
            state = "badge-info=;badges=;color=;emote-sets=0;mod=0;subscriber=0;user-type="
            lines.append(f"@{state};display-name={nick} {HOST} USERSTATE {channel}")
            lines.append(f"@emote-only=0;r9k=0;room-id=1;slow=0;subs-only=0 {HOST} ROOMSTATE {channel}")
        await self._send("".join(f"{line}\r\n" for line in lines))
        self.joined.set()

    async def say(self, sender: str, channel: str, text: str, msg_id: str) -> None:
        """Let the client hear a line."""
        tags = f"@badge-info=;badges=;color=;display-name={sender};emotes=;first-msg=0;id={msg_id};mod=0;room-id=1;"
        tags += "subscriber=0;tmi-sent-ts=1000;turbo=0;user-id=2;user-type= "
        line = f":{sender}!{sender}@{sender}.tmi.twitch.tv PRIVMSG #{channel} :{text}\r\n"
        await self._send(tags + line if self._tags else line)

    async def server_change(self, channel: str, tags: str = "") -> None:
        """Tell the client that the channel has moved."""
        await self._send(f"{tags}{HOST} SERVERCHANGE #{channel}\r\n")


class FakeTmi:
    """Listens on TCP and WebSocket; the test speaks through its peers."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.spoken: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.tcp = ""
        self.ws = ""

    async def _over_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def send(text: str) -> None:
            writer.write(text.encode())
            await writer.drain()

        peer = Peer(send, self.spoken)
        self.peers.append(peer)
        with contextlib.suppress(ConnectionError):
            async for line in reader:
                await peer.line(line.decode())
        writer.close()

    async def _over_websocket(self, connection: ServerConnection) -> None:
        peer = Peer(connection.send, self.spoken)
        self.peers.append(peer)
        with contextlib.suppress(ConnectionClosed):
            async for frame in connection:
                for line in str(frame).splitlines():
                    await peer.line(line)


@contextlib.asynccontextmanager
async def fake_tmi() -> AsyncIterator[FakeTmi]:
    """Run the server on free ports."""
    fake = FakeTmi()
    tcp = await asyncio.start_server(fake._over_tcp, "127.0.0.1", 0)
    async with (
        tcp,
        serve(
            fake._over_websocket,
            "127.0.0.1",
            0,
            subprotocols=[Subprotocol("irc")],
            select_subprotocol=lambda _, offered: Subprotocol("irc") if "irc" in offered else None,
        ) as ws,
    ):
        fake.tcp = f"127.0.0.1:{tcp.sockets[0].getsockname()[1]}"
        fake.ws = f"127.0.0.1:{next(iter(ws.sockets)).getsockname()[1]}"
        yield fake
