"""Answers of logs and store, good and bad, as a channel gets them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NoReturn

import pytest
from structlog.testing import capture_logs

from godwit.chatlog.base import Page
from godwit.edge import batches
from godwit.edge.backend import room_id
from godwit.errors import ChatLogUnavailable, StoreUnavailable
from godwit.settings import AuthSettings, Settings
from godwit.store.memory import MemoryStore
from godwit.values import Account, Placement, Position, Record, Segment, derived_id
from tests.edge.logs import Gate
from tests.edge.world import world

NO_TIME: dict[str, Any] = {"log": {"append_timeout": 0.0}, "move": {"lease": 0.0}}
"""Whoever does not answer at once is too late."""


async def _fault(error: Exception | None) -> NoReturn:
    """Fail as a call does; without an error it never answers."""
    if error is None:
        await asyncio.Event().wait()
    raise error or AssertionError("nobody wakes it")


store_faults = pytest.mark.parametrize("error", [StoreUnavailable("down"), RuntimeError("broken"), None])
log_faults = pytest.mark.parametrize("error", [ChatLogUnavailable("away"), RuntimeError("broken"), None])


@store_faults
async def test_a_join_waits_for_a_store_that_is_away(error: Exception | None) -> None:
    async with world(**NO_TIME) as net:
        node, answer = net.nodes["main"], net.store.placements
        ann = await net.login("ann")

        async def placements(channels: Sequence[str]) -> list[Placement]:
            await _fault(error)

        net.store.placements = placements  # type: ignore[method-assign]
        with capture_logs() as logs:
            ann.send("JOIN #room")
            assert await ann.flush() == []
            await net.idle()
        assert [entry["event"] for entry in logs if entry["log_level"] != "info"] == ["ask_failed"]
        net.store.placements = answer  # type: ignore[method-assign]
        node.sweep(node.loop.time())
        await ann.until("ROOMSTATE")


async def test_placement_and_chain_that_do_not_agree_are_read_again() -> None:
    async with world() as net:
        stored, asked = net.store.chains, 0

        async def chains(channels: Sequence[str]) -> list[list[Segment]]:
            nonlocal asked
            asked += 1
            return await stored(channels) if asked > 1 else [[] for _ in channels]

        net.store.chains = chains  # type: ignore[method-assign]
        await net.join("ann")
        assert asked == 2


@store_faults
async def test_a_commit_that_failed_is_tried_again_before_anybody_is_told(error: Exception | None) -> None:
    """SC-4."""
    async with world(**NO_TIME) as net:
        node, commit = net.nodes["main"], net.store.commit_many
        ann = await net.join("ann")
        ann.send("PRIVMSG #room :hello")
        await ann.until("USERSTATE")

        async def fail(*arguments: Any, **named: Any) -> list[Placement]:
            await _fault(error)

        net.store.commit_many = fail  # type: ignore[method-assign]
        await net.move("room", "aws")
        await net.idle()
        assert await ann.flush() == []
        net.store.commit_many = commit  # type: ignore[method-assign]
        node.sweep(node.loop.time())
        await ann.until("SERVERCHANGE")
        assert (await net.store.placement("room")).segment.cluster == "aws"


@log_faults
async def test_a_read_that_failed_is_tried_again(error: Exception | None) -> None:
    gates: dict[str, Gate] = {}

    async def read(channel: str, after: int, limit: int = 500) -> Page:
        await _fault(error)

    async with world(lambda log: gates.setdefault(log.cluster, Gate(log)), **NO_TIME) as net:
        node = net.nodes["main"]
        gates["main"].read = read  # type: ignore[method-assign]
        await net.store.pin(["room"])  # else there is nothing to read
        ann = await net.login("ann")
        with capture_logs() as logs:
            ann.send("JOIN #room")
            assert await ann.flush() == []
            await net.idle()
        assert [entry["event"] for entry in logs if entry["log_level"] != "info"] == ["read_failed"]
        assert await ann.flush() == []
        del gates["main"].read
        node.sweep(node.loop.time())
        await ann.until("ROOMSTATE")


@log_faults
async def test_an_append_that_failed_is_tried_again(error: Exception | None) -> None:
    """Rule L6."""
    gates: dict[str, Gate] = {}

    async def append(channel: str, record: Record, *, stream: str) -> int:
        await _fault(error)

    async with world(lambda log: gates.setdefault(log.cluster, Gate(log)), **NO_TIME) as net:
        node = net.nodes["main"]
        ann = await net.join("ann")
        gates["main"].append = append  # type: ignore[method-assign]
        with capture_logs() as logs:
            ann.send("PRIVMSG #room :hello")
            assert await ann.flush() == []
            await net.idle()
        event = "append_failed" if isinstance(error, ChatLogUnavailable) else "append_unknown"
        assert [entry["event"] for entry in logs if entry["log_level"] != "info"] == [event]
        del gates["main"].append
        node.sweep(node.loop.time())
        await ann.until("USERSTATE")


@store_faults
async def test_the_place_of_an_act_is_written_again_until_it_is_stored(error: Exception | None) -> None:
    """Rule R2."""
    async with world(**NO_TIME) as net:
        node, place = net.nodes["main"], net.store.place_sanction
        boss = await net.join("boss", "boss")
        await net.login("ann")

        async def place_sanction(sanction_id: str, position: Position, time: float) -> None:
            await _fault(error)

        net.store.place_sanction = place_sanction  # type: ignore[method-assign]
        with capture_logs() as logs:
            boss.send("PRIVMSG #boss :/ban ann")
            await boss.until("ban_success")
            await net.idle()
        assert [entry["event"] for entry in logs if entry["log_level"] != "info"] == ["place_sanction_failed"]
        net.store.place_sanction = place  # type: ignore[method-assign]
        node.sweep(node.loop.time())
        await net.idle()
        (row,) = await net.store.sanctions("boss")
        assert row.position is not None


@store_faults
async def test_a_note_that_cannot_be_stored_is_only_logged(error: Exception | None) -> None:
    """Rule C8."""
    async with world(**NO_TIME) as net:
        ann = await net.join("ann")
        ann.send("PRIVMSG #room :hello")
        await ann.until("USERSTATE")

        async def note_reached(channel: str, epoch: int, sequence: int) -> None:
            await _fault(error)

        net.store.note_reached = note_reached  # type: ignore[method-assign]
        await net.store.reopen({"main": "stream-anew"})
        net.forget_log("main", "stream-anew")
        net.clock.advance(1.0)
        with capture_logs() as logs:
            await net.nodes["main"].compare()
            await ann.until("godwit_gap")
            await net.idle()
        assert "note_reached_failed" in [entry["event"] for entry in logs]
        assert "task_failed" not in [entry["event"] for entry in logs]


async def test_a_channel_on_a_cluster_that_is_not_known_here_waits() -> None:
    async with world() as net:
        await net.store.set_default(Segment("elsewhere", 2, 0, "stream-elsewhere"), hold_until=0.0)
        ann = await net.login("ann")
        ann.send("JOIN #room", "PRIVMSG #room :hello")
        await net.idle()
        assert await ann.flush() == []
        net.nodes["main"].sweep(net.nodes["main"].loop.time())
        await net.nodes["main"].compare()
        assert await ann.flush() == []


async def test_a_room_id_is_that_of_the_owner_whether_there_is_an_account_or_not() -> None:
    """Asking for it makes none."""
    store = MemoryStore()
    tokens = Settings(auth=AuthSettings(mode="tokens"))
    assert await room_id(store, tokens, "dallas") == "0"
    found = await room_id(store, Settings(), "dallas")
    assert found == derived_id("dallas") != derived_id("austin")
    assert await store.accounts() == []
    await store.add_account(Account("7", "dallas"))
    assert await room_id(store, tokens, "dallas") == await room_id(store, Settings(), "dallas") == "7"


async def test_a_join_writes_nothing() -> None:
    async with world() as net:
        await net.join("justinfan1", "dallas")
        assert await net.store.accounts() == []
        assert await net.store.rows() == []


async def test_one_who_joins_does_not_wait_for_another_who_joins_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two channels are asked for at a time, and each client has its turn."""
    monkeypatch.setattr(batches, "MOST", 2)
    async with world() as net:
        greedy, ann, bob = [await net.login(f"justinfan{number}") for number in range(3)]
        ask, asked, go = net.store.placements, list[list[str]](), asyncio.Event()

        async def placements(channels: Sequence[str]) -> list[Placement]:
            asked.append(list(channels))
            await go.wait()
            return await ask(channels)

        net.store.placements = placements  # type: ignore[method-assign]
        greedy.send(f"JOIN {','.join(f'#greedy{number}' for number in range(10))}")
        await greedy.flush()
        ann.send("JOIN #ann")
        await ann.flush()
        bob.send("JOIN #greedy9")
        await bob.flush()
        go.set()
        await greedy.until(" 366 justinfan0 #greedy8 ")
        await ann.until(" 366 ")
        await bob.until(" 366 ")
        assert asked[:3] == [["greedy0", "greedy1"], ["greedy2", "ann"], ["greedy9", "greedy3"]]
        assert sum(map(len, asked)) == 11
