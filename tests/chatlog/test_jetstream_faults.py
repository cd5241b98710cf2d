"""What goes wrong with real NATS servers, and what `JetStreamLog` makes of it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nats.aio.msg import Msg

from godwit.chatlog.jetstream import JetStreamLog
from godwit.chatlog.jetstream_prepare import prepare
from godwit.chatlog.jetstream_views import Doubt
from godwit.chatlog.tail import Hole, Skipped
from godwit.errors import AppendUnknown, ChatLogUnavailable, DeadLog
from godwit.settings import LogSettings, NatsSettings
from godwit.values import Message
from tests.conformance.chatlog import DEADLINE, OPEN, SEAL, Reader, add, message, page_upto, sequences
from tests.nats import Admin, Node, admin, node, nodes, pause

ONE = NatsSettings(streams=1, replicas=1, max_bytes=50_000_000)
THREE = NatsSettings(streams=1, replicas=3, max_bytes=50_000_000)
LOG = LogSettings(append_timeout=2.0)


@asynccontextmanager
async def opened(
    urls: Sequence[str], nats: NatsSettings = ONE, settings: LogSettings = LOG, **options: Any
) -> AsyncIterator[JetStreamLog]:
    """A log whose streams are there."""
    log = JetStreamLog("main", urls, nats, settings, doubt=Doubt(0.5, 0.5, 0.5), **options)
    try:
        await log.open()
        yield log
    finally:
        await log.close()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Node]:
    """A server with the log's streams on file."""
    async with node(tmp_path) as one:
        await prepare("main", [one.url], ONE, LOG)
        yield one


async def insist(log: JetStreamLog, record: Message) -> int:
    """Append as an edge does: again and again under the same id until it is acknowledged."""
    while True:
        try:
            return await log.append("room", record, stream=log.stream("room"))
        except ChatLogUnavailable:
            await pause()


async def head_of(log: JetStreamLog) -> int:
    """The channel's last sequence, as soon as there is somebody to ask."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                [head] = await log.heads(["room"])
            except ChatLogUnavailable:
                await pause()
            else:
                return head


async def until_dead(log: JetStreamLog, old: str) -> None:
    """Wait until the log knows that its stream is not that one any more."""
    async with asyncio.timeout(DEADLINE):
        while log.stream("room") == old:
            await pause()


def check_stored(reader: Reader, acknowledged: dict[str, list[int]]) -> None:
    """Every acknowledged record was read once, where it was acknowledged, and each producer's in order."""
    assert not [event for event in reader.events if isinstance(event, Hole | Skipped)]
    read: dict[str, list[tuple[int, int]]] = {}
    for entry in reader.entries:
        assert isinstance(entry.record, Message)
        read.setdefault(entry.record.producer, []).append((entry.record.number, entry.sequence))
    for producer, stored in acknowledged.items():
        assert read[producer] == list(enumerate(stored, 1))


# the live path --------------------------------------------------------------------------------


async def test_records_that_never_come_live(server: Node) -> None:
    """Rule L1: here none does. The reader finds them by comparing with the head."""
    async with opened([server.url]) as log, admin(server.url) as operator:
        reader = Reader(log, "room", fresh=True)
        await reader.wait_current()
        [name] = await operator.streams()
        config = (await operator.call(f"STREAM.INFO.{name}"))["config"]
        del config["republish"]
        assert "error" not in await operator.call(f"STREAM.UPDATE.{name}", config)
        stored = await add(log, "room", message(1), message(2))
        [head] = await log.heads(["room"])
        assert head == stored[-1]
        assert reader.entries == []
        await reader.wait_read(head)
        assert sequences(reader.entries) == stored
        reader.close()


