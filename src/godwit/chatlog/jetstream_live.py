"""The live path of a chat log in NATS JetStream: who reads which channel, over few subscriptions.

Channels are spread over partitions, and one subscription brings all channels of a partition. A process that
reads 100,000 channels so has no more subscriptions than there are partitions; what it did not ask for is
dropped before it is decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nats.aio.msg import Msg

from godwit.chatlog.jetstream_link import Link
from godwit.chatlog.jetstream_records import Stored, of_message
from godwit.chatlog.jetstream_streams import Layout
from godwit.values import Entry

Deliver = Callable[[Entry], None]
Suspect = Callable[[], None]


class LiveSubscription:
    """One reader of one channel."""

    __slots__ = ("_channel", "_live", "deliver", "suspect")

    def __init__(self, live: Live, channel: str, deliver: Deliver, suspect: Suspect) -> None:
        self._live = live
        self._channel = channel
        self.deliver = deliver
        self.suspect = suspect

    def close(self) -> None:
        """Stop it; nothing is delivered afterwards."""
        self._live.forget(self._channel, self)


class Live:
    """The readers of a cluster's channels.

    Args:
        name_of: the name of the stream that holds a channel at present.
        saw: called with each record, before its readers.
        forgotten: called with a channel that nobody reads any more.
    """

    def __init__(
        self,
        link: Link,
        layout: Layout,
        *,
        name_of: Callable[[str], str],
        saw: Callable[[str, Stored], None],
        forgotten: Callable[[str], None],
    ) -> None:
        self._link = link
        self._layout = layout
        self._name_of = name_of
        self._saw = saw
        self._forgotten = forgotten
        self._readers: dict[str, dict[LiveSubscription, None]] = {}
        self._partitions: dict[int, int] = {}
        self.heard = 0
        """How many records came for readers."""

    def __contains__(self, channel: str) -> bool:
        return channel in self._readers

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)

    def subscribe(self, channel: str, deliver: Deliver, suspect: Suspect) -> LiveSubscription:
        """Add a reader."""
        subscription = LiveSubscription(self, channel, deliver, suspect)
        readers = self._readers.get(channel)
        if readers is None:
            readers = self._readers[channel] = {}
            partition = self._layout.partition(channel)
            self._partitions[partition] = self._partitions.get(partition, 0) + 1
            if self._partitions[partition] == 1:
                self._link.watch(self._layout.live(partition), self._deliver)
        readers[subscription] = None
        return subscription

    def forget(self, channel: str, subscription: LiveSubscription) -> None:
        """Remove a reader; once more does no harm."""
        readers = self._readers.get(channel)
        if readers is None or subscription not in readers:
            return
        del readers[subscription]
        if readers:
            return
        del self._readers[channel]
        self._forgotten(channel)
        partition = self._layout.partition(channel)
        self._partitions[partition] -= 1
        if not self._partitions[partition]:
            del self._partitions[partition]
            self._link.unwatch(self._layout.live(partition))

    def _deliver(self, message: Msg) -> None:
        channel = message.subject.rpartition(".")[2]
        readers = self._readers.get(channel)
        # One of another stream than the known one comes when that was created anew, which the next look finds.
        if readers is None or (message.headers or {}).get("Nats-Stream") != self._name_of(channel):
            return
        self.heard += 1
        stored = of_message(message)
        self._saw(channel, stored)
        if entry := stored.entry:
            for subscription in tuple(readers):
                if subscription in readers:  # another reader may have closed it
                    subscription.deliver(entry)

    def suspect(self, stream: int | None = None) -> None:
        """Tell the readers, of one stream or of all, that they may have missed something."""
        for channel, readers in list(self._readers.items()):
            if stream is None or self._layout.stream(channel) == stream:
                for subscription in tuple(readers):
                    if subscription in readers:
                        subscription.suspect()
