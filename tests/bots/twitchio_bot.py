"""A bot on twitchio 2, over WebSocket.

The library's address is the constant `HOST` of its module `websocket`. It would ask a web service whose token it
has; with a nick and an HTTP session already there it does not.
"""

from __future__ import annotations

import asyncio
import json
import sys

import aiohttp
import twitchio
import twitchio.websocket
from twitchio.ext import commands

from tests.bots.lines import arguments, emit


class Bot(commands.Bot):
    """One account in one channel; it has the command `!hello`, which it replies to."""

    def __init__(self, nick: str, channel: str, pace: float) -> None:
        super().__init__(token=nick, prefix="!", initial_channels=[channel])
        self._http.nick = nick
        self._http.session = aiohttp.ClientSession()
        self._name = channel
        self._pace = pace
        self._answers: dict[str, str] = {}
        self._queue: asyncio.Queue[str] = asyncio.Queue()

    async def read_orders(self) -> None:
        """Do what the test says until it says `quit`."""
        reader = asyncio.StreamReader()
        await self.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        async for line in reader:
            order = json.loads(line)
            if "say" in order:
                self._queue.put_nowait(order["say"])
            self._answers.update(order.get("answer", {}))
            if order.get("quit"):
                break

    async def speak(self) -> None:
        """Say what is queued, no faster than the pace."""
        while True:
            text = await self._queue.get()
            try:
                await twitchio.Channel(name=self._name, websocket=self._connection).send(text)
            except (twitchio.TwitchIOException, ConnectionError) as error:
                emit("error", text=str(error))
            await asyncio.sleep(self._pace)

    async def event_ready(self) -> None:
        emit("ready")

    async def event_channel_joined(self, channel: twitchio.Channel) -> None:
        emit("joined", channel=f"#{channel.name}")

    async def event_part(self, user: twitchio.Chatter) -> None:
        if user.name == self.nick:
            emit("parted", channel=f"#{user.channel.name}")

    async def event_reconnect(self) -> None:
        emit("disconnected", reason="RECONNECT")

    async def event_notice(self, message: str, msg_id: str | None, channel: twitchio.Channel | None) -> None:
        emit("notice", channel=f"#{channel.name}" if channel else None, id=msg_id, text=message)

    async def event_raw_data(self, data: str) -> None:
        for line in data.split("\r\n"):
            if line:
                emit("raw", line=line)

    async def event_userstate(self, user: twitchio.Chatter) -> None:
        emit("told", what="userstate", args=[user.name, user.is_mod, user.badges])

    async def event_raw_usernotice(self, channel: twitchio.Channel, tags: dict[str, str]) -> None:
        emit("told", what="usernotice", args=[channel.name, tags["msg-id"], tags["login"], tags["system-msg"]])

    @commands.command()  # type: ignore[untyped-decorator]
    async def hello(self, context: commands.Context) -> None:
        await context.reply(f"hello {context.author.name}")

    async def event_message(self, message: twitchio.Message) -> None:
        if message.echo:
            return
        if message.channel is None:
            emit("whisper", text=message.content, **{"from": message.author.name})
            if message.content in self._answers:
                await message.author.send(self._answers[message.content])
            return
        if message.content == "!hello":
            await self.handle_commands(message)
        emit(
            "message",
            channel=f"#{message.channel.name}",
            text=message.content,
            id=message.tags.get("id"),
            **{"from": message.author.name},
        )
        if message.content in self._answers:
            self._queue.put_nowait(self._answers[message.content])


async def run(host: str, port: int, nick: str, channel: str, pace: float) -> None:
    """Run the bot until it is told to quit."""
    twitchio.websocket.HOST = f"ws://{host}:{port}"
    bot = Bot(nick, channel, pace)
    await bot.connect()
    speaking = asyncio.create_task(bot.speak())
    try:
        await bot.read_orders()
    finally:
        speaking.cancel()
        await bot.close()


def main() -> None:
    """Read the command line and run."""
    options = arguments(__doc__ or "").parse_args()
    asyncio.run(run(options.host, options.port, options.nick, options.channel.lstrip("#"), options.pace))


if __name__ == "__main__":
    main()
