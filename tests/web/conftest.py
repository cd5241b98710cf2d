"""A web application over a store in memory, and a client that calls it without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from godwit.clock import FakeClock
from godwit.store.memory import MemoryStore
from godwit.values import Account, Addresses, Segment
from godwit.web import service
from godwit.web.changes import Changes
from godwit.web.health import Check

TOKEN = "the-admin-token"

ADDRESSES = {
    "main": Addresses(tcp=("127.0.0.1:6667", "127.0.0.1:6677"), ws=("127.0.0.1:8080",)),
    "aws": Addresses(tcp=("irc.example.net:6668",), tls=("irc.example.net:6697",), ws=("127.0.0.1:8081",)),
    "group": Addresses(tcp=("[::1]:6669", "127.0.0.1:6669"), ws=("127.0.0.1:8082",)),
}


async def until(condition: Callable[[], object]) -> None:
    """Let others have their turns until it is so."""
    for _ in range(1_000_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


@dataclass
class World:
    """What a test can turn."""

    store: MemoryStore = field(default_factory=MemoryStore)
    clock: FakeClock = field(default_factory=FakeClock)
    changes: Changes = field(default_factory=Changes)
    wishes: list[None] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    addresses: dict[str, Addresses] = field(default_factory=lambda: dict(ADDRESSES))
    more: dict[str, Any] = field(default_factory=dict)
    """Further arguments of `service.build`."""

    async def place(self, channel: str, cluster: str, epoch: int) -> None:
        """Commit a placement, as a controller does."""
        await self.store.commit(channel, Segment(cluster, epoch, 7, "s"), drain_until=60.0, now=0.0)

    def app(self) -> FastAPI:
        """The application."""
        return service.build(
            store=self.store,
            clock=self.clock,
            addresses=self.addresses,
            admin_token=TOKEN,
            changes=self.changes,
            on_wish=lambda: self.wishes.append(None),
            checks=self.checks,
            registry=self.registry,
            **self.more,
        )

    def client(self, token: str | None = TOKEN) -> httpx.AsyncClient:
        """A client that sends `token`."""
        app = self.app()
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers)


@pytest.fixture
async def world() -> World:
    """A world whose channels are on main."""
    made = World()
    await made.store.set_default(Segment("main", 1, 0, "s"), hold_until=0.0)
    await made.store.add_account(Account("42", "alice", "Alice"))
    return made


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A client that sends the admin token."""
    async with world.client() as client:
        yield client


@pytest.fixture
async def stranger(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A client that sends no token."""
    async with world.client(None) as client:
        yield client
