"""What a client knows and decides, without I/O: fed with what happens, drained of actions.

`client.Client` feeds it from one task and carries out the actions in their order. Of its parts
`channels` decides where channels are joined and what is shown, `roads` keeps the connections,
`speech` what the user says, `places` asks where channels are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from godwit.client import actions
from godwit.client.alarms import Alarms
from godwit.client.channels import Channels
from godwit.client.directory import Place
from godwit.client.links import LinkState
from godwit.client.options import Options, Transport
from godwit.client.statistics import Statistics
from godwit.clock import Clock
from godwit.errors import ClientClosed, SayRefused
from godwit.values import Addresses


class Core:
    """The state of a client.

    Attributes:
        over: nothing will happen any more.
        error: why, if it wasn't closed.
    """

    def __init__(
        self,
        nick: str,
        token: str | None,
        *,
        servers: Mapping[str, Addresses],
        directory: bool,
        transport: Transport,
        options: Options,
        clock: Clock,
        random: Random,
    ) -> None:
        """Know where to begin.

        Args:
            token: None reads only.
            servers: what clusters are called and where they are; the first is the one to begin with.
            directory: whether a directory can be asked.
        """
        self.over = False
        self.error: Exception | None = None
        self._out: list[actions.Action] = []
        self._alarms = Alarms(clock)
        self._silent = token is None
        self._channels = Channels(
            nick,
            token,
            servers=servers,
            directory=directory,
            transport=transport,
            options=options,
            clock=clock,
            random=random,
            alarms=self._alarms,
            out=self._out,
            end=self._end,
        )

    # drained --------------------------------------------------------------------------------------

    def actions(self) -> list[actions.Action]:
        """Hand over what is to be done, in order."""
        out = self._out[:]
        self._out.clear()
        return out

    def deadline(self) -> float | None:
        """When `tick` is due at the latest, by the clock; None if there is nothing to wait for."""
        return None if self.over else self._alarms.next()

    def statistics(self, *, queued: int = 0, dropped: int = 0) -> Statistics:
        """What the client is doing."""
        speech, roads = self._channels.speech, self._channels.roads
        links = roads.links.values()
        ready = sum(link.state is LinkState.READY for link in links)
        return Statistics(
            channels=len(self._channels),
            shown=self._channels.shown,
            connections=ready,
            connecting=len(links) - ready,
            opened=roads.opened_ever,
            failures=roads.failures,
            moves=self._channels.moves,
            messages=self._channels.messages,
            saying=speech.waiting,
            unacknowledged=speech.flying,
            acknowledged=speech.acknowledged_ever,
            queued=queued,
            dropped=dropped,
        )

    # what the user wants --------------------------------------------------------------------------

    def join(self, ticket: int, channel: str) -> None:
        """Be in a channel; the ticket is done once it is shown."""
        if self.over:
            self._fail(ticket, self._gone())
        else:
            self._channels.join(ticket, channel)

    def part(self, ticket: int, channel: str) -> None:
        """Leave a channel."""
        self._channels.part(channel)
        self._out.append(actions.Done(ticket))

    def say(self, ticket: int, channel: str, text: str, reply_to: str = "", action: bool = False) -> None:
        """Say something; the ticket is done once it is acknowledged."""
        if self.over:
            self._fail(ticket, self._gone())
        elif self._silent:
            self._fail(ticket, SayRefused("an anonymous client only reads: give it a nick and a token"))
        elif channel not in self._channels:
            self._fail(ticket, SayRefused(f"join #{channel} before speaking there"))
        else:
            try:
                self._channels.speech.add(ticket, channel, text, action=action, reply_to=reply_to)
            except SayRefused as error:
                self._fail(ticket, error)

    def withdraw(self, ticket: int) -> None:
        """Learn that nobody waits for a ticket any more; what was not sent is not said."""
        self._channels.speech.withdraw(ticket)

    def close(self) -> None:
        """End everything."""
        self._end(None)

    # what happens outside -------------------------------------------------------------------------

    def opened(self, link: int) -> None:
        """A connection is there."""
        self._channels.roads.opened(link)

    def received(self, link: int, data: bytes) -> None:
        """Something came on a connection."""
        self._channels.roads.received(link, data)

    def closed(self, link: int, reason: str) -> None:
        """A connection is gone, or could not be made."""
        self._channels.roads.closed(link, reason)

    def tick(self) -> None:
        """Time has passed."""
        if not self.over:
            self._alarms.ring()

    def looked_up(self, channels: Sequence[str], found: Mapping[str, Place]) -> None:
        """The directory answered."""
        self._channels.looked_up(channels, found)

    def look_up_failed(self, channels: Sequence[str], reason: str) -> None:
        """The directory did not answer."""
        self._channels.look_up_failed(channels, reason)

    # small things ---------------------------------------------------------------------------------

    def _fail(self, ticket: int, error: Exception) -> None:
        self._out.append(actions.Failed(ticket, error))

    def _gone(self) -> Exception:
        return self.error or ClientClosed("the client has been closed")

    def _end(self, error: Exception | None) -> None:
        if not self.over:
            self.over = True
            self.error = error
            self._channels.stop(self._gone())
            self._out.append(actions.End(error))