async def test_slow_consumer(server: Node) -> None:
    """Dropped messages are no silence: every reader is told that it may have missed something."""
    async with opened([server.url], backlog=1) as log, opened([server.url]) as other:
        suspected = asyncio.Event()
        subscription = log.subscribe("room", lambda entry: None, suspected.set)
        await log.read("room", 0)
        suspected.clear()
        async with asyncio.timeout(DEADLINE):
            number = 0
            while not suspected.is_set():
                batch = [message(number + each) for each in range(1, 201)]
                number += 200
                await asyncio.gather(*(add(other, "room", each) for each in batch))
        subscription.close()
        assert log.statistics()["slow"] > 0


async def test_step_downs_under_load(tmp_path: Path) -> None:
    """Rules L1, L6: whoever leads, what was acknowledged is read once and in order, also what did not come live."""
    async with nodes(tmp_path) as three:
        await prepare("main", three.urls, THREE, LOG)
        async with opened(three.urls, THREE) as log, opened(three.urls, THREE) as other, admin(*three.urls) as operator:
            reader = Reader(other, "room", fresh=True)
            acknowledged: dict[str, list[int]] = {f"p{index}": [] for index in range(8)}
            enough = asyncio.Event()

            async def write(producer: str) -> None:
                while not enough.is_set():
                    number = len(acknowledged[producer]) + 1
                    acknowledged[producer].append(await insist(log, message(number, producer)))

            async def step_down() -> None:
                [name] = await operator.streams()
                for _ in range(5):
                    before = len(acknowledged["p0"])
                    while "error" in await operator.call(f"STREAM.LEADER.STEPDOWN.{name}"):
                        await pause()
                    while len(acknowledged["p0"]) < before + 50:
                        await pause()
                enough.set()

            async with asyncio.timeout(2 * DEADLINE):
                await asyncio.gather(step_down(), *map(write, acknowledged))
            head = await head_of(other)
            assert head >= max(stored[-1] for stored in acknowledged.values())
            await reader.wait_read(head)
            check_stored(reader, acknowledged)
            reader.close()


async def test_leader_killed_under_load(tmp_path: Path) -> None:
    """Rule L6: every acknowledged record is stored once, and each producer's in order."""
    async with nodes(tmp_path) as three:
        await prepare("main", three.urls, THREE, LOG)
        async with opened(three.urls, THREE) as log, opened(three.urls, THREE) as other, admin(*three.urls) as operator:
            reader = Reader(other, "room", fresh=True)
            acknowledged: dict[str, list[int]] = {f"p{index}": [] for index in range(8)}
            enough = asyncio.Event()

            async def write(producer: str) -> None:
                while not enough.is_set():
                    number = len(acknowledged[producer]) + 1
                    acknowledged[producer].append(await insist(log, message(number, producer)))

            async def kill() -> None:
                [name] = await operator.streams()
                while len(acknowledged["p0"]) < 200:
                    await pause()
                await three[await operator.leader(name)].kill()
                before = {producer: len(stored) for producer, stored in acknowledged.items()}
                while any(len(acknowledged[producer]) < count + 50 for producer, count in before.items()):
                    await pause()
                enough.set()

            async with asyncio.timeout(2 * DEADLINE):
                await asyncio.gather(kill(), *map(write, acknowledged))
            head = await head_of(other)
            assert head >= max(stored[-1] for stored in acknowledged.values())
            await reader.wait_read(head)
            check_stored(reader, acknowledged)
            reader.close()


async def test_stored_once_over_a_change_of_leaders(tmp_path: Path) -> None:
    async with nodes(tmp_path) as three:
        await prepare("main", three.urls, THREE, LOG)
        async with opened(three.urls, THREE) as log, admin(*three.urls) as operator:
            [name] = await operator.streams()
            first = await insist(log, message(1))
            await insist(log, message(2))
            old = await operator.leader(name)
            await operator.call(f"STREAM.LEADER.STEPDOWN.{name}")
            async with asyncio.timeout(DEADLINE):
                while await operator.leader(name) in ("", old):
                    await pause()
            assert await insist(log, message(1)) == first


