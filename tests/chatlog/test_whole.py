"""A log of several streams with one id keeps the contract, over real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from godwit.chatlog.base import ChatLog
from godwit.chatlog.jetstream import JetStreamLog
from godwit.chatlog.jetstream_prepare import prepare
from godwit.chatlog.whole import WholeLog
from godwit.errors import DeadLog
from tests.chatlog.test_jetstream import BRIEF, KEPT, NATS, NatsRig
from tests.conformance.chatlog import ChatLogSuite, message
from tests.nats import node


class WholeRig(NatsRig):
    """Every way to the log is a whole one."""

    async def open(self) -> ChatLog:
        log = await super().open()
        assert isinstance(log, JetStreamLog)
        return WholeLog(log)


@pytest.fixture
async def rig(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[WholeRig]:
    settings = BRIEF if "expire" in request.function.__code__.co_names else KEPT
    async with node(tmp_path) as server:
        await prepare("main", [server.url], NATS, settings)
        rig = WholeRig(server, settings)
        yield rig
        await rig.close()


class TestWholeLog(ChatLogSuite):
    """The suite."""


async def test_channels_of_all_streams_share_an_id(rig: WholeRig) -> None:
    """Else the default placement could name none that holds for all channels."""
    log = await rig.open()
    assert isinstance(log, WholeLog)
    names = [f"room{number}" for number in range(10)]
    assert {log.inner.stream(name) for name in names} == set(log.inner.streams)
    assert len(log.inner.streams) == 2
    ids = {log.stream(name) for name in names}
    assert len(ids) == 1
    for number, name in enumerate(names, 1):
        sequence = await log.append(name, message(number), stream=log.stream(""))
        page = await log.read(name, 0)
        assert (page.stream, [entry.sequence for entry in page.entries]) == (log.stream(name), [sequence])
    with pytest.raises(DeadLog):
        await log.append("room1", message(99), stream="another")
