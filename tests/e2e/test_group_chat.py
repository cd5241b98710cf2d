"""A move does not touch group chat: the five checks, on a real server, while a channel moves and comes back."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.e2e.harness import RawClient, Server, raw_client, serve

CHANNEL = "lobby"


def whispers(client: RawClient) -> list[str]:
    """What was whispered to somebody, in order."""
    return [line.rpartition(" :")[2] for line in client.lines if " WHISPER " in line]


async def depot(api: httpx.AsyncClient, method: str, path: str, who: str, **fields: str) -> httpx.Response:
    """Call the service of group rooms; with open authentication the token is the login."""
    response = await api.request(method, path, params={"oauth_token": who}, data=fields)
    assert response.is_success, response.text
    return response


class Group:
    """Anna and ben: each in the channel on another cluster, and both on group chat, in a room of their own."""

    def __init__(self, server: Server, api: httpx.AsyncClient, room: str, clients: dict[str, RawClient]) -> None:
        self.server = server
        self.api = api
        self.room = room
        self.anna, self.ben = clients["anna"], clients["ben"]
        self.there = {"anna": clients["anna at group"], "ben": clients["ben at group"]}
        self.servers: set[bytes] = set()
        self.said: list[str] = []

    async def check(self, when: str) -> None:
        """Whisper both ways, over all kinds of connections, talk in the room, invite somebody, look servers up."""
        self.servers.add((await self.api.get("/servers", params={"cluster": "group"})).content)
        self.anna.send(f"PRIVMSG #jtv :/w ben {when}, from anna")
        self.ben.send(f"PRIVMSG #{CHANNEL} :/w anna {when}, from ben")
        for client, author in ((self.ben, "anna"), (self.anna, "ben")):
            await client.expect(f"{when}, from {author}")
        self.there["anna"].send(f"PRIVMSG #jtv :/w ben {when}, from anna on group")
        await self.there["ben"].expect(f"{when}, from anna on group")
        self.said += [f"{when}, from anna", f"{when}, from anna on group"]
        self.there["anna"].say(self.room, f"{when}, in the room")
        await self.there["ben"].expect(f"PRIVMSG #{self.room} :{when}, in the room")
        before = len(self.there["ben"].lines)
        await depot(self.api, "POST", "/room_memberships", "anna", irc_channel=await self.new_room(), username="ben")
        await self.there["ben"].expect("PRIVMSG ben :ROOMINVITE _anna_", after=before)

    async def new_room(self) -> str:
        """One more room of anna's; its name."""
        name: str = (await depot(self.api, "POST", "/rooms", "anna")).json()["irc_channel"]
        return name

    async def move(self, to: str, halted: str) -> None:
        """Move the channel, stop on the way to look, and go on."""
        with self.server.halt_moves(halted):
            self.server.errors.clear()
            begun = await self.api.post(f"/channels/{CHANNEL}/move", json={"to": to, "by": "op", "reason": ""})
            assert begun.is_success, begun.text
            await self.server.wait_logged("event=moves_wait", f"channel={CHANNEL}")
            await self.check(f"during the move to {to}")
        move = (await self.api.get(f"/channels/{CHANNEL}")).json()["move"]
        done = await self.api.get(f"/moves/{move['id']}/wait", params={"until": "draining"})
        assert done.json()["state"] in ("draining", "settled"), done.text
        assert (await self.api.get(f"/channels/{CHANNEL}")).json()["cluster"] == to
        await self.check(f"after the move to {to}")


@pytest.mark.row(
    "GROUP-7", "GROUP-1", "GROUP-2", "GROUP-4", "GROUP-6", "HTTP-servers", "HTTP-chatdepot", "HTTP-chatters"
)
async def test_a_move_and_its_way_back(tmp_path: Path) -> None:
    """GROUP-7: same bytes, whispers once, no word of the move, rooms go on."""
    async with (
        serve(tmp_path, "edge.dialect.event=2016") as server,
        server.http() as api,
        raw_client(server.tcp(), "anna") as anna,
        raw_client(server.tcp("aws"), "ben") as ben,
        raw_client(server.tcp("group"), "anna") as anna_there,
        raw_client(server.tcp("group"), "ben") as ben_there,
        raw_client(server.tcp("event"), "anna") as anna_then,
    ):
        for client in (anna, ben):
            await client.login(CHANNEL)
        for client in (anna_there, ben_there, anna_then):
            await client.login()
        room: str = (await depot(api, "POST", "/rooms", "anna")).json()["irc_channel"]
        invited = (await depot(api, "POST", "/room_memberships", "anna", irc_channel=room, username="ben")).json()
        await ben_there.expect(f"PRIVMSG ben :ROOMINVITE {room} anna")
        await depot(api, "PUT", f"/room_memberships/{room}/{invited['user']['id']}", "ben", is_confirmed="1")
        for client in (anna_there, ben_there):
            await client.join(room)
        await anna_there.join(CHANNEL)

        group = Group(
            server,
            api,
            room,
            {"anna": anna, "ben": ben, "anna at group": anna_there, "ben at group": ben_there},
        )
        await group.check("before the move")
        found = (await api.get(f"/group/user/{CHANNEL}/chatters")).json()["chatters"]
        assert found["viewers"] == ["anna", "ben"]
        found = (await api.get(f"/group/user/{room}/chatters")).json()["chatters"]
        assert (found["broadcaster"], found["viewers"]) == (["anna"], ["ben"])
        anna_then.send("PRIVMSG #jtv :/w ben hello from another time")
        unknown = "@msg-id=unrecognized_cmd :tmi.twitch.tv NOTICE #jtv :Unrecognized command: /w"
        assert await anna_then.expect("NOTICE #jtv") == unknown
        await group.move("aws", halted="sealed")
        await group.move("main", halted="draining")

        assert len(group.servers) == 1
        for client in (anna, ben, anna_there, ben_there):
            await client.flush()
        for client in (ben, ben_there):
            assert whispers(client) == group.said
        heard = [text for text in group.said if "group" not in text]
        for client in (anna, anna_there):
            assert whispers(client) == [text.replace("from anna", "from ben") for text in heard]
        for client in (anna_there, ben_there):
            assert not [line for line in client.lines if "SERVERCHANGE" in line or "RECONNECT" in line]
        assert [line for line in anna.lines if "SERVERCHANGE" in line], "the channel did move"
        assert [text for _, text in ben_there.heard(room)] == [
            f"{text.removesuffix(', from anna')}, in the room" for text in heard
        ]
        assert anna_there.heard(CHANNEL) == []
