"""Who runs: the processes of the network (protocol row HTTP-processes)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fastapi import APIRouter

from godwit.store.nodes_base import Node, Role
from godwit.web.admission import Admin
from godwit.web.views import View


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a process.

    Attributes:
        seen: the store's time of its last sign of life, in seconds since the Unix epoch.
        alive: whether that still counts.
        ahead: seconds by which its clock is ahead of the one that it differs from most; None if it did not say.
    """

    node: Node
    seen: float
    alive: bool
    ahead: float | None = None


Processes = Callable[[], Awaitable[Sequence[Known]]]
"""All processes of which something is known."""


class ProcessView(View):
    """A process.

    Attributes:
        url: its internal HTTP.
        started: by its own clock, in seconds since the Unix epoch.
        seen: its last sign of life, by the store's clock.
        alive: false of one that ended without a word, up to a day ago.
        ahead: seconds by which its clock is ahead (negative: behind) of the store's or a chat log's, whichever differs
            most; 0 if they agree as far as can be told, null if it did not say.
    """

    name: str
    role: Role
    cluster: str
    alive: bool
    started: float
    seen: float
    ahead: float | None
    version: str
    url: str
    tcp: tuple[str, ...]
    tls: tuple[str, ...]
    ws: tuple[str, ...]
    wss: tuple[str, ...]


class ProcessViews(View):
    """All processes, by name."""

    processes: tuple[ProcessView, ...]


def router(processes: Processes, admin: Admin) -> APIRouter:
    """The route of the processes."""
    routes = admin.router()

    @routes.get("/processes", tags=["network"], summary="The processes")
    async def listed() -> ProcessViews:
        """Who runs, and who ended without a word; one that ended in order is not in the list."""
        return ProcessViews(processes=tuple(_view(known) for known in await processes()))

    return routes


def _view(known: Known) -> ProcessView:
    node = known.node
    return ProcessView(
        name=node.name,
        role=node.role,
        cluster=node.cluster,
        alive=known.alive,
        started=node.started,
        seen=known.seen,
        ahead=known.ahead,
        version=node.version,
        url=node.url,
        tcp=node.addresses.tcp,
        tls=node.addresses.tls,
        ws=node.addresses.ws,
        wss=node.addresses.wss,
    )
