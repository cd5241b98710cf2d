"""A process among others: how it says that it runs, and what it knows of the others.

Everybody goes by the store's clock, so that processes whose clocks differ agree on who still runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import msgspec
import structlog

from godwit.errors import StoreUnavailable
from godwit.network import Places, together
from godwit.store.nodes_base import Node, NodeRegistry
from godwit.values import Addresses

log = structlog.get_logger()

BEAT = 1.5
"""Seconds between two signs of life, and between two looks at the others."""

ALIVE = 6.0
"""Seconds for which a sign of life counts."""


class Registry(NodeRegistry, Protocol):
    """What a member asks of the store."""

    async def retired(self) -> Mapping[str, str]:
        """Retired clusters, and what serves in their place."""
        ...


class Member:
    """This process, as the others know it, and the others, as this one knows them.

    Attributes:
        node: this process; its `until` is written at each sign of life.
        others: all processes that ran at the last look, this one among them.

    Args:
        places: told where clusters are, and which are retired, at each look.
        retires: False if somebody else in this process sees to retired clusters.
    """

    def __init__(self, registry: Registry, node: Node, places: Places, *, retires: bool = True) -> None:
        self.node = node
        self.others: Sequence[Node] = ()
        self._registry = registry
        self._places = places
        self._retires = retires
        self._registering: asyncio.Task[Node] | None = None

    async def join(self) -> None:
        """Say that this process runs, or what has changed about it.

        Raises:
            InvalidRequest: another one has its name.
            StoreUnavailable: no answer.
        """
        now = await self._registry.clock()
        # The write happens even if whoever wants it is cancelled: then `leave` must come behind it.
        self._registering = asyncio.create_task(self._register(now), name="register")
        self.node = await asyncio.shield(self._registering)
        log.info("registered", name=self.node.name, role=self.node.role, url=self.node.url)

    async def _register(self, now: float) -> Node:
        return await self._registry.register(msgspec.structs.replace(self.node, until=now + ALIVE), now)

    async def change(self, addresses: Addresses) -> None:
        """Tell others where clients reach this process from now on."""
        self.node = msgspec.structs.replace(self.node, addresses=addresses)
        with suppress(StoreUnavailable):
            await self.join()

    async def leave(self) -> None:
        """Say that this process ends; nothing if it never said that it runs."""
        if self._registering is not None:
            await asyncio.gather(self._registering, return_exceptions=True)
        with suppress(StoreUnavailable):
            await self._registry.unregister(self.node.name, self.node.session)

    async def run(self) -> None:
        """Give signs of life and look at the others, until cancelled.

        Raises:
            InvalidRequest: another process has taken this one's name while it gave none.
        """
        while True:
            await asyncio.sleep(BEAT)
            try:
                async with asyncio.timeout(ALIVE):
                    await self.beat()
                    await self.look()
            except (StoreUnavailable, TimeoutError) as error:
                log.warning("registry_unavailable", error=repr(error))

    async def beat(self) -> None:
        """Give one sign of life.

        Raises:
            InvalidRequest: another process has this one's name.
            StoreUnavailable: no answer.
        """
        now = await self._registry.clock()
        if not await self._registry.beat(self.node.name, self.node.session, now + ALIVE):
            log.warning("registration_lost", name=self.node.name)
            await self.join()

    async def look(self) -> None:
        """Look at who runs.

        Raises:
            StoreUnavailable: no answer.
        """
        self.others = await self._registry.nodes(now=await self._registry.clock())
        self._places.hear(by_cluster(self.others))
        if self._retires:
            self._places.retire(await self._registry.retired())

    def edges(self) -> list[Node]:
        """The edges that run."""
        return [node for node in self.others if node.role == "edge"]

    def controllers(self) -> list[Node]:
        """The controllers that run."""
        return [node for node in self.others if node.role == "controller"]


def by_cluster(nodes: Sequence[Node]) -> dict[str, Addresses]:
    """Where clients reach the clusters that have edges."""
    found: dict[str, list[Addresses]] = {}
    for node in nodes:
        if node.role == "edge" and node.addresses != Addresses():
            found.setdefault(node.cluster, []).append(node.addresses)
    return {cluster: together(addresses) for cluster, addresses in found.items()}
