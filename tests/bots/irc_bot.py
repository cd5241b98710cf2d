"""A bot on jaraco's `irc`, over TCP; with `--also` it holds a second connection under the same account.

Without `--caps` it asks for no capability at all, as a plain IRC bot does.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time

from irc.client import Event, Reactor, ServerConnection, ServerConnectionError

from tests.bots.lines import arguments, emit

STATES = ("clearchat", "clearmsg", "hosttarget", "mode", "namreply", "roomstate", "usernotice", "userstate")
"""What a bot tells of as it comes."""


class Bot:
    """One account, one channel, one or two connections."""

    def __init__(self, nick: str, channel: str, caps: list[str], pace: float) -> None:
        self._nick = nick
        self._channel = channel
        self._caps = caps
        self._pace = pace
        self._answers: dict[str, str] = {}
        self._queue: queue.SimpleQueue[tuple[ServerConnection, str]] = queue.SimpleQueue()
        self._reactor = Reactor()
        self._connections: list[ServerConnection] = []
        for name in (
            "welcome",
            "join",
            "part",
            "pubmsg",
            "pubnotice",
            "privnotice",
            "disconnect",
            "all_raw_messages",
            "whisper",
        ):
            self._reactor.add_global_handler(name, getattr(self, f"on_{name}"))
        for name in STATES:
            self._reactor.add_global_handler(name, self.on_state)

    def connect(self, host: str, port: int) -> None:
        """Open a connection and log in."""
        connection = self._reactor.server()
        self._connections.append(connection)
        connection.connect(host, port, self._nick, password=f"oauth:{self._nick}")

    def run(self) -> None:
        """Do what the test says until it says `quit`."""
        threading.Thread(target=self._reactor.process_forever, daemon=True).start()
        threading.Thread(target=self._speak, daemon=True).start()
        for line in sys.stdin:
            order = json.loads(line)
            if "say" in order:
                self._queue.put((self._connections[0], order["say"]))
            if "raw" in order:
                self._connections[0].send_raw(order["raw"])
            self._answers.update(order.get("answer", {}))
            if order.get("quit"):
                break
        self._reactor.disconnect_all()

    def _speak(self) -> None:
        while True:
            connection, text = self._queue.get()
            try:
                connection.privmsg(self._channel, text)
            except ServerConnectionError as error:
                emit("error", text=str(error), at=self._at(connection))
            time.sleep(self._pace)

    def _at(self, connection: ServerConnection) -> str:
        return f"{connection.server}:{connection.port}"

    def on_welcome(self, connection: ServerConnection, event: Event) -> None:
        emit("ready", at=self._at(connection))
        if self._caps:
            connection.cap("REQ", *self._caps)
        connection.join(self._channel)

    def on_join(self, connection: ServerConnection, event: Event) -> None:
        if event.source.nick == self._nick:
            emit("joined", channel=event.target, at=self._at(connection))

    def on_part(self, connection: ServerConnection, event: Event) -> None:
        if event.source.nick == self._nick:
            emit("parted", channel=event.target, at=self._at(connection))

    def on_pubmsg(self, connection: ServerConnection, event: Event) -> None:
        text = event.arguments[0]
        tags = {tag["key"]: tag["value"] for tag in event.tags or []}
        emit(
            "message",
            channel=event.target,
            text=text,
            id=tags.get("id"),
            at=self._at(connection),
            **{"from": event.source.nick},
        )
        if text in self._answers:
            self._queue.put((connection, self._answers[text]))

    def on_pubnotice(self, connection: ServerConnection, event: Event) -> None:
        emit("notice", channel=event.target, text=event.arguments[0], at=self._at(connection))

    on_privnotice = on_pubnotice

    def on_whisper(self, connection: ServerConnection, event: Event) -> None:
        emit("whisper", text=event.arguments[0], at=self._at(connection), **{"from": event.source.nick})

    def on_state(self, connection: ServerConnection, event: Event) -> None:
        tags = {tag["key"]: tag["value"] for tag in event.tags or []}
        emit("told", what=event.type, channel=event.target, args=event.arguments, tags=tags, at=self._at(connection))

    def on_disconnect(self, connection: ServerConnection, event: Event) -> None:
        emit("disconnected", reason=event.arguments[0], at=self._at(connection))

    def on_all_raw_messages(self, connection: ServerConnection, event: Event) -> None:
        emit("raw", line=event.arguments[0], at=self._at(connection))


def main() -> None:
    """Run the bot until it is told to quit."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--caps", nargs="*", default=[], help="capabilities to ask for")
    parser.add_argument("--also", help="host:port of a second connection")
    options = parser.parse_args()
    bot = Bot(options.nick, "#" + options.channel.lstrip("#"), options.caps, options.pace)
    bot.connect(options.host, options.port)
    if options.also:
        host, port = options.also.rsplit(":", 1)
        bot.connect(host, int(port))
    bot.run()


if __name__ == "__main__":
    main()
