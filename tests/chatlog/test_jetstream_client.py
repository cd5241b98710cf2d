"""`QuickClient` does what nats-py does, and nats-py asks it to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from godwit.chatlog.jetstream_client import QuickClient
from tests.conformance.chatlog import DEADLINE
from tests.nats import node


def test_headers() -> None:
    raw = b"Nats-Stream: s\r\nNats-Msg-Id:room:1:2\r\nEmpty:\r\nUtf: h\xc3\xa9\r\n\r\n"
    assert QuickClient._parse_header_lines(raw) == Client._parse_header_lines(raw)
    assert QuickClient._parse_header_lines(raw)["Nats-Msg-Id"] == "room:1:2"


async def test_answers_come_the_short_way_and_all_else_the_long_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both with the headers that were read here."""
    read: list[bytes] = []
    parse = QuickClient._parse_header_lines

    def reading(raw: bytes) -> dict[str, str]:
        read.append(raw)
        return parse(raw)

    monkeypatch.setattr(QuickClient, "_parse_header_lines", staticmethod(reading))
    short: list[Msg] = []
    long: asyncio.Queue[Msg] = asyncio.Queue()
    async with node(tmp_path) as server:
        client = QuickClient()
        client.answered = short.append
        await client.connect([server.url])
        client.answers = (await client.subscribe("answers"))._id
        await client.subscribe("else", cb=long.put)
        for subject in ("answers", "else"):
            await client.publish(subject, b"hi", "back", {"Name": "value"})
        message = await asyncio.wait_for(long.get(), DEADLINE)
        found = [(each.subject, each.data, each.reply, each.headers) for each in (*short, message)]
        assert found == [(subject, b"hi", "back", {"Name": "value"}) for subject in ("answers", "else")]
        assert len(read) == 2
        await client.close()
