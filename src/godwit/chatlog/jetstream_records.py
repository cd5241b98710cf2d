"""Records as JetStream holds them: JSON, so that an operator can read them with the tools that come with NATS."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from nats.aio.msg import Msg

from godwit.values import Entry, Open, Record, Seal

_DECODER: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)
_ENCODER = msgspec.json.Encoder()


class Stored(msgspec.Struct, frozen=True):
    """A message of a stream.

    Attributes:
        prev: sequence of the subject's message before it, as far as whoever answered tells; else 0.
        record: what it holds; None if that is no record, be it somebody else's or of a later version.
    """

    subject: str
    sequence: int
    prev: int
    time: float
    record: Record | None
    data: bytes

    @property
    def channel(self) -> str:
        """The channel whose record it is."""
        return self.subject.rpartition(".")[2]

    @property
    def entry(self) -> Entry | None:
        """The same as an entry of the log."""
        return Entry(self.sequence, self.prev, self.time, self.record) if self.record else None


def encode(record: Record) -> bytes:
    """A record as it is stored."""
    return _ENCODER.encode(record)


def decode(data: bytes) -> Record | None:
    """What is stored as a record; None if it is none."""
    try:
        return _DECODER.decode(data)
    except msgspec.MsgspecError:
        return None


def stays(record: Record) -> bool:
    """Whether a record does not expire by itself (rule L3)."""
    return isinstance(record, Open | Seal)


def time_of(text: str) -> float:
    """Seconds since the Unix epoch of a server's timestamp."""
    return datetime.fromisoformat(text).timestamp()


def text_of(time: float) -> str:
    """A time as the servers write it."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def of_message(message: Msg) -> Stored:
    """A message of the live path or of a direct get."""
    headers: Mapping[str, str] = message.headers or {}
    return Stored(
        headers["Nats-Subject"],
        int(headers["Nats-Sequence"]),
        int(headers["Nats-Last-Sequence"]),
        time_of(headers["Nats-Time-Stamp"]),
        decode(message.data),
        message.data,
    )


def of_answer(message: Mapping[str, Any], prev: int) -> Stored:
    """A message as the API of the leader tells it, that comes after `prev`."""
    data = base64.b64decode(message.get("data") or "")
    return Stored(message["subject"], message["seq"], prev, time_of(message["time"]), decode(data), data)
