"""The account of a fault run: what was said, what became of it, and who saw it. Pure; it is told of facts.

The rules of the account:

1. A line is *acknowledged* when its speaker was given its id, *refused* when its speaker was told that it was not
   sent, *unknown* when the speaker was told that nobody knows, or lost the connection.
2. What was refused is seen by nobody; what nobody said is seen by nobody.
3. A follower (`godwit.client`) is in its channel all the time. It sees every acknowledged line of others, and every
   line that any other follower sees; none twice; and positions only grow.
4. A member (a raw connection that knows nothing of moves) comes back when its connection is lost, without asking for
   what it missed. What it sees on one connection has no hole; what was said since its JOIN was answered does not come
   in front of the first line that it sees; and while the connection lives everything acknowledged comes.
   What was acknowledged meanwhile, and no rule promises to it, is *cut off*: counted apart.
5. A line that was said after another one was acknowledged stands behind it.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from godwit.values import Position

NAMED = 20
"""How many offences are kept in words."""


@dataclass(slots=True, eq=False)
class Line:
    """One line that was said.

    Attributes:
        acknowledged_at: infinite as long as it is not.
        position: where a follower saw it.
        seen_by: followers and members that have seen it.
    """

    channel: str
    speaker: str
    text: str
    sent_at: float
    id: str = ""
    acknowledged_at: float = math.inf
    refused: bool = False
    position: Position | None = None
    seen_by: set[str] = field(default_factory=set)

    def is_due(self, before: float) -> bool:
        """Whether everybody should have seen it, if what was acknowledged `before` then is to be there."""
        return self.acknowledged_at < before or (self.position is not None and self.sent_at < before)


@dataclass(slots=True)
class Stay:
    """The time of a member on one connection, in one channel.

    Attributes:
        waiting: lines that it saw and that are not looked at yet, in their order.
        first, last: positions of those that were.
    """

    since: float
    until: float = math.inf
    waiting: deque[Line] = field(default_factory=deque)
    first: Position | None = None
    last: Position | None = None

    def promises(self, line: Line) -> bool:
        """Whether a line has to be seen here (rule 4)."""
        if line.position is not None and self.last is not None and line.position < self.last:
            return line.sent_at >= self.since or (self.first is not None and line.position > self.first)
        return self.until == math.inf and line.sent_at >= self.since


@dataclass(slots=True)
class Counts:
    """What an account says.

    Attributes:
        seen: lines that were seen where they had to be.
        cut_off: lines that a member could not see.
        problems: the first offences in words.
    """

    said: int = 0
    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0
    seen: int = 0
    cut_off: int = 0
    missing: int = 0
    twice: int = 0
    misordered: int = 0
    foreign: int = 0
    gaps: int = 0
    parted: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def offences(self) -> int:
        """What must not be."""
        return self.missing + self.twice + self.misordered + self.foreign + self.gaps + self.parted


@dataclass(slots=True)
class _Channel:
    lines: dict[str, Line] = field(default_factory=dict)
    open: dict[str, Line] = field(default_factory=dict)
    by_position: dict[Position, Line] = field(default_factory=dict)
    followers: dict[str, Position | None] = field(default_factory=dict)
    members: dict[str, list[Stay]] = field(default_factory=lambda: defaultdict(list))
    closed_to: Position | None = None
    closed_at: float = -math.inf


class Account:
    """The account. Times are seconds of any one clock; texts are different from each other."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._channels: dict[str, _Channel] = defaultdict(_Channel)
        self._closed = -math.inf

    # what speakers do -------------------------------------------------------------------------

    def said(self, channel: str, speaker: str, text: str, at: float) -> None:
        """Somebody sends a line."""
        line = Line(channel, speaker, text, at)
        room = self._channels[channel]
        room.lines[text] = room.open[text] = line
        self.counts.said += 1

    def acknowledged(self, channel: str, text: str, msg_id: str, at: float) -> None:
        """A speaker is given the id of a line."""
        line = self._channels[channel].lines.get(text)
        if line is None:
            self._offend("foreign", f"#{channel}: acknowledged, but never said: {text!r}")
        elif line.id and line.acknowledged_at < math.inf:
            self._offend("twice", f"#{channel}: acknowledged twice: {text!r}, as {line.id} and as {msg_id}")
        elif line.id and line.id != msg_id:
            self._offend("foreign", f"#{channel}: acknowledged as {msg_id}, shown as {line.id}: {text!r}")
        else:
            line.id, line.acknowledged_at = msg_id, at
            self.counts.acknowledged += 1

    def refused(self, channel: str, text: str) -> None:
        """A speaker is told that a line was not sent."""
        line = self._channels[channel].lines[text]
        line.refused = True
        self.counts.refused += 1
        if line.seen_by or line.acknowledged_at < math.inf:
            self._offend("foreign", f"#{channel}: refused, and yet sent: {text!r}")
        else:
            self._channels[channel].open.pop(text, None)

    def unknown(self, channel: str, text: str) -> None:
        """A speaker cannot know what became of a line."""
        self.counts.unknown += 1

    # what readers see -------------------------------------------------------------------------

    def follows(self, reader: str, channel: str) -> None:
        """A follower is in a channel from now on."""
        self._channels[channel].followers[reader] = None

    def follower_saw(self, reader: str, channel: str, text: str, msg_id: str, position: Position | None) -> None:
        """A follower is shown a line."""
        line = self._genuine(reader, channel, text, msg_id)
        if line is None:
            return
        room = self._channels[channel]
        last = room.followers[reader]
        if position is None:
            self._offend("foreign", f"#{channel}: {reader} saw {text!r} without a position")
            return
        if reader in line.seen_by:
            self._offend("twice", f"#{channel}: {reader} saw {text!r} twice, at {line.position} and {position}")
            return
        line.seen_by.add(reader)
        if last is not None and position <= last:
            self._offend("misordered", f"#{channel}: {reader} saw {text!r} at {position} behind {last}")
        room.followers[reader] = position if last is None else max(last, position)
        if line.position is None:
            line.position = position
        other = room.by_position.setdefault(position, line)
        if other is not line or line.position != position:
            where = f"others saw it at {line.position}, and {other.text!r} there"
            self._offend("misordered", f"#{channel}: {reader} saw {text!r} at {position}; {where}")

    def gap(self, reader: str, channel: str, missing: int | None) -> None:
        """A reader is told that lines are missing: nothing of what is done here may cost any."""
        told = "an unknown number of" if missing is None else missing
        self._offend("gaps", f"#{channel}: {reader} was told that {told} lines are missing")

    def member_joined(self, reader: str, channel: str, at: float) -> None:
        """A member's JOIN was answered on a new connection."""
        self._channels[channel].members[reader].append(Stay(at))

    def member_left(self, reader: str, channel: str, at: float) -> None:
        """A member's connection is gone."""
        stays = self._channels[channel].members[reader]
        if stays and stays[-1].until == math.inf:
            stays[-1].until = at

    def member_parted(self, reader: str, channel: str, at: float) -> None:
        """The server took a member out of a channel."""
        self.member_left(reader, channel, at)
        self._offend("parted", f"#{channel}: {reader} was taken out of the channel")

    def member_saw(self, reader: str, channel: str, text: str, msg_id: str) -> None:
        """A member is shown a line on its connection."""
        line = self._genuine(reader, channel, text, msg_id)
        if line is None:
            return
        stays = self._channels[channel].members[reader]
        if not stays or stays[-1].until < math.inf:
            self._offend("foreign", f"#{channel}: {reader}, who had not joined, saw {text!r}")
        elif line in stays[-1].waiting or (stays[-1].last and line.position and line.position <= stays[-1].last):
            self._offend("twice", f"#{channel}: {reader} saw {text!r} twice on a connection, or after a later line")
        else:
            line.seen_by.add(reader)
            stays[-1].waiting.append(line)

    # the reckoning ----------------------------------------------------------------------------

    def missing(self, before: float) -> list[tuple[str, Line]]:
        """Who has not seen what was acknowledged before a moment, though it should still come: reader and line."""
        found: list[tuple[str, Line]] = []
        for room in self._channels.values():
            for line in room.open.values():
                if not line.is_due(before):
                    continue
                found += [(name, line) for name in room.followers if self._lacks(name, line)]
                for name, stays in room.members.items():
                    here = stays and stays[-1].until == math.inf and line.sent_at >= stays[-1].since
                    if here and self._lacks(name, line):
                        found.append((name, line))
        return found

    def close(self, before: float) -> None:
        """Reckon what was acknowledged before a moment, for good."""
        for name, room in self._channels.items():
            due = [line for line in room.open.values() if line.is_due(before)]
            for reader, stays in room.members.items():
                for stay in stays:
                    self._look_at(reader, stay, before)
            for line in due:
                self._settle(room, line)
                del room.open[line.text]
            self._check_times(name, room, due, before)
            for reader, stays in room.members.items():
                room.members[reader] = [stay for stay in stays if stay.until > self._closed or stay.waiting]
        self._closed = before

    def _look_at(self, reader: str, stay: Stay, before: float) -> None:
        """Go through what a member saw, as far as followers have seen it too."""
        while stay.waiting and (stay.waiting[0].position is not None or stay.waiting[0].sent_at < before):
            line = stay.waiting.popleft()
            if line.position is None:
                self._offend("foreign", f"#{line.channel}: {reader} saw {line.text!r}, no follower did")
                continue
            if stay.last is not None and line.position <= stay.last:
                self._offend("misordered", f"#{line.channel}: {reader} saw {line.text!r} behind a later line")
            stay.first = stay.first or line.position
            stay.last = line.position

    def _settle(self, room: _Channel, line: Line) -> None:
        where = f"#{line.channel}: {line.text!r} of {line.speaker} at {line.position}"
        for reader in room.followers:
            if self._lacks(reader, line):
                self._offend("missing", f"{where}, {'said' if line.id else 'seen by others'}, not seen by {reader}")
            elif reader != line.speaker:
                self.counts.seen += 1
        for reader, stays in room.members.items():
            if reader == line.speaker:
                continue
            if reader in line.seen_by:
                self.counts.seen += 1
            elif any(stay.promises(line) for stay in stays):
                self._offend("missing", f"{where} not seen by the member {reader}, who was there")
            else:
                self.counts.cut_off += line.acknowledged_at < math.inf

    def _check_times(self, channel: str, room: _Channel, due: Iterable[Line], before: float) -> None:
        """Rule 5, backwards: no line may have been sent after one behind it was acknowledged."""
        soonest, its = math.inf, ""
        placed = sorted((line for line in due if line.position), key=lambda line: line.position or Position(0, 0))
        for line in reversed(placed):
            if soonest < line.sent_at:
                self._offend("misordered", f"#{channel}: {line.text!r} was said after {its!r} and stands before it")
            if line.acknowledged_at < soonest:
                soonest, its = line.acknowledged_at, line.text
        acknowledged = [line for line in placed if line.acknowledged_at < before]
        if room.closed_to is not None and placed:
            for line in placed:
                if line.position is not None and line.position < room.closed_to and line.sent_at >= room.closed_at:
                    self._offend("misordered", f"#{channel}: {line.text!r} stands before what was settled before it")
        if acknowledged:
            last = acknowledged[-1].position
            room.closed_to = last if room.closed_to is None or last is None else max(last, room.closed_to)
            room.closed_at = before

    def _lacks(self, reader: str, line: Line) -> bool:
        return reader != line.speaker and reader not in line.seen_by

    def _genuine(self, reader: str, channel: str, text: str, msg_id: str) -> Line | None:
        line = self._channels[channel].lines.get(text)
        if line is None:
            self._offend("foreign", f"#{channel}: {reader} saw what nobody said: {text!r}")
        elif line.refused:
            self._offend("foreign", f"#{channel}: {reader} saw what was refused: {text!r}")
        elif line.id and msg_id and line.id != msg_id:
            self._offend("foreign", f"#{channel}: {reader} saw {text!r} as {msg_id}, not as {line.id}")
        else:
            line.id = line.id or msg_id
            return line
        return None

    def _offend(self, what: str, text: str) -> None:
        setattr(self.counts, what, getattr(self.counts, what) + 1)
        if len(self.counts.problems) < NAMED:
            self.counts.problems.append(f"{what}: {text}")