# sequences that start over --------------------------------------------------------------------


async def test_memory_stream_restarted(tmp_path: Path) -> None:
    """Rule L2: a server that restarts forgets a stream in memory; nothing may be written as if it were still there."""
    memory = NatsSettings(streams=1, replicas=1, storage="memory", max_bytes=50_000_000)
    async with node(tmp_path) as server:
        await prepare("main", [server.url], memory, LOG)
        async with opened([server.url], memory) as log:
            await add(log, "room", OPEN, message(1), message(2))
            old = log.stream("room")
            reader = Reader(log, "room", 1)
            await reader.wait_current()
            await server.kill()
            await server.start()
            await until_dead(log, old)
            with pytest.raises(DeadLog):
                await log.append("room", message(3), stream=old)
            assert (await log.read("room", 1)).stream != old
            with pytest.raises(ChatLogUnavailable):
                await log.append("room", message(3), stream=log.stream("room"))
            lost = log.stream("room")
            await prepare("main", [server.url], memory, LOG)
            await until_dead(log, lost)
            new = log.stream("room")
            [stored] = await add(log, "room", message(1, epoch=3))
            assert (await page_upto(log, "room", 0, stored)).stream == new
            assert new not in (old, lost)
            reader.close()


async def test_memory_stream_that_keeps_its_name(tmp_path: Path) -> None:
    """In a cluster such a stream comes back empty under its old name: its birth is missing."""
    memory = NatsSettings(streams=1, replicas=1, storage="memory", max_bytes=50_000_000)
    async with nodes(tmp_path) as three:
        await prepare("main", three.urls, memory, LOG)
        async with admin(*three.urls) as operator:
            [name] = await operator.streams()
            holder = three[await operator.leader(name)]
            others = [one.url for one in three.nodes if one is not holder]
            async with opened(others, memory) as log:
                await add(log, "room", OPEN, message(1), message(2))
                old = log.stream("room")
                await holder.kill()
                with pytest.raises(ChatLogUnavailable):
                    await log.append("room", message(3), stream=old)
                await holder.start()
                await until_dead(log, old)
                assert (await operator.streams()) == [name]
                with pytest.raises(DeadLog):
                    await log.append("room", message(3), stream=old)


async def test_created_anew_while_it_is_used(server: Node) -> None:
    """A server refuses what is meant for the old stream, before this process knows of the new one."""
    async with opened([server.url]) as log, admin(server.url) as operator:
        reader = Reader(log, "room")
        [first] = await add(log, "room", message(1))
        await reader.wait_read(first)
        old = log.stream("room")
        await operator.remove()
        await prepare("main", [server.url], ONE, LOG)
        with pytest.raises(DeadLog):
            await log.append("room", message(2), stream=old)
        await until_dead(log, old)
        assert await log.heads(["room"]) == [0]
        assert (await log.read("room", 0)).entries == ()
        reader.close()


async def test_what_was_known_of_the_old_one(server: Node) -> None:
    """Sequences start over: how far a channel was silent before means nothing now."""
    async with opened([server.url]) as log, admin(server.url) as operator:
        subscription = log.subscribe("room", lambda entry: None, lambda: None)
        await add(log, "noise", *(message(number) for number in range(1, 50)))
        assert await log.heads(["room"]) == [0]
        silent = (await log.read("room", 0)).upto
        assert silent > 40
        old = log.stream("room")
        await operator.remove()
        await prepare("main", [server.url], ONE, LOG)
        with pytest.raises(DeadLog):
            await log.append("room", message(2), stream=old)
        await until_dead(log, old)
        [first] = await add(log, "room", message(1))
        page = await page_upto(log, "room", 0, first)
        assert page.upto < silent
        [second] = await add(log, "room", message(2))
        assert sequences((await page_upto(log, "room", page.upto, second)).entries) == [second]
        subscription.close()


