"""What operators do in a channel reaches whoever is in it, as the controller appends it (UN-2, HTTP-bans)."""

from __future__ import annotations

from typing import Any

import pytest

from godwit.control.wishes import Wishes
from godwit.rollout.values import Wish
from tests.control.steered import People
from tests.edge.world import World, world


async def wished(net: World, verb: str, **args: Any) -> str:
    """Have a wish carried out; returns what is answered."""

    async def nothing(*_: object) -> list[str]:
        return []

    wishes = Wishes(
        net.store, net.logs, People(), net.clock, net.settings.move, retirable=nothing, repair=nothing
    )  # fmt: skip
    prepared = await wishes.prepare(Wish(f"w-{verb}-{args['kind']}", verb, "olga", 0.0, args=args, reason="spam"))
    assert prepared.act
    await prepared.act()
    return prepared.answer


@pytest.mark.row("UN-2", "HTTP-bans", "HTTP-roles")
async def test_on_all_edges() -> None:
    """A ban, a role and a USERNOTICE; everybody sees them, and what they forbid is refused."""
    async with world() as net:
        await net.another("second", "main")
        ann, eve = await net.join("ann"), await net.join("eve", cluster="second")
        ann.send("PRIVMSG #room :here")
        await eve.until("PRIVMSG")
        await wished(net, "usernotice", channel="room", kind="resub", login="eve", text="hi", system_msg="so it is")
        for client in (ann, eve):
            line = (await client.until("USERNOTICE"))[-1]
            assert ";msg-id=resub;" in line
            assert ";system-msg=so\\sit\\sis;" in line
            assert line.endswith(" USERNOTICE #room :hi")
        assert await wished(net, "act", channel="room", kind="mod", login="eve") == "eve is a moderator of #room"
        assert await wished(net, "act", channel="room", kind="ban", login="ann") == "ann is banned from #room"
        for client in (ann, eve):
            assert (await client.until("CLEARCHAT"))[-1].endswith(" CLEARCHAT #room :ann")
        ann.send("PRIVMSG #room :still here?")
        assert "msg_banned" in (await ann.until("NOTICE"))[-1]
        eve.send("PRIVMSG #room :no")
        assert "badges=moderator/1;" in (await ann.until("PRIVMSG"))[-1]
        assert [row.kind for row in await net.store.sanctions("room") if row.position] == ["mod", "ban"]
