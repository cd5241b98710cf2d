"""The connections of a client: one per cluster, opened when a channel wants it, closed when none does.

While a server goes down (RC-1) a cluster has two connections: one that is `leaving`, which goes on
showing its channels, and the new one, where they are joined meanwhile.
"""

from __future__ import annotations

from functools import partial
from itertools import count
from random import Random
from typing import Protocol

from godwit.client.actions import Action, Close, Open, Write
from godwit.client.alarms import Alarms
from godwit.client.links import Link, LinkState, Room, Route
from godwit.client.options import Options, Transport
from godwit.client.pace import Bucket
from godwit.clock import Clock
from godwit.errors import LoginRefused
from godwit.tmi.capabilities import Caps
from godwit.tmi.client_events import CapabilitiesAnswered, ClientEvent, LoginFailed, Ponged, Welcomed
from godwit.tmi.follow import Side
from godwit.tmi.login import LoginFailure
from godwit.values import Addresses, Position

CAPS = Caps.TAGS | Caps.COMMANDS | Caps.POSITION
"""What a client asks for: without positions it cannot follow (JOIN-6)."""

_PASSING = (LoginFailure.UNSUCCESSFUL, LoginFailure.ERROR)
"""Refusals that may pass, if the account has been accepted before."""


class Rooms(Protocol):
    """Who wants the connections, and hears what comes."""

    def seen(self, channel: str) -> Position | None:
        """The position behind which a channel is to be resumed."""
        ...

    def heard(self, link: Link, event: ClientEvent) -> None:
        """Learn what a server says."""
        ...

    def failed(self, channel: str, cluster: str, reason: str) -> None:
        """Learn that a channel could not be joined on a cluster."""
        ...

    def lost(self, channel: str, side: Side, reason: str) -> None:
        """Learn that a connection is gone on which the channel was joined or asked for."""
        ...

    def dropped(self, link: Link) -> None:
        """Learn that a connection is gone."""
        ...

    def refused(self, error: LoginRefused) -> None:
        """Learn that the account is refused: all is over."""
        ...


