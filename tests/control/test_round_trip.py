"""A round trip on a real network, and what is said of one that goes wrong."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from godwit.control import round_trip
from godwit.control.round_trip import travel
from godwit.errors import GodwitError, LoginRefused, MoveRefused, UnknownCluster
from tests.control.outside_world import Rooms, token
from tests.edge.world import World, world


async def turn(seconds: float) -> None:
    """A pause in which only the loop turns, often enough for a line to get through."""
    for _ in range(50):
        await asyncio.sleep(0)


async def trip(net: World, rooms: Rooms, **options: Any) -> tuple[int, str]:
    """There and back."""
    options = {"credentials": token, "now": lambda: 1.0, "sleep": turn, **options}
    return await travel(rooms.clusters(), "main", "aws", rooms.place, **options)


async def test_there_and_back_nothing_is_lost() -> None:
    async with world() as net:
        rooms = Rooms(net)
        faults, story = await trip(net, rooms)
        assert faults == 0, story
        assert "nothing lost, repeated or out of order in 0.0 s, main to aws and back" in story
        assert [cluster for _, cluster in rooms.placed] == ["main", "aws", "main"]
        assert (await net.store.placement("godwit__trip_main_aws")).segment.cluster == "main"
        await net.until(lambda: not any(node.sessions for node in net.nodes.values()))


async def test_who_is_cut_off_misses_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(round_trip, "LATE", 0.01)
    async with world() as net:
        rooms = Rooms(net)

        def cut(room: str, cluster: str) -> None:
            if cluster == "aws":
                net.session(next(one.nick for one in net.nodes["main"].sessions if "fan" in one.nick)).connection.abort(
                    ""
                )

        rooms.before = cut
        faults, story = await trip(net, rooms)
        assert faults > 0
        assert " lost" in story


async def test_what_cannot_be_carried_out_is_an_error() -> None:
    async def nobody(login: str) -> str | None:
        return None

    def refuse(room: str, cluster: str) -> None:
        if cluster == "aws":
            raise MoveRefused("not now")

    async with world() as net:
        rooms = Rooms(net)
        with pytest.raises(LoginRefused):
            await trip(net, rooms, credentials=nobody)
        with pytest.raises(UnknownCluster, match="'mars'"):
            await travel(rooms.clusters(), "main", "mars", rooms.place, token, now=lambda: 1.0, sleep=turn)
        rooms.before = refuse
        with pytest.raises(GodwitError, match="not now"):
            await trip(net, rooms)
        await net.until(lambda: not any(node.sessions for node in net.nodes.values()))
