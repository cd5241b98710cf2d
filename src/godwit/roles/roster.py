"""All processes of a network, as the store and they themselves know them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import httpx
import msgspec
import structlog

from godwit.roles import inside
from godwit.roles.member import ALIVE
from godwit.store.nodes_base import Node, NodeRegistry
from godwit.web.processes import Known

log = structlog.get_logger()


class Roster:
    """The list of processes.

    Args:
        registry: where they say that they run.
        http: asks them what only they know.
    """

    def __init__(self, registry: NodeRegistry, http: httpx.AsyncClient, admin_token: str) -> None:
        self._registry = registry
        self._http = http
        self._headers = {"Authorization": f"Bearer {admin_token}"}

    async def list(self) -> Sequence[Known]:
        """All that run or ended without a word, by name.

        Raises:
            StoreUnavailable: no answer.
        """
        now = await self._registry.clock()
        return await asyncio.gather(*(self._know(node, now) for node in await self._registry.nodes(now=0.0)))

    async def _know(self, node: Node, now: float) -> Known:
        alive = node.until > now
        ahead = (await self._ask(node)).ahead if alive and node.url else {}
        return Known(node, node.until - ALIVE, alive, farthest(ahead))

    async def _ask(self, node: Node) -> inside.About:
        try:
            answer = await self._http.get(f"{node.url}{inside.PATH}/about", headers=self._headers)
            answer.raise_for_status()
            return msgspec.json.decode(answer.content, type=inside.About)
        except (httpx.HTTPError, msgspec.MsgspecError) as error:
            log.info("process_not_asked", name=node.name, error=repr(error))
            return inside.About({})


def farthest(ahead: Mapping[str, float]) -> float | None:
    """The difference that is the greatest, whichever clock it is to; None if there is none."""
    return max(ahead.values(), key=abs, default=None)