async def test_last_record_gone(server: Node) -> None:
    """A stream without a record that was just read is another one, whatever it is called."""
    async with opened([server.url]) as log, admin(server.url) as operator:
        [stored] = await add(log, "room", message(1))
        await page_upto(log, "room", 0, stored)
        old = log.stream("room")
        await operator.call(f"STREAM.MSG.DELETE.{old}", {"seq": stored})
        await server.kill()
        await server.start()
        await until_dead(log, old)


# answers that are stale -----------------------------------------------------------------------


class Laggard:
    """A replica that has only the first records, and is the only one that answers reads."""

    def __init__(self, operator: Admin, upto: int) -> None:
        self._operator = operator
        self.upto = upto
        self.asked = 0

    async def take_over(self, name: str) -> None:
        """Answer from now on in the place of the servers."""
        config = (await self._operator.call(f"STREAM.INFO.{name}"))["config"]
        await self._operator.call(f"STREAM.UPDATE.{name}", config | {"allow_direct": False})
        self._messages = await self._operator.messages(name)
        await self._operator.client.subscribe(f"$JS.API.DIRECT.GET.{name}", cb=self._answer)
        await self._operator.settle()

    async def _answer(self, message: Msg) -> None:
        self.asked += 1
        body = json.loads(message.data)
        mine = [each for each in self._messages if each["seq"] <= self.upto]
        if "multi_last" in body:
            last = {each["subject"]: each for each in mine if each["subject"] in body["multi_last"]}
            found = sorted(last.values(), key=lambda each: int(each["seq"]))
        else:
            found = [each for each in mine if each["subject"] == body["next_by_subj"] and each["seq"] >= body["seq"]]
        for each in found:
            headers = {
                "Nats-Subject": each["subject"],
                "Nats-Sequence": str(each["seq"]),
                "Nats-Last-Sequence": "0",
                "Nats-Time-Stamp": each["time"],
            }
            payload = base64.b64decode(each.get("data", ""))
            await self._operator.client.publish(message.reply, payload, headers=headers)
        end = {"Status": "204", "Nats-UpTo-Sequence": str(self.upto)}
        await self._operator.client.publish(message.reply, b"", headers=end)
        self.upto += 1  # it catches up


async def test_stale_reads(server: Node) -> None:
    """Rule L1: what is older than what is known is asked again, of the leader."""
    async with opened([server.url]) as log, admin(server.url) as operator:
        stored = await add(log, "room", message(1), message(2), message(3))
        laggard = Laggard(operator, upto=stored[0])
        await laggard.take_over(log.stream("room"))
        page = await log.read("room", 0)
        assert laggard.asked
        assert sequences(page.entries) == stored
        assert [entry.record for entry in page.entries] == [message(1), message(2), message(3)]
        page = await log.read("room", stored[0], limit=1)
        assert (sequences(page.entries), page.upto, page.more) == (stored[1:2], stored[1], True)


async def test_stale_heads(server: Node) -> None:
    async with opened([server.url]) as log, admin(server.url) as operator:
        stored = await add(log, "room", message(1), message(2), message(3))
        laggard = Laggard(operator, upto=stored[0])
        await laggard.take_over(log.stream("room"))
        assert await log.heads(["room"]) == stored[-1:]
        assert laggard.asked == 3


# servers that go away -------------------------------------------------------------------------


async def test_nothing_is_acknowledged_while_the_log_is_away(server: Node) -> None:
    """It connects again by itself, and the readers are told that they may have missed something."""
    async with opened([server.url]) as log:
        suspected = asyncio.Event()
        subscription = log.subscribe("room", lambda entry: None, suspected.set)
        [first] = await add(log, "room", message(1))
        await server.kill()
        with pytest.raises(ChatLogUnavailable):
            await log.append("room", message(2), stream=log.stream("room"))
        with pytest.raises(ChatLogUnavailable):
            await log.read("room", 0)
        with pytest.raises(ChatLogUnavailable):
            await log.heads(["room"])
        suspected.clear()
        await server.start()
        await asyncio.wait_for(suspected.wait(), DEADLINE)
        second = await insist(log, message(2))
        page = await page_upto(log, "room", 0, second)
        assert sequences(page.entries) == [first, second]
        assert log.statistics()["connections"] == 2
        subscription.close()


