"""The network: its clusters, what the doctor finds, and why a channel is where it is (protocol row HTTP-clusters)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path
from starlette.exceptions import HTTPException
from starlette.responses import Response

from godwit.store.rollout_base import RolloutStore
from godwit.values import Addresses
from godwit.web import network_views as views
from godwit.web.admission import Admin
from godwit.web.names import channel_name

Explain = Callable[[str], Awaitable[Any]]
"""Says why a channel is where it is: a value that can be told as JSON."""

Doctor = Callable[[], Awaitable[Any]]
"""Compares store, logs and edges: what it found, as a value that can be told as JSON."""


@dataclass(frozen=True, slots=True)
class Network:
    """What is known of the network as a whole.

    Attributes:
        addresses: public addresses of each configured cluster.
        explain: why a channel is where it is.
        doctor: what does not fit together; None if nobody here can look.
    """

    store: RolloutStore
    addresses: Mapping[str, Addresses]
    explain: Explain
    doctor: Doctor | None = None

    async def clusters(self) -> views.Clusters:
        """All configured clusters."""
        homes = await self.store.channels_on()
        used = await self.store.clusters_in_use()
        retired = await self.store.retired()
        default = await self.store.default_placement()
        return views.Clusters(
            clusters=tuple(
                views.ClusterView(
                    name=name,
                    tcp=addresses.tcp,
                    tls=addresses.tls,
                    ws=addresses.ws,
                    wss=addresses.wss,
                    channels=homes.get(name, 0),
                    moves=max(used.get(name, 0) - homes.get(name, 0), 0),
                    default=name == default.cluster,
                    retired_into=retired.get(name, ""),
                )
                for name, addresses in self.addresses.items()
            )
        )


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def router(network: Network, admin: Admin) -> APIRouter:
    """The routes of the network."""
    routes = admin.router()

    @routes.get("/clusters", tags=["network"], summary="The clusters")
    async def clusters() -> views.Clusters:
        """Addresses, how many channels and moves need each, and which are retired."""
        return await network.clusters()

    @routes.get("/doctor", tags=["network"], summary="What does not fit together", response_class=Response)
    async def doctor() -> Response:
        """Compare store, logs and edges; `repair` is a wish."""
        if network.doctor is None:
            raise HTTPException(503, "this process does not run the controller, which examines the network")
        return _json(await network.doctor())

    @routes.get(
        "/channels/{name}/explain",
        tags=["channels"],
        summary="Why a channel is where it is",
        response_class=Response,
    )
    async def explain(name: Annotated[str, Path(description="A channel, without # or with %23.")]) -> Response:
        """One reason why it does not move, or how it did."""
        channel = channel_name(name)
        return _json(await network.explain(channel))

    return routes
