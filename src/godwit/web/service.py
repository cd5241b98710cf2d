"""All of the HTTP side as one ASGI application."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from godwit import __version__
from godwit.clock import Clock
from godwit.store.base import Store
from godwit.values import Addresses
from godwit.web import answers, api, directory, health
from godwit.web.changes import Changes


def build(
    *,
    store: Store,
    clock: Clock,
    addresses: Mapping[str, Addresses],
    admin_token: str,
    changes: Changes,
    on_wish: Callable[[], None],
    checks: Sequence[health.Check],
    registry: CollectorRegistry,
    room_id: directory.RoomId | None = None,
) -> FastAPI:
    """Put the HTTP side together.

    Args:
        addresses: public addresses of each configured cluster; read at each request, so it may be filled later.
        admin_token: what operators have to send; not empty.
        changes: where the controller tells that a move has made a step.
        on_wish: called when a move was wished for.
        checks: what must work for `/readyz` to say yes.
        registry: what `/metrics` shows.
        room_id: gives a channel's room id; by default that of its owner's account in the store.
    """
    # The interactive pages would load scripts from somebody else's servers; the description is served alone.
    app = FastAPI(title="Godwit", version=__version__, docs_url=None, redoc_url=None)
    answers.install(app)
    app.add_middleware(directory.OpenToAll)
    app.include_router(directory.router(directory.Directory(store, addresses, room_id or _accounts(store))))
    app.include_router(health.router(checks, registry))
    app.include_router(api.router(api.Operator(store, clock, addresses.keys(), changes, on_wish), admin_token))
    return app


def _accounts(store: Store) -> directory.RoomId:
    async def room_id(channel: str) -> str | None:
        account = await store.account(channel)
        return account.user_id if account else None

    return room_id