async def test_server_that_hangs(server: Node) -> None:
    """An append without an answer may have happened, and says so; under the same id it is stored once."""
    async with opened([server.url], settings=LogSettings(append_timeout=0.2)) as log:
        stored: list[int] = []

        async def append_until_it_hangs() -> None:
            while True:  # a signal takes a moment
                stored.extend(await add(log, "room", message(len(stored) + 1)))

        server.pause()
        with pytest.raises(AppendUnknown):
            await append_until_it_hangs()
        server.resume()
        stored.append(await insist(log, message(len(stored) + 1)))
        page = await page_upto(log, "room", 0, stored[-1])
        assert sequences(page.entries) == stored


async def test_open_and_seal_survive_a_crash(tmp_path: Path) -> None:
    """Rule L3: they stay over a restart that comes when all else has expired; a stream's own age limit fails here."""
    brief = LogSettings(max_age=1.0)
    async with node(tmp_path) as server:
        await prepare("main", [server.url], ONE, brief)
        async with opened([server.url], settings=brief) as log, admin(server.url) as operator:
            await add(log, "room", OPEN, message(1), SEAL)
            name = log.stream("room")
            await server.kill()
            await server.start()
            async with asyncio.timeout(DEADLINE):
                while len(await operator.messages(name)) > 3:  # the birth, open and seal
                    await pause()
            await server.kill()
            await server.start()
            [last] = [await insist(log, message(2))]
            page = await page_upto(log, "room", 0, last)
            assert [entry.record for entry in page.entries] == [OPEN, SEAL, message(2)]
            assert log.stream("room") == name


async def test_full_stream(tmp_path: Path) -> None:
    """What it refuses is not stored, and nothing that was stored goes."""
    small = NatsSettings(streams=1, replicas=1, max_bytes=20_000)
    async with node(tmp_path) as server:
        await prepare("main", [server.url], small, LOG)
        async with opened([server.url], small) as log:
            stored = await add(log, "room", OPEN)

            async def fill() -> None:
                for number in range(1, 1000):
                    stored.extend(await add(log, "room", message(number, text="x" * 400)))

            with pytest.raises(ChatLogUnavailable) as refused:
                await fill()
            assert not isinstance(refused.value, AppendUnknown | DeadLog)
            page = await page_upto(log, "room", 0, stored[-1])
            assert sequences(page.entries) == stored
            assert page.entries[0].record == OPEN


async def test_server_that_is_cut_off(tmp_path: Path) -> None:
    """One that cannot reach the others is left, and taken again when it can."""
    async with nodes(tmp_path) as three:
        await prepare("main", three.urls, THREE, LOG)
        async with admin(*three.urls) as operator:
            [name] = await operator.streams()
            leader = await operator.leader(name)
        first = next(one for one in three.nodes if one.name != leader)  # a leader would not notice for 10 s
        others = [one for one in three.nodes if one is not first]
        async with opened([first.url], THREE) as log:
            stored = [await insist(log, message(1))]
            await asyncio.gather(*(one.kill() for one in others))
            with pytest.raises(ChatLogUnavailable):
                await log.append("room", message(2), stream=log.stream("room"))
            async with asyncio.timeout(DEADLINE):
                while log.statistics()["connections"] == 1:
                    await pause()
            await asyncio.gather(*(one.start() for one in others))
            async with asyncio.timeout(2 * DEADLINE):
                stored.append(await insist(log, message(2)))
            page = await page_upto(log, "room", 0, stored[-1])
            assert sequences(page.entries) == stored
