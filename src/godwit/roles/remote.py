"""What the edges of other processes know and count, asked over their internal HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import httpx
import msgspec
import structlog
from prometheus_client.parser import text_string_to_metric_families

from godwit.control.meters import PREFIX, Reading
from godwit.control.ports import Presence
from godwit.ending import end
from godwit.errors import EdgeUnavailable
from godwit.roles import inside
from godwit.roles.member import ALIVE
from godwit.store.nodes_base import Node
from godwit.values import Segment

log = structlog.get_logger()

ANSWER = 3.0
"""Seconds that an edge may take to answer."""

EVERY = 5.0
"""Seconds between two readings of what edges count."""

Answer = TypeVar("Answer")
Nodes = Callable[[], Sequence[Node]]
"""Those that run."""


def http_client() -> httpx.AsyncClient:
    """A client for questions to other processes of the network."""
    return httpx.AsyncClient(timeout=ANSWER, trust_env=False, headers={"User-Agent": "godwit"})


class RemoteCrowd:
    """A `Crowd` over the edges of all processes.

    One edge that does not answer is enough for there to be no answer: whoever counts members must not take silence
    for nobody. One that has said meanwhile that it ends is left out.

    Args:
        edges: those that run, as far as is known.
        look: finds out anew which run.
    """

    def __init__(
        self, edges: Nodes, look: Callable[[], Awaitable[None]], http: httpx.AsyncClient, admin_token: str
    ) -> None:
        self._edges = edges
        self._look = look
        self._http = http
        self._headers = {"Authorization": f"Bearer {admin_token}"}

    async def presence(self, channels: Sequence[str]) -> list[Presence]:
        """Who is there, in the order asked for; see `Crowd`."""
        found = await self._ask_all("presence", inside.AskPresence(list(channels)), inside.Presences)
        rows = zip(channels, *(answer for _, answer in found), strict=True)
        return [_together(channel, each) for channel, *each in rows]

    async def left_behind(self, channel: str, cluster: str) -> list[str]:
        """Logins of the members that are still in the channel on `cluster`; see `Crowd`."""
        found = await self._ask_all("left_behind", inside.AskLeftBehind(channel, cluster), inside.Logins)
        return [login for _, logins in found for login in logins]

    async def views(self, channels: Sequence[str]) -> dict[str, list[tuple[str, Segment]]]:
        """For each channel that edges serve: `(edge's name, the segment that it stands in)`; see `Crowd`."""
        together: dict[str, list[tuple[str, Segment]]] = {}
        for node, views in await self._ask_all("views", inside.AskViews(list(channels)), inside.Views):
            for channel, seen in views.items():
                together.setdefault(channel, []).extend((f"{node.name}/{name}", segment) for name, segment in seen)
        return together

    async def _ask_all(self, what: str, question: Any, kind: type[Answer]) -> list[tuple[Node, Answer]]:
        edges = self._edges()
        asked = await asyncio.gather(*(self._ask(edge, what, question, kind) for edge in edges))
        found = list(zip(edges, asked, strict=True))
        if any(isinstance(answer, EdgeUnavailable) for _, answer in found):
            await self._look()
        running = {edge.session for edge in self._edges()}
        answers: list[tuple[Node, Answer]] = []
        for edge, answer in found:
            if not isinstance(answer, EdgeUnavailable):
                answers.append((edge, answer))
            elif edge.session in running:
                raise answer
        return answers

    async def _ask(self, edge: Node, what: str, question: Any, kind: type[Answer]) -> Answer | EdgeUnavailable:
        try:
            answer = await self._http.post(
                f"{edge.url}{inside.PATH}/{what}", content=msgspec.json.encode(question), headers=self._headers
            )
            answer.raise_for_status()
            return msgspec.json.decode(answer.content, type=kind)
        except (httpx.HTTPError, msgspec.MsgspecError) as error:
            return EdgeUnavailable(
                f"edge {edge.name} at {edge.url} does not say who is there ({str(error) or type(error).__name__}): "
                f"look at its log, and start it anew if it died; it is left out {ALIVE:g} s after its last sign of life"
            )


class RemoteReadings:
    """What the edges of all processes count, read now and then.

    Of a process that has ended its counters go on counting, as they stood when it was last read: they only grow.
    """

    def __init__(self, edges: Nodes, http: httpx.AsyncClient) -> None:
        self._edges = edges
        self._http = http
        self._read: dict[str, Reading] = {}

    def __call__(self) -> Reading:
        """The sums as last read."""
        running = {edge.session for edge in self._edges()}
        sums: dict[tuple[str, str], float] = {}
        for session, reading in self._read.items():
            for key, value in reading.items():
                if session in running or key[0].endswith("_total"):
                    sums[key] = sums.get(key, 0.0) + value
        return sums

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            await self.read()
            await asyncio.sleep(EVERY)

    async def read(self) -> None:
        """Read all edges that answer."""
        await asyncio.gather(*(self._one(edge) for edge in self._edges()))

    async def _one(self, edge: Node) -> None:
        try:
            answer = await self._http.get(f"{edge.url}/metrics")
            answer.raise_for_status()
            self._read[edge.session] = {
                (sample.name.removeprefix(PREFIX), sample.labels.get("cluster", "")): sample.value
                for family in text_string_to_metric_families(answer.text)
                for sample in family.samples
                if sample.name.startswith(PREFIX)
            }
        except (httpx.HTTPError, ValueError) as error:
            log.warning("edge_not_read", name=edge.name, error=repr(error))


class RemoteControllers:
    """Wakes the controllers of other processes; one that does not hear it looks by itself some seconds later."""

    def __init__(self, controllers: Nodes, http: httpx.AsyncClient, admin_token: str) -> None:
        self._controllers = controllers
        self._http = http
        self._headers = {"Authorization": f"Bearer {admin_token}"}
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Tell all of them that there may be something to do; does not wait."""
        for node in self._controllers():
            task = asyncio.create_task(self._wake(node), name=f"wakes {node.name}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def heard(self) -> None:
        """Wait until all have heard it, or cannot."""
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Wait for none of them any more."""
        await end(*self._tasks)

    async def _wake(self, node: Node) -> None:
        try:
            await self._http.post(f"{node.url}{inside.PATH}/wake", headers=self._headers)
        except httpx.HTTPError as error:
            log.info("controller_not_woken", name=node.name, error=repr(error))


def _together(channel: str, found: Sequence[Presence]) -> Presence:
    return Presence(
        channel,
        members=sum(one.members for one in found),
        told=sum(one.told for one in found),
        last_message=max((one.last_message for one in found), default=0.0),
    )
