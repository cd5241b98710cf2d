"""The processes of a network, in a dictionary."""

from __future__ import annotations

import msgspec

from godwit.clock import Clock, SystemClock
from godwit.store.nodes_base import FORGOTTEN, Node, Role, taken


class MemoryNodes:
    """The part of `MemoryStore` that knows who runs."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._nodes: dict[str, Node] = {}

    async def register(self, node: Node, now: float) -> Node:
        """Say that a process runs, in place of an earlier one with its name; returns it as stored."""
        known = self._nodes.get(node.name)
        if known and (refusal := taken(node, known, now)):
            raise refusal
        self._nodes = {name: each for name, each in self._nodes.items() if each.until >= now - FORGOTTEN}
        self._nodes[node.name] = node
        return node

    async def beat(self, name: str, session: str, until: float) -> bool:
        """Say that it still runs; False if it is not registered any more, or another one has its name."""
        known = self._nodes.get(name)
        if known is None or known.session != session:
            return False
        self._nodes[name] = msgspec.structs.replace(known, until=until)
        return True

    async def unregister(self, name: str, session: str) -> bool:
        """Say that it ends; False if it was not registered."""
        known = self._nodes.get(name)
        if known is None or known.session != session:
            return False
        del self._nodes[name]
        return True

    async def nodes(self, role: Role | None = None, *, now: float) -> list[Node]:
        """Those that run, by name."""
        found = [node for node in self._nodes.values() if node.until > now and role in (None, node.role)]
        return sorted(found, key=lambda node: node.name)

    async def clock(self) -> float:
        """The time that the store has."""
        return self._clock.now()
