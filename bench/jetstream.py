"""What the chat log costs over real NATS servers: `python -m bench.jetstream`.

The servers run on this machine and share its processors with the one process that is measured. Times per record are
processor time of that process; the servers' own comes on top.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from pathlib import Path

import structlog
import uvloop

from bench import machine
from godwit.chatlog.jetstream import JetStreamLog
from godwit.chatlog.jetstream_prepare import prepare
from godwit.settings import LogSettings, NatsSettings
from godwit.values import Author, Entry, Message
from tests.nats import node, nodes

LOG = LogSettings()
ANN = Author("12345", "ann", "Ann", "#FF0000", ("broadcaster/1", "subscriber/12"), ("subscriber/14",), subscriber=True)
ALONE, TOGETHER, IN_FLIGHT, CHANNELS = 1500, 40_000, 512, 200
MANY = 100_000


def line(producer: str, number: int) -> Message:
    """A chat line of usual length."""
    text = "hello there, this is a line of chat Kappa"
    return Message(f"0b3c1a52-9f7e-4a44-8a57-{producer}-{number}", 3, producer, number, ANN, text)


def shown(seconds: list[float]) -> str:
    """Median and 99th percentile."""
    ordered = sorted(seconds)
    p50, p99 = (ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.99))
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms"


def memory() -> float:
    """Resident size in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


async def one_at_a_time(log: JetStreamLog) -> None:
    """How long an append takes, and until the record has come back."""
    waiting: dict[str, asyncio.Future[float]] = {}

    def deliver(entry: Entry) -> None:
        if future := waiting.pop(entry.record.id, None):
            future.set_result(time.perf_counter())

    subscription = log.subscribe("quiet", deliver, lambda: None)
    await log.read("quiet", 0)
    acknowledged, back = [], []
    for number in range(ALONE):
        record = line("alone", number)
        future = waiting[record.id] = asyncio.get_running_loop().create_future()
        start = time.perf_counter()
        await log.append("quiet", record, stream=log.stream("quiet"))
        acknowledged.append(time.perf_counter() - start)
        back.append(await future - start)
    subscription.close()
    print(f"  one at a time: acknowledged {shown(acknowledged)}; read back {shown(back)}")


async def many_at_once(log: JetStreamLog) -> None:
    """How many records a process can append and read back."""
    heard, done = 0, asyncio.Event()

    def deliver(entry: Entry) -> None:
        nonlocal heard
        heard += 1
        if heard == TOGETHER:
            done.set()

    channels = [f"busy{number}" for number in range(CHANNELS)]
    subscriptions = [log.subscribe(channel, deliver, lambda: None) for channel in channels]
    await log.read(channels[0], 0)
    start, used = time.perf_counter(), time.process_time()

    async def write(first: int) -> None:
        for number in range(first, TOGETHER, IN_FLIGHT):
            channel = channels[number % CHANNELS]
            await log.append(channel, line("many", number), stream=log.stream(channel))

    await asyncio.gather(*map(write, range(IN_FLIGHT)))
    await asyncio.wait_for(done.wait(), 30)
    used = time.process_time() - used
    rate = TOGETHER / (time.perf_counter() - start)
    print(f"  {IN_FLIGHT} in flight: {rate:,.0f}/s read back, {used / TOGETHER * 1e6:.0f} us each")
    for subscription in subscriptions:
        subscription.close()


async def in_many_channels(log: JetStreamLog) -> None:
    """What it costs to be in many channels."""
    channels = [f"many{number}" for number in range(MANY)]
    before, used = memory(), time.process_time()
    subscriptions = [log.subscribe(channel, lambda entry: None, lambda: None) for channel in channels]
    await log.read(channels[0], 0)
    found = log.statistics()["subscriptions"]
    print(
        f"  in {MANY:,} channels: {found} subscriptions, {memory() - before:.0f} MB, {time.process_time() - used:.1f} s"
    )
    for what in ("for the first time", "again"):
        start, used = time.perf_counter(), time.process_time()
        await log.heads(channels)
        took, used = time.perf_counter() - start, time.process_time() - used
        print(f"  comparing all of them {what}: {took:.2f} s, {used:.2f} s of it of this process")
    for subscription in subscriptions:
        subscription.close()


async def measure(title: str, urls: tuple[str, ...], settings: NatsSettings) -> None:
    """All of it, over some servers."""
    print(f"\n{title}, load {machine.load()}")
    await prepare("main", urls, settings, LOG)
    log = JetStreamLog("main", urls, settings, LOG)
    await log.open()
    await one_at_a_time(log)
    await many_at_once(log)
    await in_many_channels(log)
    await log.close()


async def main() -> None:
    """One server in memory and on file, and three."""
    with tempfile.TemporaryDirectory() as place:
        for storage in ("memory", "file"):
            async with node(Path(place) / storage) as server:
                settings = NatsSettings(replicas=1, storage=storage, max_bytes=60_000_000)
                await measure(f"one server, {storage}", (server.url,), settings)
        async with nodes(Path(place) / "three") as three:
            await measure("three servers, three replicas on file", three.urls, NatsSettings(max_bytes=100_000_000))


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    for name, value in machine.describe().items():
        print(f"{name}: {value}")
    uvloop.run(main())
