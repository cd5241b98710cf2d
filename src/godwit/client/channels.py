"""The channels that the user wants: where they are joined, and what is shown of them.

Per channel a `tmi.follow.Follower` decides; here its effects are carried out, and the user is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random

import msgspec

from godwit.client import actions
from godwit.client.alarms import Alarms
from godwit.client.directory import Place
from godwit.client.events import Event, Gap, Interrupted, Message, Moved, Notice, Resumed
from godwit.client.links import Link, Room
from godwit.client.options import Options, Transport
from godwit.client.places import Places
from godwit.client.roads import Roads
from godwit.client.speech import Speech
from godwit.clock import Clock
from godwit.errors import JoinFailed, LoginRefused
from godwit.tmi import client_events as tmi
from godwit.tmi import follow
from godwit.values import Addresses, Position

_SHUT = ("msg_channel_suspended", "msg_room_not_found", "tos_ban")
"""Notices that answer a JOIN which is refused (NOTICE-1)."""


class _Channel:
    """One channel that the user wants.

    Attributes:
        follower: None until it is known where to begin.
        tickets: of the user's calls that wait for it to be joined.
        side: what is shown.
        place: the cluster that was shown last, '' before the first.
        failures: attempts in a row that failed, before the first that did not.
        retries: how often in a row the follower wanted to ask again later.
    """

    __slots__ = ("failures", "follower", "name", "place", "retries", "side", "tickets")

    def __init__(self, name: str) -> None:
        self.name = name
        self.follower: follow.Follower | None = None
        self.tickets: list[int] = []
        self.side: follow.Side | None = None
        self.place = ""
        self.failures = 0
        self.retries = 0


class Channels:
    """All channels of a client; hears the servers as the port `roads.Rooms`.

    Attributes:
        roads: the connections.
        speech: what the user says.
        moves: changes of cluster so far.
        messages: messages shown so far.
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
        alarms: Alarms,
        out: list[actions.Action],
        end: Callable[[Exception], None],
    ) -> None:
        """Begin with no channel; `end` is called when the account is refused. The rest as for `core.Core`."""
        self.moves = 0
        self.messages = 0
        self._channels: dict[str, _Channel] = {}
        self._directory = directory
        self._transport = transport
        self._options = options
        self._random = random
        self._alarms = alarms
        self._out = out
        self._end = end
        self.roads = Roads(
            self,
            nick,
            token,
            transport=transport,
            options=options,
            clock=clock,
            random=random,
            alarms=alarms,
            out=out,
        )
        self.speech = Speech(
            f"{random.getrandbits(64):016x}-",
            self._voice,
            self.roads,
            options=options,
            clock=clock,
            alarms=alarms,
            out=out,
        )
        self._places = Places(self.roads, directory=directory, out=out)
        for cluster, addresses in servers.items():
            self.roads.learn(cluster, addresses)
        self._entry = next(iter(servers), "")

    def __contains__(self, channel: str) -> bool:
        return channel in self._channels

    def __len__(self) -> int:
        return len(self._channels)

    @property
    def shown(self) -> int:
        """Channels that are being shown."""
        return sum(channel.side is not None for channel in self._channels.values())

    def join(self, ticket: int, channel: str) -> None:
        """Be in a channel; the ticket is done once it is shown."""
        wanted = self._channels.get(channel)
        if wanted is None:
            wanted = self._channels[channel] = _Channel(channel)
            wanted.tickets.append(ticket)
            if self._directory:
                self._locate(wanted)
            else:
                self._begin(wanted, self._entry)
        elif wanted.side is None:
            wanted.tickets.append(ticket)
        else:
            self._out.append(actions.Done(ticket))

    def part(self, channel: str) -> None:
        """Leave a channel, if it is wanted."""
        if (wanted := self._channels.get(channel)) is not None:
            self._abandon(wanted, JoinFailed(f"#{channel} was left before it was joined"))

    def stop(self, error: Exception) -> None:
        """Leave everything and close all connections; what the user waits for fails."""
        for channel in self._channels.values():
            self._out.extend(actions.Failed(ticket, error) for ticket in channel.tickets)
        self._channels.clear()
        self._places.stop()
        self.speech.stop(error)
        self.roads.close()

    def looked_up(self, channels: Sequence[str], found: Mapping[str, Place]) -> None:
        """The directory answered."""
        for name in channels:
            if (channel := self._channels.get(name)) is None:
                continue
            if (place := found.get(name)) is None:
                self._unplaced(channel, "the directory does not know the channel")
            else:
                self._located(channel, place.cluster, place.epoch or 0, place.addresses)
        self._places.answered()

    def look_up_failed(self, channels: Sequence[str], reason: str) -> None:
        """The directory did not answer."""
        for name in channels:
            if (channel := self._channels.get(name)) is not None:
                self._unplaced(channel, reason)
        self._places.answered()

    # what the roads tell (the port `roads.Rooms`) -------------------------------------------------

    def seen(self, channel: str) -> Position | None:
        """The position behind which a channel is to be resumed."""
        wanted = self._channels.get(channel)
        return wanted.follower.seen if wanted and wanted.follower else None

    def heard(self, link: Link, event: tmi.ClientEvent) -> None:
        """Learn what a server says."""
        if isinstance(event, tmi.Reconnect):
            self._reconnect(link)
            return
        channel = self._channels.get(getattr(event, "channel", ""))
        if isinstance(event, tmi.UserState):
            self.speech.acknowledged(event.nonce, event.id)
        elif isinstance(event, tmi.Notice):
            self._notice(link, channel, event)
        elif channel is not None and channel.follower is not None:
            self._hear(link, channel, channel.follower, event)

    def failed(self, channel: str, cluster: str, reason: str) -> None:
        """Learn that a channel could not be joined on a cluster."""
        wanted = self._channels.get(channel)
        if wanted is not None and wanted.follower is not None and not self._hopeless(wanted, reason):
            self._drive(wanted, wanted.follower.failed(cluster), reason)

    def lost(self, channel: str, side: follow.Side, reason: str) -> None:
        """Learn that a connection is gone on which the channel was joined or asked for."""
        wanted = self._channels.get(channel)
        if wanted is not None and wanted.follower is not None and not self._hopeless(wanted, reason):
            self._drive(wanted, wanted.follower.lost(side), reason)

    def dropped(self, link: Link) -> None:
        """Learn that a connection is gone."""
        self.speech.dropped(link)

    def refused(self, error: LoginRefused) -> None:
        """Learn that the account is refused: all is over."""
        self._end(error)

    # a channel's life -----------------------------------------------------------------------------

    def _begin(self, channel: _Channel, cluster: str) -> None:
        channel.follower = follow.Follower(cluster)
        self._drive(channel, channel.follower.start())

    def _hear(self, link: Link, channel: _Channel, follower: follow.Follower, event: tmi.ClientEvent) -> None:
        side = link.side
        match event:
            case tmi.ChannelMessage():
                nonce = event.tags.get("client-nonce", "")
                if self.speech.mine(nonce):
                    self.speech.acknowledged(nonce, event.id)
                self._drive(channel, follower.line(side, event))
            case tmi.RoomState(joined=True):
                if channel.name in link.rooms:
                    link.rooms[channel.name] = Room.IN
                    self._places.name(link, event.cluster)
                    self._drive(channel, follower.answered(side, event))
                    self._gather(channel)
            case tmi.ServerChanged():
                key = self._places.learn(event.cluster, event.addresses)
                self._drive(channel, follower.changed(side, msgspec.structs.replace(event, cluster=key)))
            case tmi.Gap():
                self._drive(channel, follower.gap(side, event))
            case tmi.Parted():
                # Before the answer to a JOIN this is the echo of an earlier PART of ours.
                if link.rooms.get(channel.name) is Room.IN:
                    del link.rooms[channel.name]
                    self._drive(channel, follower.parted(side), "the server took us out of the channel")
            case tmi.Inquired():
                known = (event.address,) if ":" in event.address else ()
                self._located(channel, event.cluster, event.epoch, Addresses(**{self._transport: known}))

    def _drive(self, channel: _Channel, effects: list[follow.Effect], reason: str = "") -> None:
        """Carry out what a channel's follower wants."""
        follower = channel.follower
        assert follower is not None
        if follower.side != channel.side:
            self._turn(channel, follower.side, reason)
        for effect in effects:
            match effect:
                case follow.Show(message):
                    self._show(message)
                case follow.Missing(gap):
                    self._tell(Gap(gap.channel, gap.missing, "server"))
                case follow.Join(cluster):
                    # Its addresses were learned where they came from.
                    self.roads.learn(cluster, Addresses())
                    if not self.roads.reachable(cluster):
                        self._locate(channel)
                    self.roads.want(channel.name, cluster)
                case follow.Part(side):
                    self.roads.leave(channel.name, side)
                case follow.Cancel(cluster, but):
                    self.roads.cancel(channel.name, cluster, but)
                case follow.LookUp():
                    self._locate(channel)
                case follow.RetryLater():
                    self._retry_later(channel)
        self.speech.pump()

    def _gather(self, channel: _Channel) -> None:
        """Be in a channel that is shown in one place only: Joins that had failed may be answered late."""
        if channel.follower is not None and channel.follower.state is follow.FollowState.SHOWING:
            for key in self.roads.routes:
                self.roads.cancel(channel.name, key, channel.follower.side)

    def _turn(self, channel: _Channel, side: follow.Side | None, reason: str) -> None:
        """Show another side from now on, or none."""
        before, channel.side = channel.side, side
        if side is None:
            assert before is not None
            self._tell(Interrupted(channel.name, self.roads.routes[before.cluster].name, reason))
            return
        name = self.roads.routes[side.cluster].name
        if channel.place not in ("", side.cluster):
            self.moves += 1
            self._tell(Moved(channel.name, name, channel.follower.epoch if channel.follower else 0))
        if channel.place and before is None:
            self._tell(Resumed(channel.name, name))
        channel.place, channel.retries = side.cluster, 0
        self._out.extend(actions.Done(ticket) for ticket in channel.tickets)
        channel.tickets.clear()

    def _show(self, said: tmi.ChannelMessage) -> None:
        if self.speech.mine(said.tags.get("client-nonce", "")):
            return
        self.messages += 1
        self._tell(Message(said.channel, said.id, said.login, said.text, said.action, said.position, said.tags))

    def _notice(self, link: Link, channel: _Channel | None, notice: tmi.Notice) -> None:
        if self.speech.refused(link, notice.channel, notice.msg_id, notice.text):
            return
        if channel is not None and channel.side is None and notice.msg_id in _SHUT:
            self._abandon(channel, JoinFailed(f"#{channel.name}: {notice.text}"))
        elif not notice.channel or (channel is not None and channel.side in (None, link.side)):
            self._tell(Notice(notice.channel, notice.msg_id, notice.text))

    def _reconnect(self, link: Link) -> None:
        """A server goes down: have a new connection first, then leave this one (RC-1)."""
        self.roads.retire(link)
        for name in list(link.rooms):
            channel = self._channels.get(name)
            if channel is not None and channel.follower is not None:
                self._drive(channel, channel.follower.reconnect(link.side))

    def _retry_later(self, channel: _Channel) -> None:
        channel.retries += 1
        if channel.side is None:
            # It may have moved while nobody could tell us.
            self._locate(channel)
        wait = self._options.backoff.wait(channel.retries, self._random)
        self._alarms.after(wait, partial(self._retry, channel, channel.retries))

    def _retry(self, channel: _Channel, retries: int) -> None:
        if self._channels.get(channel.name) is channel and channel.follower and channel.retries == retries:
            self._drive(channel, channel.follower.retry())

    def _hopeless(self, channel: _Channel, reason: str) -> bool:
        """Count a failure of a channel that was never joined; give it up at the last one."""
        if channel.place:
            return False
        channel.failures += 1
        if channel.failures < self._options.join_attempts:
            return False
        self._abandon(channel, JoinFailed(f"#{channel.name} could not be joined: {reason}"))
        return True

    def _abandon(self, channel: _Channel, error: Exception) -> None:
        """Forget a channel."""
        if channel.follower is not None:
            channel.side = None
            for effect in channel.follower.leave():
                match effect:
                    case follow.Part(side):
                        self.roads.leave(channel.name, side)
                    case follow.Cancel(cluster, but):
                        self.roads.cancel(channel.name, cluster, but)
        del self._channels[channel.name]
        self._places.forget(channel.name)
        self.speech.forget(channel.name)
        self._out.extend(actions.Failed(ticket, error) for ticket in channel.tickets)

    # where things are -----------------------------------------------------------------------------

    def _locate(self, channel: _Channel) -> None:
        home = channel.follower.home if channel.follower else ""
        self._places.locate(channel.name, home, channel.retries)

    def _located(self, channel: _Channel, cluster: str, epoch: int, addresses: Addresses) -> None:
        lacking = not self.roads.reachable(self._places.key(cluster))
        key = self._places.learn(cluster, addresses)
        if channel.follower is None:
            self._begin(channel, key)
            return
        self._drive(channel, channel.follower.located(key, epoch, addresses))
        if lacking and self.roads.reachable(key) and self._channels.get(channel.name) is channel:
            self._drive(channel, channel.follower.retry())

    def _unplaced(self, channel: _Channel, reason: str) -> None:
        """The directory could not help: where we know no place either, ask again later."""
        if channel.follower is not None:
            return
        if self._entry:
            self._begin(channel, self._entry)
        elif not self._hopeless(channel, reason):
            wait = self._options.backoff.wait(channel.failures, self._random)
            self._alarms.after(wait, partial(self._locate_again, channel))

    def _locate_again(self, channel: _Channel) -> None:
        if self._channels.get(channel.name) is channel and channel.follower is None:
            self._locate(channel)

    def _voice(self, channel: str) -> Link | None:
        wanted = self._channels.get(channel)
        if wanted is None or wanted.side is None:
            return None
        return self.roads.links.get(wanted.side.connection)

    def _tell(self, event: Event) -> None:
        self._out.append(actions.Tell(event))