class Roads:
    """All connections and the ways to clusters; writes what it wants done to `out`."""

    def __init__(
        self,
        rooms: Rooms,
        nick: str,
        token: str | None,
        *,
        transport: Transport,
        options: Options,
        clock: Clock,
        random: Random,
        alarms: Alarms,
        out: list[Action],
    ) -> None:
        self.routes: dict[str, Route] = {}
        self.links: dict[int, Link] = {}
        self.opened_ever = 0
        self.failures = 0
        self._rooms = rooms
        self._nick = nick
        self._token = token
        self._transport = transport
        self._options = options
        self._clock = clock
        self._random = random
        self._alarms = alarms
        self._out = out
        self._numbers = count(1)
        self._joins = Bucket(options.joins, clock)
        self._join_alarm = False
        self._welcomed = False

    # what the channels want -----------------------------------------------------------------------

    def learn(self, key: str, addresses: Addresses) -> Route:
        """Know a cluster, with these addresses if there are any of our transport."""
        route = self.routes.get(key)
        if route is None:
            route = self.routes[key] = Route(key, addresses)
        elif getattr(addresses, self._transport):
            route.addresses = addresses
        return route

    def reachable(self, key: str) -> bool:
        """Say whether an address of a cluster is known that fits our transport."""
        route = self.routes.get(key)
        return route is not None and bool(self._choices(route))

    def want(self, channel: str, key: str) -> None:
        """Join a channel on a cluster, connecting first if need be."""
        route = self.routes[key]
        if route.link is None or route.link.rooms.get(channel) is not Room.ASKED:
            route.wanting[channel] = None
            self._approach(route)

    def inquire(self, channel: str, key: str) -> None:
        """Ask a cluster where a channel is, connecting first if need be."""
        self.routes[key].asking[channel] = None
        self._approach(self.routes[key])

    def leave(self, channel: str, side: Side) -> None:
        """Leave a channel on one connection."""
        link = self.links.get(side.connection)
        if link is not None and link.rooms.pop(channel, None) is not None:
            link.connection.part([channel])
            self.flush(link)
            self.spare(link)

    def cancel(self, channel: str, key: str, but: Side | None) -> None:
        """Leave a channel on all connections to a cluster, but not on `but`."""
        self.routes[key].wanting.pop(channel, None)
        for link in list(self.links.values()):
            if link.route.key == key and link.side != but:
                self.leave(channel, link.side)

    def retire(self, link: Link) -> None:
        """Begin nothing new on a connection: its server goes down (RC-1)."""
        link.leaving = True
        if link.route.link is link:
            link.route.link = None
        if link.route.wanting or link.route.asking:
            self._approach(link.route)
        self.spare(link)

    def spare(self, link: Link) -> None:
        """Close a connection that nobody needs: at once if it is leaving, else in a while."""
        if link.state is LinkState.GONE or not link.idle:
            return
        if link.leaving:
            self._close(link, "no longer needed")
        else:
            self._alarms.after(self._options.linger, partial(self._close_idle, link))

    def close(self) -> None:
        """Close everything."""
        for route in self.routes.values():
            route.wanting.clear()
            route.asking.clear()
        for link in list(self.links.values()):
            self._close(link, "client closed")

    # what the network does ------------------------------------------------------------------------

    def opened(self, number: int) -> None:
        """A connection is there: log in."""
        link = self.links.get(number)
        if link is None:
            self._out.append(Close(number, "no longer needed"))
            return
        link.state = LinkState.LOGIN
        link.heard = self._clock.now()
        link.connection.login(self._nick, self._token, CAPS)
        self.flush(link)

    def received(self, number: int, data: bytes) -> None:
        """Something came from a server."""
        link = self.links.get(number)
        if link is None:
            return
        link.heard = self._clock.now()
        for event in link.connection.receive_data(data):
            match event:
                case Welcomed():
                    self._ready(link)
                case LoginFailed(text):
                    self._login_failed(link, text)
                case CapabilitiesAnswered(granted=False):
                    self._rooms.refused(LoginRefused("the server does not tell positions: this client needs Godwit"))
                case Ponged():
                    pass
                case _:
                    self._rooms.heard(link, event)
            if link.state is LinkState.GONE:
                return
        self.flush(link)

    def closed(self, number: int, reason: str) -> None:
        """A connection is gone, or could not be made."""
        link = self.links.get(number)
        if link is not None:
            self._drop(link, reason)

    def flush(self, link: Link) -> None:
        """Write what a connection has to send."""
        pieces = link.connection.data_to_send()
        if pieces and link.state in (LinkState.LOGIN, LinkState.READY):
            self._out.append(Write(link.id, tuple(pieces)))

    # inside ---------------------------------------------------------------------------------------

    def _approach(self, route: Route) -> None:
        """Bring a cluster nearer to what is wanted there."""
        link = route.link
        if link is not None:
            if link.state is LinkState.READY:
                self._ask(link)
            return
        wait = route.not_before - self._clock.now()
        if wait <= 0:
            self._open(route)
        elif not route.waiting:
            route.waiting = True
            self._alarms.after(wait, partial(self._approach_again, route))

    def _approach_again(self, route: Route) -> None:
        route.waiting = False
        if route.wanting or route.asking:
            self._approach(route)

    def _choices(self, route: Route) -> tuple[str, ...]:
        """The addresses of a cluster that fit our transport, the preferred first."""
        found: tuple[str, ...] = getattr(route.addresses, self._transport)
        return found

    def _open(self, route: Route) -> None:
        choices = self._choices(route)
        if not choices:
            self._give_up(route, f"no {self._transport} address of {route.name} is known")
            return
        link = route.link = Link(next(self._numbers), route, self._clock.now())
        self.links[link.id] = link
        self.opened_ever += 1
        self._out.append(Open(link.id, choices[route.attempt % len(choices)]))
        self._alarms.after(self._options.connect_timeout, partial(self._check_login, link))

    def _ready(self, link: Link) -> None:
        self._welcomed = True
        link.state = LinkState.READY
        link.ready_at = self._clock.now()
        self._alarms.after(self._options.ping_interval, partial(self._check_alive, link))
        self._ask(link)
        self.spare(link)

    def _ask(self, link: Link) -> None:
        """Send the JOINs that the limit allows, and the INQUIREs."""
        route = link.route
        if route.asking:
            link.connection.inquire(route.asking)
            route.asking.clear()
        names = []
        for channel in list(route.wanting):
            if not self._joins.take():
                self._join_later()
                break
            del route.wanting[channel]
            link.rooms[channel] = Room.ASKED
            names.append(channel)
        if names:
            positions = {name: seen for name in names if (seen := self._rooms.seen(name)) is not None}
            link.connection.join(names, positions)
            self._alarms.after(self._options.join_timeout, partial(self._check_joined, link, tuple(names)))
        self.flush(link)

    def _join_later(self) -> None:
        if not self._join_alarm:
            self._join_alarm = True
            self._alarms.after(self._joins.wait(), self._join_now)

    def _join_now(self) -> None:
        self._join_alarm = False
        for link in list(self.links.values()):
            if link.state is LinkState.READY and link.route.link is link and link.route.wanting:
                self._ask(link)

    def _login_failed(self, link: Link, text: str) -> None:
        if self._welcomed and text in _PASSING:
            self._out.append(Close(link.id, "login refused"))
            self._drop(link, f"login refused: {text}")
        else:
            self._rooms.refused(LoginRefused(f"{link.route.name} refused the login of {self._nick}: {text}"))

    def _check_login(self, link: Link) -> None:
        if link.state < LinkState.READY:
            self._out.append(Close(link.id, "login timeout"))
            self._drop(link, f"{link.route.name} did not let us in within {self._options.connect_timeout:g} s")

    def _check_joined(self, link: Link, channels: tuple[str, ...]) -> None:
        for channel in channels:
            if link.state is LinkState.READY and link.rooms.get(channel) is Room.ASKED:
                link.rooms[channel] = Room.OVERDUE
                self._rooms.failed(channel, link.route.key, "JOIN was not answered: perhaps there is no such channel")

    def _check_alive(self, link: Link) -> None:
        if link.state is not LinkState.READY:
            return
        silent = self._clock.now() - link.heard
        if silent >= self._options.ping_interval:
            link.connection.ping("godwit")
            self.flush(link)
            self._alarms.after(self._options.pong_timeout, partial(self._check_pong, link, link.heard))
        else:
            self._alarms.after(self._options.ping_interval - silent, partial(self._check_alive, link))

    def _check_pong(self, link: Link, heard: float) -> None:
        if link.state is LinkState.READY and link.heard == heard:
            self._out.append(Close(link.id, "no answer to PING"))
            self._drop(link, f"{link.route.name} fell silent")
        else:
            self._check_alive(link)

    def _close_idle(self, link: Link) -> None:
        if link.state is not LinkState.GONE and link.idle:
            self._close(link, "no longer needed")

    def _close(self, link: Link, reason: str) -> None:
        link.connection.quit()
        self.flush(link)
        self._forget(link)
        self._out.append(Close(link.id, reason))

    def _forget(self, link: Link) -> None:
        link.state = LinkState.GONE
        del self.links[link.id]
        if link.route.link is link:
            link.route.link = None
        self._rooms.dropped(link)

    def _drop(self, link: Link, reason: str) -> None:
        """Deal with a connection that ended without our wish."""
        route, ready, current = link.route, link.state is LinkState.READY, link.route.link is link
        self.failures += 1
        self._forget(link)
        if current:
            now = self._clock.now()
            if ready and now - link.ready_at >= self._options.backoff.stable:
                route.attempt = 0
            route.attempt += 1
            route.not_before = now + self._options.backoff.wait(route.attempt, self._random)
            self._give_up(route, reason)
        for channel in link.rooms:
            self._rooms.lost(channel, link.side, reason)

    def _give_up(self, route: Route, reason: str) -> None:
        """Tell those that wait for a connection that there will be none for now."""
        route.asking.clear()
        waiting, route.wanting = route.wanting, {}
        for channel in waiting:
            self._rooms.failed(channel, route.key, reason)
