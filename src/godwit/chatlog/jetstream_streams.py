"""The streams of one cluster's chat log in NATS JetStream: their names, subjects and configuration.

A cluster has a few streams. A channel belongs to a partition by hash, and a partition to a stream; subjects
are `godwit.<cluster>.<stream>.<partition>.<channel>`, and the same under `godwit-live` for the live path.

A stream's name ends with a random generation and is its creation id (rule L2): what is sent to one that was
created anew is refused by the server itself. Its first record, the birth, says that what was stored since the
creation is still there: memory storage loses all of it when servers restart, and keeps the name.

Streams are made by `jetstream_prepare`, never on the way (`docs/jetstream.md`).
"""

from __future__ import annotations

import asyncio
import re
import secrets
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
from nats.aio.msg import Msg

from godwit.chatlog.jetstream_client import status
from godwit.chatlog.jetstream_link import Link, NoAnswer
from godwit.chatlog.jetstream_records import Stored, of_message
from godwit.errors import ChatLogUnavailable, LogNotPrepared
from godwit.settings import LogSettings

PARTITIONS = 64
"""Partitions of a cluster's channels: the most subscriptions that an edge needs."""

VERSION = "1"
"""Grows when subjects or records change so that older processes cannot share a stream."""

API_TIMEOUT = 5.0
"""Seconds that the JetStream API is given to answer."""

CLUSTER = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")

NO_STREAM = 10059
"""The server's number for a stream that does not exist."""

_NO_MESSAGE = frozenset({10037, 10043, 10057})
"""The server's numbers for a message that does not exist."""


class Layout:
    """Names and subjects of one cluster's log."""

    __slots__ = ("cluster", "root", "streams")

    def __init__(self, cluster: str, streams: int) -> None:
        if not CLUSTER.fullmatch(cluster):
            raise LogNotPrepared(f"cluster {cluster!r} cannot be part of a subject")
        if not 1 <= streams <= PARTITIONS:
            raise LogNotPrepared(f"nats.streams is {streams}: a cluster has 1 to {PARTITIONS}")
        self.cluster = cluster
        self.streams = streams
        self.root = f"godwit.{cluster}"

    def partition(self, channel: str) -> int:
        """The partition of a channel."""
        return zlib.crc32(channel.encode()) % PARTITIONS

    def stream(self, channel: str) -> int:
        """The number of the stream that holds a channel."""
        return self.partition(channel) % self.streams

    def subject(self, channel: str) -> str:
        """Where a channel's records are stored."""
        partition = self.partition(channel)
        return f"{self.root}.{partition % self.streams}.{partition}.{channel}"

    def live(self, partition: int) -> str:
        """Where the records of a partition's channels come live."""
        return f"godwit-live.{self.cluster}.{partition % self.streams}.{partition}.*"

    def birth(self, stream: int) -> str:
        """Where a stream's first record is."""
        return f"{self.root}.{stream}.birth"

    def release(self, stream: int, channel: str) -> str:
        """Where it is noted which of a channel's open and seal may go."""
        return f"{self.root}.{stream}.release.{channel}"

    def name(self, stream: int) -> str:
        """A new stream's name, which is its creation id."""
        return f"godwit-{self.cluster}-{stream}-{secrets.token_hex(6)}"


class Found(msgspec.Struct, frozen=True):
    """What a server says of a stream.

    Attributes:
        last: sequence of the last record.
        time: the server's clock, in its own words.
    """

    number: int
    name: str
    config: dict[str, Any]
    messages: int
    last: int
    time: str
    born: bool


class ApiError(ChatLogUnavailable):
    """The JetStream API refused a request.

    Attributes:
        code: as in HTTP.
        number: the server's own number for the error.
    """

    def __init__(self, code: int, number: int, description: str) -> None:
        super().__init__(f"JetStream: {description} ({number})")
        self.code = code
        self.number = number


