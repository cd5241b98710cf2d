"""The examples of docs/protocol.md, replayed over real connections."""

from __future__ import annotations

import re

import pytest

from godwit.values import Account
from tests.edge.world import Client, World, world
from tests.rows import PAGE

_CHANGES = re.compile(r"(?<=[@;])(id|room-id|tmi-sent-ts|user-id)=[^; ]+")
"""Tags whose values are others each time."""


def example(first: str) -> list[tuple[str, str]]:
    """The lines of the example that begins with a line: who sends it (`C`, `S` or a remark), and the line."""
    blocks = re.findall(r"^```\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if block.startswith(first)]
    return [(who, text) for who, _, text in (line.partition(": ") for line in block.splitlines())]


def alike(line: str) -> str:
    """A line without what is another value each time."""
    return _CHANGES.sub(r"\1=…", line)


async def heard(client: Client, lines: list[str]) -> None:
    """Have exactly these lines come."""
    for line in lines:
        assert alike(await client.line()) == alike(line)
    assert await client.flush() == []


async def ronni(net: World) -> None:
    """Bring the account of the examples."""
    for account in (Account("", "ronni"), Account("", "dallas")):
        await net.store.add_account(account)
    await net.store.set_account("ronni", display_name="Ronni", color="#0D4200")


@pytest.mark.row("LOGIN-1", "LOGIN-2", "LOGIN-3", "CAP-2", "LINE-1")
async def test_login() -> None:
    """All that was asked for before the login is answered, and the whole welcome."""
    async with world() as net:
        await ronni(net)
        client = await net.connect()
        lines = example("C: CAP REQ")
        client.send(*(line.replace("TOKEN", "abc") for who, line in lines if who == "C"))
        await heard(client, [line for who, line in lines if who == "S"])


@pytest.mark.row("JOIN-1", "JOIN-2", "STATE-1", "STATE-2", "PART-1")
async def test_join_and_part() -> None:
    async with world() as net:
        await ronni(net)
        client = await net.login("ronni")
        lines = example("C: JOIN")
        while lines:
            answers = next((n for n, (who, _) in enumerate(lines[1:], 1) if who == "C"), len(lines))
            (_, asked), *told = lines[:answers]
            client.send(asked)
            await heard(client, [line for _, line in told])
            del lines[:answers]


@pytest.mark.row("MSG-1", "MSG-6", "MSG-8", "MSG-9", "EMOTE-3", "STATE-1")
async def test_message() -> None:
    """Others see it with all tags; the sender is sent a USERSTATE with the same id."""
    async with world() as net:
        await ronni(net)
        client, other = await net.join("ronni", "dallas"), await net.join("eve", "dallas")
        (_, asked), (_, shown), (_, told) = example("C: @client-nonce")
        client.send(asked)
        line, state = await other.line(), await client.line()
        assert (alike(line), alike(state)) == (alike(shown), alike(told))
        ids = [re.findall(r"[@;]id=([^; ]+)", text) for text in (line, state)]
        assert ids[0] == ids[1]
        assert await client.flush() == await other.flush() == []
