"""A round trip: a hidden room moves to another cluster and back while somebody talks in it, and two watch."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial

from godwit.control.hidden import Chatter, Credentials, Place, anonymous, hidden_room
from godwit.control.sightings import Reader, Sightings
from godwit.errors import LoginRefused, UnknownCluster
from godwit.tmi.client_events import ChannelMessage, ClientEvent, UserState
from godwit.values import Addresses, Position

TALK = 0.1
"""Seconds between two messages."""

STAY = 1.0
"""Seconds that the room stays on a cluster at least."""

LATE = 10.0
"""Seconds to wait for what is missing at the end."""

TRIP = 60.0
"""Seconds that all of it may take."""


async def travel(
    clusters: Mapping[str, Addresses],
    source: str,
    target: str,
    place: Place,
    credentials: Credentials,
    *,
    now: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
) -> tuple[int, str]:
    """Move a hidden room from `source` to `target` and back; one listener stays, one comes after it.

    Args:
        now: seconds that only grow.
        sleep: how pauses are made.

    Returns:
        How many messages were lost, repeated, out of order or not answered, and the story in one line.

    Raises:
        GodwitError, OSError: it could not be carried out; nothing is known.
    """
    began = now()
    for cluster in (source, target):
        if cluster not in clusters:
            raise UnknownCluster(f"there is no cluster {cluster!r}")
    async with asyncio.timeout(TRIP):
        trip = _Trip(hidden_room("trip", f"{source}_{target}"), sleep)
        token = await credentials(trip.room)
        if token is None:
            raise LoginRefused("no account for probes")
        await place(trip.room, source)
        try:
            position = await trip.stay(clusters[source], token)
            async with trip.talking():
                await sleep(STAY)
                await place(trip.room, target)
                await trip.follow(clusters[target], position)
                await sleep(STAY)
                await place(trip.room, source)
                await sleep(STAY)
            await trip.wait_complete()
        finally:
            trip.close()
    return trip.faults(), f"{trip} in {now() - began:.1f} s, {source} to {target} and back"


class _Trip:
    """Who takes part in a round trip, and what they see.

    Args:
        room: where.
        sleep: how pauses are made.
    """

    def __init__(self, room: str, sleep: Callable[[float], Awaitable[None]]) -> None:
        self.room = room
        self._sleep = sleep
        self._sightings = Sightings()
        self._readers = (self._sightings.reader(), self._sightings.reader())
        self._stayer, self._follower = (Chatter(partial(self._on_seen, reader)) for reader in self._readers)
        self._talker = Chatter(self._on_told)
        self._run = secrets.token_hex(4)
        self._said = 0
        self._acknowledged: set[int] = set()
        self._heard = asyncio.Event()

    async def stay(self, addresses: Addresses, token: str) -> Position | None:
        """Let talker and listener in where the room is; returns from where on everything will be shown."""
        state = await self._stayer.enter(addresses, anonymous(), None, self.room)
        await self._talker.enter(addresses, self.room, token)
        return state.position if state else None

    async def follow(self, addresses: Addresses, after: Position | None) -> None:
        """Let another listener in where the room is now, behind a position (F3)."""
        await self._follower.enter(addresses, anonymous(), None, self.room, after)

    @asynccontextmanager
    async def talking(self) -> AsyncIterator[None]:
        """Talk meanwhile."""
        talk = asyncio.create_task(self._talk(), name="round trip")
        try:
            yield
        finally:
            talk.cancel()
            await asyncio.wait([talk])

    async def wait_complete(self) -> None:
        """Wait until everything is answered and everybody has seen it, `LATE` seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LATE):
                while len(self._acknowledged) < self._said or self._missing():
                    self._heard.clear()
                    await self._heard.wait()

    def faults(self) -> int:
        """Messages lost, repeated, out of order, or not answered."""
        wrong = sum(reader.repeated + reader.disorder for reader in self._readers)
        return wrong + self._missing() + self._said - len(self._acknowledged)

    def close(self) -> None:
        """Leave."""
        for chatter in (self._talker, self._stayer, self._follower):
            chatter.close()

    def __str__(self) -> str:
        parts = {
            "lost": self._missing(),
            "repeated": sum(reader.repeated for reader in self._readers),
            "out of order": sum(reader.disorder for reader in self._readers),
            "not answered": self._said - len(self._acknowledged),
        }
        wrong = ", ".join(f"{count} {what}" for what, count in parts.items() if count)
        return f"{self._said} messages, two readers: {wrong or 'nothing lost, repeated or out of order'}"

    async def _talk(self) -> None:
        while True:
            self._said += 1
            self._talker.say(self.room, f"{self._run} {self._said}", str(self._said))
            await self._sleep(TALK)

    def _missing(self) -> int:
        """How often somebody misses a message that was acknowledged, or that the other one saw."""
        nobody_saw = len(self._acknowledged - self._sightings.places.keys())
        return nobody_saw + sum(reader.lost for reader in self._readers)

    def _on_seen(self, reader: Reader, event: ClientEvent) -> None:
        if isinstance(event, ChannelMessage) and event.login == self.room:
            run, _, number = event.text.partition(" ")
            if run == self._run and number.isdecimal():
                reader.saw(int(number))
                self._heard.set()

    def _on_told(self, event: ClientEvent) -> None:
        if isinstance(event, UserState) and event.nonce.isdecimal():
            self._acknowledged.add(int(event.nonce))
            self._heard.set()
