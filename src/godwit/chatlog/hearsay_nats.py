"""Hearsay over the NATS servers of all clusters.

Everything is told over every cluster's servers, so that edges of different clusters hear each other as long as
one of these is there for both; of what comes several times only the first counts. Within the process it goes
the short way.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from itertools import count

from nats.aio.msg import Msg

from godwit.chatlog.base import Subscription
from godwit.chatlog.hearsay import Hear, LocalHearsay
from godwit.chatlog.jetstream_link import Link

ROOT = "godwit-hearsay"
"""The first word of all subjects."""

REMEMBERED = 10_000
"""Messages that are known again when they come once more."""

_ID = 16
"""Bytes in front of each payload: 8 for who tells it, 8 for which of his."""


class NatsHearsay:
    """A `Hearsay` between processes, over connections of its own.

    Args:
        servers: cluster -> URLs of its NATS servers.
        credentials: a file with the user's credentials, or empty.
    """

    def __init__(self, servers: Mapping[str, Sequence[str]], *, credentials: str = "") -> None:
        ways = {tuple(sorted(urls)): cluster for cluster, urls in servers.items()}  # clusters may share their servers
        self._links = [
            Link(
                f"godwit hearsay {cluster}",
                urls,
                connected=_connected,
                lost=_nothing,
                slow=_nothing,
                credentials=credentials,
            )
            for urls, cluster in ways.items()
        ]
        self._local = LocalHearsay()
        self._name = secrets.token_bytes(8)
        self._numbers = count(1)
        self._known: dict[bytes, None] = {}

    def open(self) -> None:
        """Connect in the background; until then nothing is told to other processes."""
        for link in self._links:
            link.begin()

    async def close(self) -> None:
        """Disconnect."""
        for link in self._links:
            await link.close()

    @property
    def connections(self) -> int:
        """Over how many clusters' servers it is told at the moment."""
        return sum(link.up for link in self._links)

    def tell(self, topic: str, payload: bytes) -> None:
        """Tell everybody who hears the topic; see `Hearsay`."""
        self._local.tell(topic, payload)
        marked = self._name + next(self._numbers).to_bytes(8) + payload
        for link in self._links:
            link.tell(f"{ROOT}.{topic}", marked)

    def hear(self, topic: str, heard: Hear) -> Subscription:
        """Hear a topic; see `Hearsay`."""
        if not self._local.heard(topic):

            def came(message: Msg) -> None:
                self._came(topic, message)

            for link in self._links:
                link.watch(f"{ROOT}.{topic}", came)
        return _Hearing(self, topic, self._local.hear(topic, heard))

    def forget(self, topic: str) -> None:
        """Take note that somebody does not hear a topic any more."""
        if not self._local.heard(topic):
            for link in self._links:
                link.unwatch(f"{ROOT}.{topic}")

    def _came(self, topic: str, message: Msg) -> None:
        mark, payload = message.data[:_ID], message.data[_ID:]
        if mark[:8] == self._name or mark in self._known:
            return
        self._known[mark] = None
        if len(self._known) > REMEMBERED:
            self._known = dict.fromkeys(list(self._known)[REMEMBERED // 2 :])
        self._local.tell(topic, payload)


class _Hearing:
    """Somebody who hears a topic over NATS."""

    __slots__ = ("_hearing", "_hearsay", "_topic")

    def __init__(self, hearsay: NatsHearsay, topic: str, hearing: Subscription) -> None:
        self._hearsay = hearsay
        self._topic = topic
        self._hearing = hearing

    def close(self) -> None:
        """Stop it; nothing is delivered afterwards."""
        self._hearing.close()
        self._hearsay.forget(self._topic)


async def _connected() -> None:
    """Nothing need be found out about a new connection."""


def _nothing() -> None:
    """What was missed is missed."""
