"""Nonsense over real connections: nobody else is disturbed, and nothing fails."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from tests.edge.world import ALL, DEADLINE, Client, world
from tests.tmi.wild import FROM_CLIENT, Parts, Wild, strict

TYPED = Parts(
    "client-nonce|reply-parent-msg-id",
    "|n1|x",
    "PRIVMSG #a|PRIVMSG #a|PRIVMSG #ann|PRIVMSG #jtv|PRIVMSG #_ann_1447033529452",
    "/ban|/timeout|/unban|/mod|/vip|/slow|/followers|/host|/raid|/w|/color|/clear|/delete|/mods|/help|/announce|.me"
    "|ann|bob|@ann|#a|10|-1|1w|99999999999|blue|hello|Kappa",
)
"""Commands with whatever words behind them."""


async def _everything(client: Client) -> bytes:
    """All that a client was sent up to the answer to a PING of its own; nothing is asked of the rest."""
    client.writer.write(b"\r\nPING :nonsense-ends-here\r\n")
    async with asyncio.timeout(DEADLINE):
        try:
            return await client.reader.readuntil(b" PONG tmi.twitch.tv :nonsense-ends-here\r\n")
        except asyncio.IncompleteReadError as ended:
            return ended.partial


@pytest.mark.parametrize("dialect", ["now", "2016"])
@pytest.mark.parametrize("cluster", ["main", "group"])
async def test_nonsense_disturbs_nobody(cluster: str, dialect: str) -> None:
    """LINE-2, LINE-3: whatever a few clients send at once, they are answered strictly and another one talks on."""
    async with world(edge={"dialect": {cluster: dialect}}) as net:
        quiet = await net.join("quiet", "q", cluster)
        with capture_logs() as logs:
            for seed in range(12):
                wild = Wild(seed)
                clients = [await net.login(nick, cluster, ALL) for nick in ("a", f"bob{seed}")]
                clients.append(await net.connect(cluster))
                for client in clients:
                    client.writer.write(wild.stream(FROM_CLIENT, []) + wild.stream(TYPED, [b"\xff" * 40, b"\0"]))
                for client in clients:
                    strict([await _everything(client)])
                await net.idle()
        node = net.nodes[cluster]
        assert node.counts.sessions_failed == node.counts.channels_failed == 0
        assert [entry for entry in logs if entry["log_level"] in ("error", "critical")] == []
        assert [line for line in await quiet.flush() if " #q" in line] == []
        if cluster == "main":
            assert net.session("quiet").rooms.keys() == {"q"}
            other = await net.join("other", "q")
            other.send("PRIVMSG #q :still here")
            assert (await quiet.until("still here"))[-1].endswith(" PRIVMSG #q :still here")
