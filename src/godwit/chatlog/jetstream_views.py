"""Whether the streams of a chat log are still those whose records this process has seen (rule L2).

Looked at on each new connection, every few seconds and on any doubt. A stream that its leader does not know,
that has lost its birth or a record that was seen, or that ends before one, is not written to; if that lasts it
is a dead log. One that was created anew has another id, and takes the old one's place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import msgspec
import structlog

from godwit.chatlog.jetstream_records import Stored, text_of, time_of
from godwit.chatlog.jetstream_streams import NO_STREAM, Api, ApiError, Found, Layout, check, lifetime, margin
from godwit.errors import ChatLogUnavailable, LogNotPrepared
from godwit.settings import LogSettings

log = structlog.get_logger()

LOOK_TIMEOUT = 1.0
"""Seconds that a stream's leader is given to tell how it is; a request that comes before its election is lost."""


class Doubt(msgspec.Struct, frozen=True):
    """For how long something must have been found wrong before it is acted on.

    Attributes:
        brief: seconds for one that is missing, or without its birth.
        long: seconds for one that lacks what it had: longer than a leader that was cut off believes in itself,
            or a new one takes to store what it was given before.
        silence: seconds without an answer of any stream after which another server is tried: more than an election.
    """

    brief: float = 3.0
    long: float = 15.0
    silence: float = 20.0


class View:
    """One stream as this process sees it."""

    __slots__ = (
        "clock_ahead",
        "doubted_since",
        "horizon",
        "horizon_until",
        "known",
        "lost",
        "name",
        "number",
        "ready",
        "seen",
    )

    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.name = name
        self.ready = False
        """Whether it may be read and written: its leader was asked since there is this connection."""
        self.lost = False
        self.known = 0
        """The highest sequence that is known to be stored."""
        self.seen: tuple[int, float] = (0, 0.0)
        """Sequence and time of the last record that was read."""
        self.clock_ahead = 0.0
        """Seconds by which the leader's clock is ahead of the loop's."""
        self.doubted_since: float | None = None
        self.horizon = 0
        self.horizon_until = 0.0

    @property
    def id(self) -> str:
        """Its creation id."""
        return f"{self.name}-lost" if self.lost else self.name

    def require_ready(self) -> None:
        """Refuse to work with a stream that is in doubt.

        Raises:
            ChatLogUnavailable: it is.
        """
        if not self.ready:
            raise ChatLogUnavailable(f"stream {self.id} is not ready")

    def saw(self, stored: Stored) -> None:
        """Take notice of a record that was read."""
        if stored.sequence > self.seen[0]:
            self.seen = (stored.sequence, stored.time)
        self.knows(stored.sequence)

    def knows(self, sequence: int) -> None:
        """Take notice of a sequence that is stored."""
        if sequence > self.known:
            self.known = sequence

    def become(self, name: str) -> None:
        """Take the place of a stream that was created anew."""
        self.name = name
        self.lost = False
        self.known = 0
        self.seen = (0, 0.0)
        self.horizon = 0
        self.horizon_until = 0.0


