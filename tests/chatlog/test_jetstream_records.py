"""Records as JetStream holds them."""

from __future__ import annotations

import base64

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from godwit.chatlog.jetstream_records import decode, encode, of_answer, of_message, stays, text_of, time_of
from godwit.values import Entry, Open, Record, Seal
from tests.conformance.chatlog import RECORDS, message

TIME = "2026-11-23T12:54:11.599192137Z"


@pytest.mark.parametrize("record", RECORDS)
def test_there_and_back(record: Record) -> None:
    assert decode(encode(record)) == record


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"type":"poem"}', b'{"type":"open","id":1}', b"\xff"])
def test_what_is_no_record(data: bytes) -> None:
    assert decode(data) is None


@pytest.mark.parametrize("record", RECORDS)
def test_what_stays(record: Record) -> None:
    assert stays(record) == isinstance(record, Open | Seal)


@pytest.mark.parametrize("text", [TIME, "2026-11-23T12:54:11.5991Z", "2026-11-23T12:54:11Z"])
def test_times(text: str) -> None:
    """To the microsecond."""
    assert time_of(text_of(time_of(text))) == time_of(text)
    assert 1_795_438_451 <= time_of(text) < 1_795_438_452


def live(data: bytes) -> Msg:
    """A message as it comes live, or from a direct get."""
    headers = {
        "Nats-Stream": "s",
        "Nats-Subject": "godwit.main.0.8.room",
        "Nats-Sequence": "7",
        "Nats-Last-Sequence": "5",
        "Nats-Time-Stamp": TIME,
    }
    return Msg(Client(), subject="godwit-live.main.0.8.room", data=data, headers=headers)


def test_live_and_from_the_leader() -> None:
    """Both ways tell the same."""
    came = of_message(live(encode(message(1))))
    answer = {"subject": came.subject, "seq": 7, "time": TIME, "data": base64.b64encode(encode(message(1))).decode()}
    assert came == of_answer(answer, 5)
    assert came.channel == "room"
    assert came.entry == Entry(7, 5, time_of(TIME), message(1))


def test_no_entry_without_a_record() -> None:
    assert of_message(live(b"hello")).entry is None
    assert of_answer({"subject": "godwit.main.0.8.room", "seq": 7, "time": TIME}, 5).entry is None