class _Refusal(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Ack(msgspec.Struct):
    seq: int = 0
    duplicate: bool = False
    error: _Refusal | None = None


_ACK = msgspec.json.Decoder(_Ack)


class Api:
    """The parts of the JetStream API that a chat log needs.

    Args:
        domain: the JetStream to ask, where several can be reached; empty for that of the servers themselves.
    """

    def __init__(self, link: Link, layout: Layout, domain: str = "") -> None:
        self._link = link
        self._layout = layout
        self._root = f"$JS.{domain}.API" if domain else "$JS.API"

    async def call(self, verb: str, body: Any = None, within: float = API_TIMEOUT) -> dict[str, Any]:
        """Ask; the leader answers.

        Raises:
            ApiError: it refused.
            ChatLogUnavailable: no answer.
        """
        payload = b"" if body is None else msgspec.json.encode(body)
        answer = await self._link.ask(f"{self._root}.{verb}", payload, within=within)
        found: dict[str, Any] = msgspec.json.decode(answer.data)
        if error := found.get("error"):
            raise ApiError(error.get("code", 0), error.get("err_code", 0), error.get("description", ""))
        return found

    async def names(self) -> dict[int, str]:
        """The names of the cluster's streams, by number.

        Raises:
            LogNotPrepared: streams of others use the cluster's subjects.
        """
        listed = (await self.call("STREAM.NAMES", {"subject": f"{self._layout.root}.>"})).get("streams") or []
        pattern = re.compile(rf"godwit-{self._layout.cluster}-(\d+)-[0-9a-f]+")
        matches = {name: pattern.fullmatch(name) for name in listed}
        if strangers := [name for name, match in matches.items() if not match]:
            raise LogNotPrepared(
                f"cluster {self._layout.cluster}: stream {strangers[0]} uses subjects below {self._layout.root}; "
                "remove it, or use another NATS account"
            )
        return {int(match[1]): name for name, match in matches.items() if match}

    async def look(self, number: int, name: str, within: float = API_TIMEOUT) -> Found:
        """What the leader of a stream knows of it."""
        info, born = await asyncio.gather(
            self.call(f"STREAM.INFO.{name}", within=within), self.message(name, self._born(number), within)
        )
        state = info["state"]
        return Found(number, name, info["config"], state["messages"], state["last_seq"], info["ts"], born is not None)

    def _born(self, number: int) -> dict[str, Any]:
        return {"last_by_subj": self._layout.birth(number)}

    async def message(self, name: str, which: dict[str, Any], within: float = API_TIMEOUT) -> dict[str, Any] | None:
        """One stored message, as the stream's leader has it; None if there is none."""
        try:
            found: dict[str, Any] = (await self.call(f"STREAM.MSG.GET.{name}", which, within))["message"]
        except ApiError as error:
            if error.number in _NO_MESSAGE:
                return None
            raise
        return found

    async def batch(self, name: str, subject: str, start: int, limit: int, within: float) -> tuple[list[Stored], bool]:
        """Messages of a subject from a sequence on, as any replica has them, and whether it has more.

        What a replica has is the beginning of what the leader has: there is nothing between two messages of the
        answer, but there may be something behind the last.
        """
        body = {"seq": max(start, 1), "next_by_subj": subject, "batch": limit}
        *messages, end = await self._direct(name, body, within)
        more = int((end.headers or {}).get("Nats-Num-Pending", 0)) > 0
        return [of_message(message) for message in messages], more

    async def lasts(self, name: str, subjects: Sequence[str], since: int, within: float) -> tuple[dict[str, int], int]:
        """The last sequence of each subject that has any above `since`, as any replica has them.

        Returns:
            Sequences by subject, and the sequence of the stream up to which all this holds.
        """
        *messages, end = await self._direct(name, {"multi_last": subjects, "seq": since + 1}, within)
        upto = int((end.headers or {}).get("Nats-UpTo-Sequence", 0))
        found = [message.headers or {} for message in messages]
        return {headers["Nats-Subject"]: int(headers["Nats-Sequence"]) for headers in found}, upto

    async def first_since(self, name: str, start: str) -> int | None:
        """The sequence of the first message stored at that time or later, as any replica has it."""
        first, *_ = await self._direct(name, {"start_time": start, "next_by_subj": ">", "batch": 1}, API_TIMEOUT)
        return None if status(first) else of_message(first).sequence

    async def _direct(self, name: str, body: dict[str, Any], within: float) -> list[Msg]:
        return await self._link.ask_many(f"{self._root}.DIRECT.GET.{name}", msgspec.json.encode(body), within=within)

    async def append(self, subject: str, payload: bytes, headers: dict[str, str], within: float) -> tuple[int, bool]:
        """Store a message; tells its sequence, and whether it was stored before.

        Raises:
            NoAnswer: it may have been stored.
            ApiError: it was refused, and not stored.
            ChatLogUnavailable: it was not stored.
        """
        answer = await self._link.ask(subject, payload, within=within, headers=headers)
        try:
            ack = _ACK.decode(answer.data)
        except msgspec.MsgspecError:
            raise NoAnswer(f"what answers on {subject} is no stream") from None
        if ack.error:
            raise ApiError(ack.error.code, ack.error.err_code, ack.error.description)
        return ack.seq, ack.duplicate

    async def delete(self, name: str, sequence: int) -> None:
        """Delete a message; one that is gone already is as good."""
        try:
            await self.call(f"STREAM.MSG.DELETE.{name}", {"seq": sequence, "no_erase": True})
        except ApiError as error:
            if error.number not in _NO_MESSAGE:
                raise


def lifetime(log: LogSettings) -> int:
    """Seconds after which a record expires: somewhat more than it is promised to be kept.

    The difference is what clocks of servers may differ, and how late or early a record may go.
    """
    return int(log.max_age + margin(log) + 0.999)


def margin(log: LogSettings) -> float:
    """How much longer than promised records are kept, in seconds."""
    return max(1.0, log.max_age / 10)


def check(layout: Layout, found: Found) -> None:
    """See that a stream is what this process takes it for.

    Raises:
        LogNotPrepared: it is not; says what to do.
    """
    what = f"cluster {layout.cluster}: stream {found.name}"
    metadata = found.config.get("metadata") or {}
    if (version := metadata.get("godwit.version")) != VERSION:
        raise LogNotPrepared(f"{what} is of version {version}, this Godwit needs {VERSION}: run 'godwit migrate'")
    made = (metadata.get("godwit.streams"), metadata.get("godwit.partitions"))
    if made != (str(layout.streams), str(PARTITIONS)):
        raise LogNotPrepared(
            f"{what} is one of {made[0]} with {made[1]} partitions, not of {layout.streams} with {PARTITIONS}: "
            "set nats.streams back; another number of streams is another cluster, to which channels move"
        )
    if not found.born:
        raise LogNotPrepared(f"{what} has lost what it held: run 'godwit migrate', then open its channels anew")
    right = {"max_age": 0, "max_msgs": -1, "max_msgs_per_subject": -1, "discard": "new", "allow_msg_ttl": True}
    for key, value in right.items():
        if found.config.get(key, value) != value:
            raise LogNotPrepared(f"{what} has {key} = {found.config[key]}, which breaks the log: set it to {value}")
    if not found.config.get("republish"):
        raise LogNotPrepared(f"{what} has republish = none, so nothing comes live: delete it, and run 'godwit migrate'")