class Views:
    """All streams of a cluster.

    Args:
        changed: called when a stream is another one or dead, with True, or only ready again, with False.
        doubt: when a stream counts as dead.
    """

    def __init__(
        self,
        api: Api,
        layout: Layout,
        settings: LogSettings,
        changed: Callable[[View, bool], None],
        doubt: Doubt,
    ) -> None:
        self._api = api
        self._layout = layout
        self._settings = settings
        self._changed = changed
        self._doubt = doubt
        self._views: list[View] = []

    def __iter__(self) -> Iterator[View]:
        return iter(self._views)

    def of(self, channel: str) -> View:
        """The stream that holds a channel."""
        return self._views[self._layout.stream(channel)]

    @property
    def found(self) -> bool:
        """Whether they were found once."""
        return bool(self._views)

    @property
    def ready(self) -> bool:
        """Whether all are."""
        return all(view.ready for view in self._views)

    async def find(self) -> None:
        """See for the first time which streams there are.

        Raises:
            LogNotPrepared: they are not all there, or not right; says what to do.
            ChatLogUnavailable: no answer.
        """
        names = await self._api.names()
        if missing := [number for number in range(self._layout.streams) if number not in names]:
            raise LogNotPrepared(
                f"cluster {self._layout.cluster}: {len(missing)} of {self._layout.streams} streams of the chat log "
                "are missing: run 'godwit migrate'"
            )
        if len(names) > self._layout.streams:
            raise LogNotPrepared(
                f"cluster {self._layout.cluster} has {len(names)} streams, but nats.streams is "
                f"{self._layout.streams}: set it back; another number of streams is another cluster"
            )
        views = [View(number, names[number]) for number in range(self._layout.streams)]
        looks = [self._api.look(view.number, view.name) for view in views]
        for view, found in zip(views, await asyncio.gather(*looks), strict=True):
            check(self._layout, found)
            self._accept(view, found)
        self._views = views

    def doubt(self) -> None:
        """Nothing may be taken for granted: the connection was lost."""
        for view in self._views:
            view.ready = False

    async def look(self) -> int:
        """Ask the leaders how their streams are; one that does not answer is left as it is.

        Returns:
            How many answered.
        """
        return sum(await asyncio.gather(*map(self._verify, self._views)))

    async def _look(self, view: View) -> Found:
        return await self._api.look(view.number, view.name, within=LOOK_TIMEOUT)

    async def _verify(self, view: View) -> bool:
        known, seen = view.known, view.seen  # as of now: others go on reading and writing while the leader is asked
        try:
            try:
                found = await self._look(view)
            except ApiError as error:
                if error.number != NO_STREAM:
                    raise
                await self._find_another(view)
                return True
            if not found.born:
                self._suspect(view, "it has lost its birth", self._doubt.brief)
            elif found.last < known:
                self._suspect(view, f"it ends at {found.last}, before {known}", self._doubt.long)
            elif not await self._still_has(view, seen, found):
                self._suspect(view, f"record {seen[0]} is not as it was read", self._doubt.long)
            else:
                self._accept(view, found)
        except (ChatLogUnavailable, LogNotPrepared) as error:
            log.info("stream_unknown", stream=view.id, error=str(error))
            return False
        return True

    async def _find_another(self, view: View) -> None:
        name = (await self._api.names()).get(view.number)
        if name is None or name == view.name:
            self._suspect(view, "there is none", self._doubt.brief)
            return
        found = await self._api.look(view.number, name, within=LOOK_TIMEOUT)
        try:
            check(self._layout, found)
        except LogNotPrepared as error:
            self._suspect(view, str(error), self._doubt.brief)
            return
        log.warning("stream_created_anew", old=view.name, new=name)
        view.become(name)
        view.lost = True  # for the reader of the old one it is
        self._accept(view, found)

    async def _still_has(self, view: View, seen: tuple[int, float], found: Found) -> bool:
        """Whether the last record that was read is stored as it was, unless it may have expired."""
        sequence, time = seen
        if not sequence or time < time_of(found.time) - self._settings.max_age:
            return True
        message = await self._api.message(view.name, {"seq": sequence}, within=LOOK_TIMEOUT)
        return message is not None and time_of(message["time"]) == time

    def _accept(self, view: View, found: Found) -> None:
        view.knows(found.last)
        view.clock_ahead = time_of(found.time) - asyncio.get_running_loop().time()
        view.doubted_since = None
        if not view.ready or view.lost:
            anew = view.lost
            view.ready, view.lost = True, False
            self._changed(view, anew)

    def _suspect(self, view: View, reason: str, period: float) -> None:
        now = asyncio.get_running_loop().time()
        view.ready = False
        if view.doubted_since is None:
            view.doubted_since = now
            log.warning("stream_doubted", stream=view.name, reason=reason)
        elif not view.lost and now - view.doubted_since >= period:
            view.lost = True
            log.error("stream_dead", stream=view.name, reason=reason)
            self._changed(view, True)

    async def horizon(self, view: View) -> int:
        """The sequence at or below which records may have expired; all above are younger than that.

        Raises:
            ChatLogUnavailable: no answer.
        """
        now = asyncio.get_running_loop().time()
        if now >= view.horizon_until:
            oldest = now + view.clock_ahead - lifetime(self._settings) + margin(self._settings) / 2
            first = await self._api.first_since(view.name, text_of(oldest))
            if first is None:
                first = (await self._look(view)).last + 1
            view.horizon = max(view.horizon, first - 1)
            view.horizon_until = now + margin(self._settings) / 8
        return view.horizon

    def is_young(self, view: View, time: float) -> bool:
        """Whether a record with that time, and so all behind it, cannot have expired."""
        now = asyncio.get_running_loop().time() + view.clock_ahead
        return time > now - lifetime(self._settings) + margin(self._settings) / 2
