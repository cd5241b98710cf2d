"""A room with everybody in it, for the tests of typed commands: what somebody types, and what each hears of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from godwit.store.base import Sanction
from godwit.values import Account, Position
from tests.edge.world import ALL, Client, World, world

ROOM = "boss"

ROLES = {"mod": "mod", "mo2": "mod", "vic": "vip"}
"""Login -> role, from the beginning."""

TYPES = {"sue": "staff", "ada": "admin", "gil": "global_mod"}
"""Login -> kind of user."""

Told = list[tuple[str, str]]
"""NOTICEs as (msg-id, text)."""


def notices(lines: list[str], channel: str = ROOM) -> Told:
    """The NOTICEs to a channel among lines."""
    told = []
    for line in lines:
        head, found, text = line.partition(f" :tmi.twitch.tv NOTICE #{channel} :")
        if found:
            told.append((head.removeprefix("@msg-id="), text))
    return told


class Stage:
    """A network whose room #boss has a broadcaster, two moderators, a VIP, and accounts of every kind."""

    def __init__(self, net: World) -> None:
        self.net = net
        self.ids: dict[str, str] = {}
        self._clients: dict[str, Client] = {}

    async def set(self) -> None:
        """Write who is what."""
        for login in ("boss", "ann", "bob", *ROLES, *TYPES):
            account = Account("", login, user_type=TYPES.get(login, ""))
            self.ids[login] = (await self.net.store.add_account(account)).user_id
        for login, role in ROLES.items():
            await self.role(login, role)

    @property
    def clients(self) -> list[Client]:
        """All connections that `client` has made."""
        return list(self._clients.values())

    async def role(self, login: str, role: str, channel: str = ROOM) -> None:
        """Give somebody a role from the beginning; the room must not be read yet."""
        if login not in self.ids:
            self.ids[login] = (await self.net.store.add_account(Account("", login))).user_id
        assert role in ("mod", "vip")
        row = Sanction(f"{channel}-{login}", channel, role, self.ids[login], login, "op", position=Position(0, 0))  # type: ignore[arg-type]
        await self.net.store.add_sanction(row)

    async def client(self, nick: str, caps: str = ALL) -> Client:
        """Somebody's connection, which is in the room."""
        if nick not in self._clients:
            self._clients[nick] = await self.net.join(nick, ROOM, caps=caps)
        return self._clients[nick]

    async def hears(self, nick: str) -> list[str]:
        """What somebody has heard since the last time."""
        client = await self.client(nick)
        await self.net.idle()
        await self.net.idle()
        return await client.flush()

    async def says(self, nick: str, text: str, channel: str = ROOM) -> list[str]:
        """All that somebody hears who types something."""
        await self.hears(nick)
        (await self.client(nick)).send(f"PRIVMSG #{channel} :{text}")
        return await self.hears(nick)

    async def told(self, nick: str, text: str, channel: str = ROOM) -> Told:
        """The NOTICEs that somebody is sent who types something."""
        return notices(await self.says(nick, text, channel), channel)

    async def play(self, *steps: tuple[str, str, str, str]) -> None:
        """Steps, each with who types what, and the one NOTICE that answers: its row and its text; '' for none."""
        for nick, text, row, answer in steps:
            expected = [(row.removeprefix("NOTICE-"), answer)] if row else []
            assert await self.told(nick, text) == expected, (nick, text)


@asynccontextmanager
async def stage(**changed: dict[str, Any]) -> AsyncIterator[Stage]:
    """The room, with nobody in it yet.

    Args:
        changed: section -> changed settings.
    """
    async with world(**{"limits": {"preset": "off"}, **changed}) as net:  # type: ignore[arg-type]
        play = Stage(net)
        await play.set()
        yield play
