"""A process among others: signs of life, names, and where the clusters are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from godwit.clock import FakeClock
from godwit.errors import InvalidRequest, StoreUnavailable
from godwit.network import Places
from godwit.roles import member
from godwit.roles.member import ALIVE, Member, by_cluster
from godwit.settings import DirectorySettings, Settings
from godwit.store.memory_nodes import MemoryNodes
from godwit.store.nodes_base import Node
from godwit.values import Addresses

SETTINGS = Settings(clusters=("main", "aws"))


class Registry(MemoryNodes):
    """The registry of a store that may be away."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.away = False
        self.looks = asyncio.Event()
        self.into: dict[str, str] = {}

    async def clock(self) -> float:
        if self.away:
            self.looks.set()
            raise StoreUnavailable("away")
        return await super().clock()

    async def unregister(self, name: str, session: str) -> bool:
        await self.clock()
        return await super().unregister(name, session)

    async def retired(self) -> Mapping[str, str]:
        self.looks.set()
        return self.into


def edge(name: str, cluster: str = "main", port: int = 1, session: str = "") -> Node:
    """An edge process."""
    addresses = Addresses(tcp=(f"127.0.0.1:{port}",))
    return Node(name, "edge", session or f"s-{name}", 0.0, 0.0, cluster=cluster, url="http://x", addresses=addresses)


def of(registry: Registry, node: Node, settings: Settings = SETTINGS) -> Member:
    """A process that is not registered yet."""
    return Member(registry, node, Places(settings))


async def test_processes_find_each_other() -> None:
    registry, seen = Registry(FakeClock(100.0)), Places(SETTINGS)
    for node in (edge("a", port=1), edge("b", port=2), edge("c", "aws", port=3)):
        await of(registry, node).join()
    directory = Member(registry, Node("d", "directory", "s", 0.0, 0.0), seen)
    await directory.join()
    await directory.look()
    assert [node.name for node in directory.others] == ["a", "b", "c", "d"]
    assert [node.name for node in directory.edges()] == ["a", "b", "c"]
    assert directory.controllers() == []
    assert seen.addresses == {
        "main": Addresses(tcp=("127.0.0.1:1", "127.0.0.1:2")),
        "aws": Addresses(tcp=("127.0.0.1:3",)),
    }


async def test_who_gives_no_sign_of_life_is_gone() -> None:
    clock = FakeClock(100.0)
    registry = Registry(clock)
    alive, dead = of(registry, edge("a")), of(registry, edge("b", port=2))
    await alive.join()
    await dead.join()
    clock.advance(ALIVE - 1)
    await alive.beat()
    clock.advance(1)
    await alive.look()
    assert [node.name for node in alive.edges()] == ["a"]


async def test_a_name_is_had_by_one() -> None:
    clock = FakeClock(100.0)
    registry = Registry(clock)
    await of(registry, edge("a")).join()
    with pytest.raises(InvalidRequest, match="there is a process named a already"):
        await of(registry, edge("a", session="another")).join()
    clock.advance(ALIVE)
    await of(registry, edge("a", session="another")).join()


async def test_who_was_taken_for_dead_comes_back_or_ends() -> None:
    """A process that was paused; while it was, another one may have taken its name."""
    clock = FakeClock(100.0)
    registry = Registry(clock)
    paused = of(registry, edge("a"))
    await paused.join()
    await registry.unregister("a", "s-a")
    await paused.beat()
    assert [node.session for node in await registry.nodes(now=100.0)] == ["s-a"]
    clock.advance(ALIVE)
    await of(registry, edge("a", session="another")).join()
    with pytest.raises(InvalidRequest, match="there is a process named a already"):
        await paused.beat()


async def test_who_leaves_or_changes_is_seen() -> None:
    registry = Registry(FakeClock(100.0))
    one, other = of(registry, edge("a")), of(registry, edge("b", port=2))
    await one.join()
    await other.join()
    await other.change(Addresses())
    await one.look()
    assert [node.name for node in one.edges()] == ["a", "b"]
    assert by_cluster(one.others) == {"main": Addresses(tcp=("127.0.0.1:1",))}
    await other.leave()
    await one.look()
    assert [node.name for node in one.edges()] == ["a"]


async def test_retired_clusters_and_addresses_of_the_settings_are_heard() -> None:
    registry = Registry(FakeClock(100.0))
    public = DirectorySettings(public={"aws": {"tcp": ["irc.example.net:6667"]}})
    seen = Places(Settings(clusters=("main", "aws"), directory=public))
    one = Member(registry, edge("a"), seen)
    await one.join()
    await of(registry, edge("c", "aws", port=3)).join()
    registry.into = {"main": "aws"}
    await one.look()
    assert seen.homes == ["aws"]
    assert seen.addresses["main"].tcp == ("irc.example.net:6667", "127.0.0.1:1")


async def test_where_edges_see_to_it_a_member_leaves_retired_clusters_alone() -> None:
    """Or they would not notice the news."""
    registry, seen = Registry(FakeClock(100.0)), Places(SETTINGS)
    one = Member(registry, edge("a"), seen, retires=False)
    await one.join()
    registry.into = {"main": "aws"}
    await one.look()
    assert seen.homes == ["main", "aws"]
    assert seen.retire(registry.into)


async def test_a_store_that_is_away_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was known stays known."""
    monkeypatch.setattr(member, "BEAT", 0)
    registry = Registry(FakeClock(100.0))
    one = of(registry, edge("a"))
    await one.join()
    running = asyncio.create_task(one.run())

    async def looked() -> None:
        registry.looks.clear()
        await asyncio.wait_for(registry.looks.wait(), 20)

    try:
        await looked()
        registry.away = True
        await looked()
        await looked()
        assert [node.name for node in one.edges()] == ["a"]
        registry.away = False
        registry.into = {"aws": "main"}
        await looked()
        await looked()
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_leaving_or_changing_without_a_store_is_no_fault() -> None:
    registry = Registry(FakeClock(100.0))
    one = of(registry, edge("a"))
    await one.join()
    registry.away = True

    await one.change(Addresses())
    await one.leave()


async def test_who_leaves_is_gone_though_it_was_just_registering() -> None:
    """A process is told to end while its registration is being written: that must not land after its farewell."""
    begun, go = asyncio.Event(), asyncio.Event()

    class Slow(Registry):
        async def register(self, node: Node, now: float) -> Node:
            begun.set()
            self.writing = asyncio.create_task(self.late(node, now))
            return await asyncio.shield(self.writing)

        async def late(self, node: Node, now: float) -> Node:
            await go.wait()
            return await super().register(node, now)

    registry = Slow(FakeClock(100.0))
    one = of(registry, edge("a"))
    joining = asyncio.create_task(one.join())
    await begun.wait()
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining
    leaving = asyncio.create_task(one.leave())
    await asyncio.sleep(0)
    go.set()
    await leaving
    await registry.writing
    assert await registry.nodes(now=100.0) == []
