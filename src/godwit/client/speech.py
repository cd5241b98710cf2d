"""What the user wants to say: queued per channel, paced, acknowledged (MSG-1).

Rules of this file:

1. One message per channel is on its way at a time. So the order of a channel's messages is that of
   the calls, on whichever connection each leaves, and a refusal, which names no message, is its.
2. A message is sent once. If its connection is lost it may still have been said; then it is looked
   for, by its nonce, in what the server shows when the channel is resumed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from godwit.client.actions import Action, Done, Failed
from godwit.client.alarms import Alarms
from godwit.client.events import Sent
from godwit.client.links import Link
from godwit.client.options import Options
from godwit.client.pace import Bucket
from godwit.client.roads import Roads
from godwit.clock import Clock
from godwit.errors import LocalProtocolError, SayRefused, SayUnknown
from godwit.tmi.text import clean, cut

_UNKNOWN = "godwit_unknown"
_REFUSALS = ("msg_", "tos_ban", "godwit_unsent", _UNKNOWN)
"""How the ids of notices begin that tell what became of a message (NOTICE-1)."""


class Say:
    """One message of the user's."""

    __slots__ = ("action", "channel", "link", "nonce", "reply_to", "text", "ticket")

    def __init__(self, ticket: int, channel: str, text: str, *, action: bool, reply_to: str) -> None:
        self.ticket = ticket
        self.channel = channel
        self.text = text
        self.action = action
        self.reply_to = reply_to
        self.nonce = ""
        self.link: Link | None = None

    def wire(self) -> str:
        """The text as it is sent: never taken for a command (MSG-3, MSG-4)."""
        if self.action:
            return f"/me {self.text}"
        return f"/ {self.text}" if self.text.startswith(("/", ".")) else self.text


class Speech:
    """The messages that wait and those that are on their way."""

    def __init__(
        self,
        prefix: str,
        voice: Callable[[str], Link | None],
        roads: Roads,
        *,
        options: Options,
        clock: Clock,
        alarms: Alarms,
        out: list[Action],
    ) -> None:
        """Begin with nothing to say.

        Args:
            prefix: of all nonces; no other client uses it.
            voice: the connection on which a channel is spoken to, if there is one.
        """
        self.acknowledged_ever = 0
        self._prefix = prefix
        self._voice = voice
        self._roads = roads
        self._options = options
        self._alarms = alarms
        self._out = out
        self._bucket = Bucket(options.messages, clock)
        self._waiting: dict[str, deque[Say]] = {}
        self._flying: dict[str, Say] = {}
        self._number = 0
        self._alarm = False

    @property
    def waiting(self) -> int:
        """Messages that have not been sent."""
        return sum(map(len, self._waiting.values()))

    @property
    def flying(self) -> int:
        """Messages that were sent and have not been acknowledged."""
        return len(self._flying)

    def add(self, ticket: int, channel: str, text: str, *, action: bool, reply_to: str) -> None:
        """Say something as soon as it may be said.

        Raises:
            SayRefused: it cannot be said at all.
        """
        if any(character in text for character in "\r\n\0"):
            raise SayRefused("a message is one line: it cannot hold CR, LF or NUL")
        if not (text := cut(clean(text))):
            raise SayRefused("there is nothing to say")
        say = Say(ticket, channel, text, action=action, reply_to=reply_to)
        self._waiting.setdefault(channel, deque()).append(say)
        self.pump()

    def withdraw(self, ticket: int) -> None:
        """Forget a message if it has not been sent."""
        for channel, queue in list(self._waiting.items()):
            self._keep(channel, [say for say in queue if say.ticket != ticket])

    def forget(self, channel: str) -> None:
        """Refuse what waits to be said in a channel that is left."""
        for say in self._waiting.pop(channel, ()):
            self._out.append(Failed(say.ticket, SayRefused(f"#{channel} was left")))

    def stop(self, error: Exception) -> None:
        """Fail everything."""
        for queue in (*self._waiting.values(), self._flying.values()):
            self._out.extend(Failed(say.ticket, error) for say in queue)
        self._waiting.clear()
        self._flying.clear()

    def mine(self, nonce: str) -> bool:
        """Say whether a nonce is one of ours."""
        return nonce.startswith(self._prefix)

    def acknowledged(self, nonce: str, msg_id: str) -> None:
        """The server says that a message was said, or shows it."""
        say = self._flying.get(nonce)
        if say is not None and msg_id:
            self.acknowledged_ever += 1
            self._land(say, Done(say.ticket, Sent(say.channel, msg_id, say.text)))

    def refused(self, link: Link, channel: str, msg_id: str, text: str) -> bool:
        """The server says why something was not done; tell whether a message of ours was meant."""
        if not msg_id.startswith(_REFUSALS):
            return False
        for say in self._flying.values():
            if say.channel == channel and say.link is link:
                error = SayUnknown(text) if msg_id == _UNKNOWN else SayRefused(f"#{channel}: {text}", msg_id)
                self._land(say, Failed(say.ticket, error))
                return True
        return False

    def dropped(self, link: Link) -> None:
        """A connection is gone: what was sent there may or may not have been said."""
        for say in self._flying.values():
            if say.link is link:
                self._alarms.after(self._options.settle, partial(self._unknown, say, "its connection was lost"))

    def pump(self) -> None:
        """Send what may be sent now."""
        if not self._waiting:
            return
        busy = {say.channel for say in self._flying.values()}
        for channel in list(self._waiting):
            if channel in busy or (link := self._voice(channel)) is None:
                continue
            if not self._bucket.take():
                self._pump_later()
                return
            # Whoever was served goes to the end of the line.
            queue = self._waiting.pop(channel)
            say = queue.popleft()
            self._keep(channel, list(queue))
            self._send(say, link)

    def _keep(self, channel: str, queue: list[Say]) -> None:
        if queue:
            self._waiting[channel] = deque(queue)
        else:
            self._waiting.pop(channel, None)

    def _send(self, say: Say, link: Link) -> None:
        self._number += 1
        say.nonce = f"{self._prefix}{self._number}"
        try:
            link.connection.say(say.channel, say.wire(), nonce=say.nonce, reply_to=say.reply_to)
        except LocalProtocolError as error:
            self._out.append(Failed(say.ticket, SayRefused(str(error))))
            self.pump()
            return
        say.link = link
        link.unacked += 1
        self._flying[say.nonce] = say
        self._roads.flush(link)
        waited = f"the server was silent for {self._options.ack_timeout:g} s"
        self._alarms.after(self._options.ack_timeout, partial(self._unknown, say, waited))

    def _pump_later(self) -> None:
        if not self._alarm:
            self._alarm = True
            self._alarms.after(self._bucket.wait(), self._pump_now)

    def _pump_now(self) -> None:
        self._alarm = False
        self.pump()

    def _unknown(self, say: Say, why: str) -> None:
        if say.nonce in self._flying:
            error = SayUnknown(f"a message to #{say.channel} may or may not have been said: {why}")
            self._land(say, Failed(say.ticket, error))

    def _land(self, say: Say, result: Done | Failed) -> None:
        del self._flying[say.nonce]
        self._out.append(result)
        if say.link is not None:
            say.link.unacked -= 1
            self._roads.spare(say.link)
        self.pump()
